"""What a table of shots looks like, as one HTML page whose sentences are read off the data."""

from parivision.reports.eda.report import write

__all__ = ["write"]
