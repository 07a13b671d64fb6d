"""Who becomes champion: candidates on the same later games, and the rule that decides.

Pure: it imports no registry. A missing number or thin evidence never promotes.
"""
