"""What a shot is: court, league, facts, limits, the schema of the table, splits by time.

It imports nothing of the library but the errors, and no server, file or plot.
"""
