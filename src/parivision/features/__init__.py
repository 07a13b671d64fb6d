"""From shots to rows of numbers: the form of league, teams and players, and the features.

It imports no model and no source: training and service make their rows here, and nowhere else.
"""
