"""Scores of a model on later games: as a whole, by segment, and as a reliability table.

The single numbers live in `parivision.scoring.metrics`, intervals and the paired test that
promotion stands on in `parivision.scoring.bootstrap`; both are reachable from here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from parivision.errors import DataError
from parivision.scoring import bootstrap, metrics
from parivision.scoring.bootstrap import (
    INTERVAL_SCORES,
    BootstrapInterval,
    Paired,
    game_codes,
    intervals,
    paired_by_game,
)
from parivision.scoring.metrics import (
    CALIBRATION_BINS,
    Confusion,
    accuracy,
    brier,
    confusion,
    ece,
    ece_noise,
    f1,
    log_loss,
    precision,
    recall,
    roc_auc,
    roc_curve,
)
from parivision.scoring.proportions import wilson
from parivision.shots import court
from parivision.shots.segments import (
    PERIOD,
    PLAYER_VOLUME,
    SEGMENTS,
    ZONE,
    period_codes,
    volume_codes,
)

__all__ = [
    "INTERVAL_SCORES",
    "BootstrapInterval",
    "Confusion",
    "Paired",
    "Scores",
    "accuracy",
    "brier",
    "by_segment",
    "compare",
    "confusion",
    "ece",
    "ece_noise",
    "f1",
    "intervals",
    "log_loss",
    "paired_by_game",
    "precision",
    "recall",
    "reliability",
    "roc_auc",
    "roc_curve",
    "scores",
    "scores_row",
    "segments_of",
    "volume_class",
    "wilson",
]


@dataclass(frozen=True)
class Scores:
    """How one model did on one set of shots. `n_games` is 0 when the games were not told.

    `ece_noise` is the ECE that a perfectly calibrated model would show on as few shots. `roc_auc`
    is NaN when all shots ended alike.
    """

    log_loss: float
    brier: float
    ece: float
    ece_noise: float
    roc_auc: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    made_rate: float
    mean_p_made: float
    n_shots: int
    n_games: int
    confusion: Confusion

    def to_dict(self) -> dict[str, float | int | None]:
        """Flat and plain, for JSON and run metrics; None where a score is not defined."""
        values = asdict(self)
        counts = values.pop("confusion")
        return metrics.none_for_nan(values | counts)


def scores(made: ArrayLike, p_made: ArrayLike, games: ArrayLike | None = None) -> Scores:
    """All scores of the predicted probabilities; DataError for missing or impossible numbers."""
    y, p = metrics.check(made, p_made)
    counts = confusion(y, p)
    return Scores(
        log_loss=log_loss(y, p),
        brier=brier(y, p),
        ece=ece(y, p),
        ece_noise=ece_noise(p),
        roc_auc=roc_auc(y, p),
        accuracy=counts.accuracy,
        precision=counts.precision,
        recall=counts.recall,
        f1=counts.f1,
        made_rate=float(y.mean()),
        mean_p_made=float(p.mean()),
        n_shots=int(y.size),
        n_games=0 if games is None else game_codes(games, y.size)[1],
        confusion=counts,
    )


def scores_row(
    made: ArrayLike,
    p_made: ArrayLike,
    games: ArrayLike | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> dict[str, float | int | None]:
    """Scores and their intervals as one flat row: `log_loss`, `log_loss_low`, `log_loss_high`, ...

    The ends are None without games, or with fewer than two.
    """
    row = scores(made, p_made, games).to_dict()
    if games is None:
        return row | dict.fromkeys(_END_NAMES)
    bounds = intervals(made, p_made, games, resamples=resamples, seed=seed)
    ends = [end for name in INTERVAL_SCORES for end in (bounds[name].low, bounds[name].high)]
    return row | metrics.none_for_nan(dict(zip(_END_NAMES, ends, strict=True)))


def compare(
    made: ArrayLike,
    p_made: Mapping[str, ArrayLike],
    games: ArrayLike | None = None,
    *,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> pl.DataFrame:
    """Several models on the same shots, best log loss first: model, then `scores_row`'s columns.

    All models are resampled with the same games.
    """
    rows = [
        {"model": name, **scores_row(made, p, games, resamples=resamples, seed=seed)}
        for name, p in p_made.items()
    ]
    return pl.DataFrame(rows, schema={"model": pl.String(), **_ROW_SCHEMA}).sort("log_loss")


def by_segment(
    made: ArrayLike,
    p_made: ArrayLike,
    segments: Mapping[str, ArrayLike | pl.Series],
    *,
    games: ArrayLike | None = None,
    resamples: int = bootstrap.RESAMPLES,
    seed: int = 0,
) -> pl.DataFrame:
    """The model's scores for each label of each segment, with intervals if the games are told.

    `segments` maps a name ("zone") to one label a shot; numbers come out in their order, a Polars
    Enum in its own, other labels by alphabet, and shots without label are left out. Columns:
    segment, label, then those of `scores_row`.
    """
    y, p = metrics.check(made, p_made)
    ids = None if games is None else np.asarray(games)
    rows: list[dict[str, float | int | str | None]] = []
    for name, labels in segments.items():
        column = labels if isinstance(labels, pl.Series) else pl.Series(np.asarray(labels))
        if len(column) != y.size:
            raise DataError(f"segment {name!r}: expected {y.size} labels, got {len(column)}.")
        for label in column.drop_nulls().unique().sort():
            inside = (column == label).fill_null(value=False).to_numpy()
            their_games = None if ids is None else ids[inside]
            row = scores_row(y[inside], p[inside], their_games, resamples=resamples, seed=seed)
            rows.append({"segment": name, "label": str(label), **row})
    return pl.DataFrame(rows, schema=_SEGMENT_SCHEMA)


_END_NAMES: Final = tuple(f"{name}_{end}" for name in INTERVAL_SCORES for end in ("low", "high"))
_COUNT_NAMES: Final = ("n_shots", "n_games", *Confusion.__dataclass_fields__)
_SCORE_NAMES: Final = tuple(
    name for name in Scores.__dataclass_fields__ if name not in (*_COUNT_NAMES, "confusion")
)
_ROW_SCHEMA: Final = {
    **dict.fromkeys(_SCORE_NAMES, pl.Float64()),
    **dict.fromkeys(_COUNT_NAMES, pl.Int64()),
    **dict.fromkeys(_END_NAMES, pl.Float64()),
}
_SEGMENT_SCHEMA: Final = {"segment": pl.String(), "label": pl.String(), **_ROW_SCHEMA}


def volume_class(attempts: ArrayLike) -> pl.Series:
    """How well a shot's player is known: classes of his earlier attempts, one number a shot."""
    return _labelled(volume_codes(attempts), PLAYER_VOLUME)


