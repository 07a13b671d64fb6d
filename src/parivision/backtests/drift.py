"""What the monitor would have said, week by week, in a season that is over.

This is how its limits were set, and what supports them. The monitor is silent in a quiet season, in
which plain significance tests raise an alarm every week: with thousands of shots any difference is
significant. It raises an alarm when units or the meaning of action types change.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import polars as pl
from numpy.typing import ArrayLike

from parivision.drift import DriftSummary, build_reference, detect
from parivision.errors import DataError
from parivision.features import tables
from parivision.models.training import History, Recipe, train
from parivision.shots import court
from parivision.shots.split import time_split

Frame = Literal["hoop", "tenfold"]
Progress = Callable[[int, int], None]
PLAIN_LEVEL: Final = 0.05
_SCHEMA: Final = {
    "week": pl.Date(),
    "shots": pl.Int64(),
    "verdict": pl.String(),
    "drifted_columns": pl.String(),
    "closest": pl.String(),
    "severity": pl.Float64(),
    "plain_tests": pl.String(),
    "labels": pl.String(),
    "concept_columns": pl.String(),
    "log_loss": pl.Float64(),
    "promised_log_loss": pl.Float64(),
    "reference_log_loss": pl.Float64(),
}


def weekly_backtest(
    shots: pl.DataFrame,
    reference_seasons: Sequence[int],
    season: int,
    *,
    frame: Frame = "hoop",
    family: str | None = None,
    progress: Progress | None = None,
) -> pl.DataFrame:
    """One row for each week of `season`, judged against the shots of `reference_seasons`.

    `frame="tenfold"` feeds the season as the files of 2020 and 2021 hold it, unconverted. With
    `family` (as "lightgbm") a champion is trained on the reference seasons, its last 40 days of
    games being the later games, and answers every week as it is, never refreshed. `closest` is the
    column nearest to its threshold, `severity` how near (above 1: drift); `plain_tests` are the
    columns that a Kolmogorov-Smirnov (numbers) or chi-square test (categories) flags at 0.05.
    """
    past = tables.in_time_order(shots.filter(pl.col("season").is_in(list(reference_seasons))))
    weeks = _weeks(_in_frame(shots.filter(pl.col("season") == season), frame))
    if past.is_empty() or not weeks:
        raise DataError(
            f"no shots of the seasons {list(reference_seasons)} or of {season}; "
            f"there are {sorted(shots['season'].unique())}"
        )
    if family is None:
        reference, champion = build_reference(past), None
    else:
        training, later, champion = _champion(past, family)
        reference = build_reference(training, later, champion(later), champion=family)
    rows = []
    for done, (week, current) in enumerate(weeks, start=1):
        summary = detect(reference, current, None if champion is None else champion(current))
        rows.append(_row(week, summary))
        if progress is not None:
            progress(done, len(weeks))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def plainly_flagged(summary: DriftSummary) -> tuple[str, ...]:
    """The columns a plain test flags at 0.05, as a monitor without effect sizes would."""
    tests = {
        column.name: column.tests.get("kolmogorov_smirnov", column.tests.get("chi_square"))
        for column in summary.columns
    }
    return tuple(name for name, test in tests.items() if test and test.p_value < PLAIN_LEVEL)


def _weeks(season: pl.DataFrame) -> list[tuple[object, pl.DataFrame]]:
    ordered = tables.in_time_order(season)
    by_week = ordered.with_columns(pl.col("game_date").dt.truncate("1w").alias("_week"))
    parts = by_week.partition_by("_week", maintain_order=True)
    return [(part["_week"][0], part.drop("_week")) for part in parts]


def _in_frame(shots: pl.DataFrame, frame: Frame) -> pl.DataFrame:
    if frame == "hoop":
        return shots
    # The archive's files of 2020 and 2021 are ten times too small, turned, and count y from the
    # baseline.
    from_baseline = pl.col("y_ft") - court.BASELINE_Y_FT
    return shots.with_columns(x_ft=-pl.col("x_ft") / 10, y_ft=from_baseline / 10)


def _champion(
    past: pl.DataFrame, family: str
) -> tuple[pl.DataFrame, pl.DataFrame, Callable[[pl.DataFrame], ArrayLike]]:
    history = History.of(tables.facts_from_shots(past), tables.made_array(past))
    split = time_split(history.facts.day)
    bundle = train(history, split, Recipe(family))
    rows = split.later(history.facts.day)

    def champion(shots: pl.DataFrame) -> ArrayLike:
        # As it was trained: a refresh would follow the very drift that is looked for.
        return bundle.predict(tables.facts_from_shots(shots))

    return past[: rows.start], past[rows], champion


def _row(week: object, summary: DriftSummary) -> tuple[object, ...]:
    closest = max(summary.columns, key=lambda column: column.severity)
    performance = summary.performance
    return (
        week,
        summary.n_current,
        summary.verdict,
        ", ".join(summary.drifted_columns),
        closest.name,
        closest.severity,
        ", ".join(plainly_flagged(summary)),
        performance.verdict,
        ", ".join(performance.concept_columns),
        performance.log_loss,
        performance.promised_log_loss,
        performance.reference_log_loss,
    )
