"""Figures of backtests."""

import polars as pl
from matplotlib.figure import Figure

from parivision.reports import plots


def policies_figure(table: pl.DataFrame) -> Figure:
    """Next-season log loss of the three policies, season by season."""
    losses = {
        "promotion rule": table["promoted_loss"],
        "never retraining": table["never_loss"],
        "always the newest": table["newest_loss"],
    }
    return plots.lines_plot(table["next_season"], losses, x_label="season", y_label="log loss")


def estimates_figure(table: pl.DataFrame) -> Figure:
    """Real and estimated log loss with its interval, week after week."""
    lines = {"outcomes": table["log_loss"], "estimated": table["estimated"]}
    return plots.lines_plot(
        pl.Series("week", range(table.height)),
        {**lines, "low": table["low"], "high": table["high"]},
        x_label="weeks of " + ", ".join(map(str, table["season"].unique(maintain_order=True))),
        y_label="log loss",
    )