def segments_of(shots: pl.DataFrame, attempts: ArrayLike | None = None) -> dict[str, pl.Series]:
    """The segments every evaluation looks at: zone, period and, with `attempts`, player volume.

    `shots` needs x_ft, y_ft and period; `attempts` holds the attempts of each shot's player before
    the shot (or in the training data), one a shot.
    """
    zone = court.zone(shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy())
    found = {
        ZONE: _labelled(zone - 1, ZONE),
        PERIOD: _labelled(period_codes(shots["period"]), PERIOD),
    }
    if attempts is not None:
        found[PLAYER_VOLUME] = volume_class(attempts)
    return found


def _labelled(codes: metrics.IntArray, segment: str) -> pl.Series:
    names = SEGMENTS[segment]
    return pl.Series(names, dtype=pl.Enum(names)).gather(codes)


def reliability(made: ArrayLike, p_made: ArrayLike, bins: int = CALIBRATION_BINS) -> pl.DataFrame:
    """Predicted and real make rates in bins of equal mass, from low to high probability.

    Columns: mean_p_made, made_rate, low and high (95 % Wilson interval of the rate, which takes the
    shots for independent), n_shots. Empty bins are left out.
    """
    y, p = metrics.check(made, p_made)
    code = metrics.calibration_bins(p, bins)
    n = np.bincount(code, minlength=bins)
    filled = n > 0
    count = n[filled].astype(np.float64)
    rate = np.bincount(code, weights=y, minlength=bins)[filled] / count
    low, high = wilson(rate, count)
    return pl.DataFrame(
        {
            "mean_p_made": np.bincount(code, weights=p, minlength=bins)[filled] / count,
            "made_rate": rate,
            "low": low,
            "high": high,
            "n_shots": n[filled],
        }
    )
