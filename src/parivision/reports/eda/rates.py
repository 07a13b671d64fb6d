"""Counts and make rates by group, and the words that reports use for them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from parivision.errors import DataError
from parivision.scoring import scores
from parivision.shots import court

FEW_SHOTS: Final = 50
"""Groups with fewer shots are shown but not called best or worst."""


def derive(shots: pl.DataFrame) -> pl.DataFrame:
    """The columns that the report needs, with zone, distance and period class computed.

    Adds: zone (Enum, near to far), r_ft (distance of the place), period_class ("1" to "overtime"),
    is_three, points (scored).
    """
    if shots.height == 0:
        raise DataError("eda: expected at least one shot, got an empty table. Ingest shots first.")
    segments = scores.segments_of(shots)
    return shots.select(
        "season", "game_date", "period", "clock_s", "shot_value", "x_ft", "y_ft", "made",
        zone=segments["zone"],
        period_class=segments["period"],
        r_ft=pl.Series(court.distance_ft(shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy())),
        is_three=pl.col("shot_value") == 3,
        points=pl.col("made") * pl.col("shot_value"),
    )  # fmt: skip


def rates(shots: pl.DataFrame, by: str | pl.Expr) -> pl.DataFrame:
    """Shots, share of all shots, make rate with its 95 % interval and points a shot, by group.

    The group's column is called `group`; the rows are in its order and missing groups left out.
    """
    key = pl.col(by) if isinstance(by, str) else by
    table = (
        shots.group_by(key.alias("group"))
        .agg(
            n_shots=pl.len().cast(pl.Int64),
            makes=pl.col("made").sum().cast(pl.Int64),
            points=pl.col("points").mean(),
        )
        .drop_nulls("group")
        .sort("group")
    )
    rate = (table["makes"] / table["n_shots"]).to_numpy()
    low, high = scores.wilson(rate, table["n_shots"].to_numpy())
    return table.with_columns(
        share=pl.col("n_shots") / shots.height,
        made_rate=pl.Series(rate),
        low=pl.Series(low),
        high=pl.Series(high),
    )


def rate_of(shots: pl.DataFrame, condition: pl.Expr) -> tuple[float, int]:
    """Make rate (NaN without a shot) and number of the shots that meet the condition."""
    row = shots.select(made=pl.col("made").filter(condition).mean(), n=condition.sum()).row(0)
    return (float("nan") if row[0] is None else float(row[0])), int(row[1])


def ranked(table: pl.DataFrame, column: str) -> list[dict[str, object]]:
    """Rows from the highest value down, leaving out groups too small to be called best or worst.

    All rows if every group is small.
    """
    large = table.filter(pl.col("n_shots") >= FEW_SHOTS)
    return (large if large.height else table).sort(column, descending=True).rows(named=True)


def percent(share: float | object) -> str:
    """A share in words, such as "47.1%"; "no data" when it is not defined."""
    value = share if isinstance(share, float) else float("nan")
    return "no data" if np.isnan(value) else f"{value:.1%}"


def listed(words: Sequence[str]) -> str:
    """Words, at least one, as an English list: "a", "a and b", "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def point_change(first: float, last: float, n_first: int, n_last: int) -> str:
    """How a share moved between two sets of shots, in percentage points.

    "rose by 1.2 points", "fell by ...", or that it did not change by more than chance alone would
    (two standard errors of the difference).
    """
    # Variances of independent rates add up.
    error = np.sqrt(first * (1 - first) / n_first + last * (1 - last) / n_last)
    change = last - first
    if abs(change) <= 2 * error:
        return "did not change by more than chance"
    return f"{'rose' if change > 0 else 'fell'} by {100 * abs(change):.1f} points"
