"""What would have been estimated, week by week, in seasons whose outcomes are known.

Before a season the champion knows the seasons before it, and form and recalibration follow every
night, as in production. Each week's log loss and ROC-AUC are estimated from the probabilities
alone. Then they are compared with the real ones, and the difference sets how wide the intervals of
later weeks are: no week's interval knows its own outcomes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from parivision.drift import build_reference, detect
from parivision.errors import DataError
from parivision.features import tables
from parivision.models.bundle import CARD, Bundle
from parivision.models.training import History, Recipe, train
from parivision.scoring import estimated, metrics
from parivision.scoring.estimated import Estimate, Surprise
from parivision.shots.facts import Floats
from parivision.shots.split import time_split

Progress = Callable[[int, int], None]
MIN_WEEK: Final = 1000
"""A week of fewer shots is the break of the stars' game: it is joined to the next one."""
FAMILY: Final = "lightgbm"


@dataclass(frozen=True)
class Week:
    """One week: the estimates, what came, and whether the labels moved given the features.

    `labels` is the drift report's word on the outcomes: quiet, drift or no data.
    """

    season: int
    week: str
    log_loss: Estimate
    real_log_loss: float
    roc_auc: Estimate
    real_roc_auc: float
    labels: str


def by_week(
    shots: pl.DataFrame,
    seasons: Sequence[int],
    *,
    seed: int = 0,
    keep: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Week]:
    """The weeks of `seasons`, in their order; `shots` are canonical and hold earlier seasons too.

    Models found in the folder `keep` are not trained again. Raises DataError for a season that is
    not there, or before which there is none.
    """
    if not seasons:
        raise DataError("no season to estimate: give some that the source has")
    shots = tables.in_time_order(shots)
    season_of = shots["season"].to_numpy()
    first = int(season_of[0]) if len(season_of) else None
    for season in seasons:
        if season == first or season not in season_of:
            raise DataError(
                f"no season before {season}, or not {season} itself: there are "
                f"{sorted(set(season_of.tolist()))}"
            )
    history = History.of(tables.facts_from_shots(shots), tables.made_array(shots))
    losses, areas = estimated.LOG_LOSS, estimated.ROC_AUC
    for done, season in enumerate(sorted(seasons), start=1):
        past = slice(0, int(np.searchsorted(season_of, season, "left")))
        rows = slice(past.stop, int(np.searchsorted(season_of, season, "right")))
        champion, labels_of = _champion(shots, history, past, seed, keep and keep / str(season))
        p_made = _followed(champion, history, rows)
        for start, stop in _weeks(shots[rows]):
            week = _week(shots[rows][start:stop], p_made[start:stop], losses, areas, labels_of)
            # Only now, so that no week's interval knows its own outcomes.
            losses = losses.after(week.log_loss, week.real_log_loss)
            areas = areas.after(week.roc_auc, week.real_roc_auc)
            yield week
        if progress is not None:
            progress(done, len(seasons))


LabelsOf = Callable[[pl.DataFrame, Floats], str]


def _champion(
    shots: pl.DataFrame, history: History, past: slice, seed: int, kept: Path | None
) -> tuple[Bundle, LabelsOf]:
    """The champion on the eve of the season, and what tells of its labels."""
    then = history.upto(past.stop)
    split = time_split(then.facts.day)
    if kept is not None and (kept / CARD).is_file():
        bundle = Bundle.load(kept)
    else:
        bundle = train(then, split, Recipe(FAMILY, seed=seed))
        if kept is not None:
            bundle.save(kept)
    later = split.later(then.facts.day)
    # The bundle as it was trained, not refreshed: later games that it knows would flatter it.
    reference = build_reference(
        shots[: later.start],
        shots[later],
        bundle.predict(then.facts.take(later)),
        champion=FAMILY,
    )

    def labels_of(week: pl.DataFrame, p_made: Floats) -> str:
        return detect(reference, week, p_made).performance.verdict

    return bundle.refreshed(then.facts, then.made), labels_of


def _followed(champion: Bundle, history: History, rows: slice) -> Floats:
    features = history.features.take(rows)
    return champion.copy().follow(history.facts.take(rows), history.made[rows], features)


def _weeks(season: pl.DataFrame) -> Iterator[tuple[int, int]]:
    """Rows at which each calendar week begins and ends.

    A week of too few shots is joined to the next one, at the season's end to the one before.
    """
    weeks = season["game_date"].dt.truncate("1w").to_numpy()
    starts = np.flatnonzero(np.r_[True, weeks[1:] != weeks[:-1]])
    kept = [0]
    # A week begins only if enough shots lie before it and are left for it and what follows.
    for start in starts[1:]:
        if start - kept[-1] >= MIN_WEEK and len(weeks) - start >= MIN_WEEK:
            kept.append(int(start))
    return iter(zip(kept, [*kept[1:], len(weeks)], strict=True))


def _week(
    shots: pl.DataFrame, p_made: Floats, losses: Surprise, areas: Surprise, labels_of: LabelsOf
) -> Week:
    made = tables.made_array(shots)
    return Week(
        season=int(shots["season"][0]),
        week=str(shots["game_date"][0]),
        log_loss=estimated.log_loss(p_made, losses),
        real_log_loss=metrics.log_loss(made, p_made),
        roc_auc=estimated.roc_auc(p_made, areas),
        real_roc_auc=metrics.roc_auc(made, p_made),
        labels=labels_of(shots, p_made),
    )


def to_frame(weeks: Sequence[Week]) -> pl.DataFrame:
    """A row for each week."""
    return pl.DataFrame(
        [
            {
                "season": week.season,
                "week": week.week,
                "shots": week.log_loss.n_shots,
                "log_loss": week.real_log_loss,
                "estimated": week.log_loss.value,
                "low": week.log_loss.low,
                "high": week.log_loss.high,
                "inside": week.log_loss.holds(week.real_log_loss),
                "roc_auc": week.real_roc_auc,
                "estimated_roc_auc": week.roc_auc.value,
                "roc_auc_low": week.roc_auc.low,
                "roc_auc_high": week.roc_auc.high,
                "roc_auc_inside": week.roc_auc.holds(week.real_roc_auc),
                "labels": week.labels,
            }
            for week in weeks
        ]
    )


def by_season(table: pl.DataFrame) -> pl.DataFrame:
    """Of `to_frame`: by season the weeks, those inside, those whose labels moved, and widths.

    `spread` is the standard deviation of the real log loss from week to week, which an estimate
    that knows nothing of the week would have to bear.
    """
    quiet = pl.col("labels") != "drift"
    return (
        table.group_by("season", maintain_order=True)
        .agg(
            weeks=pl.len(),
            inside=pl.col("inside").sum(),
            moved=(~quiet).sum(),
            quiet_inside=(pl.col("inside") & quiet).sum(),
            roc_auc_inside=pl.col("roc_auc_inside").sum(),
            width=(pl.col("high") - pl.col("low")).mean(),
            mean_difference=(pl.col("log_loss") - pl.col("estimated")).mean(),
            spread=pl.col("log_loss").std(),
        )
        .with_columns(quiet=pl.col("weeks") - pl.col("moved"))
    )
