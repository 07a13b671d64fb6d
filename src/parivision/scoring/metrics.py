"""How good predicted probabilities are, as numbers: pure functions of predictions and outcomes.

`made` is 1 for a shot that went in and 0 for a miss; `p_made` is the probability that was
predicted for it. Both have one entry a shot, in the same order. Every function raises DataError
for empty, unequal, missing or impossible input: a score of broken numbers must not exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Final, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parivision.errors import DataError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
T = TypeVar("T")

PROBABILITY_FLOOR: Final = 1e-6
"""Log loss clips probabilities to [floor, 1 - floor]: one sure and wrong shot costs 13.8 nats."""
DECISION_THRESHOLD: Final = 0.5
"""A shot counts as predicted to go in from this probability on."""
CALIBRATION_BINS: Final = 15


@dataclass(frozen=True)
class Confusion:
    """Shots by what was predicted (at the decision threshold) and what happened."""

    true_made: int
    false_made: int
    false_missed: int
    true_missed: int

    @property
    def n_shots(self) -> int:
        """All shots counted."""
        return self.true_made + self.false_made + self.false_missed + self.true_missed

    @property
    def accuracy(self) -> float:
        """Share of shots predicted right."""
        return (self.true_made + self.true_missed) / self.n_shots

    @property
    def precision(self) -> float:
        """Share of the shots predicted to go in that did; 0 when none was predicted to."""
        return _ratio(self.true_made, self.true_made + self.false_made)

    @property
    def recall(self) -> float:
        """Share of the shots that went in which were predicted to; 0 when none went in."""
        return _ratio(self.true_made, self.true_made + self.false_missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 when nothing was predicted right to go in."""
        return _ratio(2 * self.true_made, 2 * self.true_made + self.false_made + self.false_missed)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def none_for_nan(values: Mapping[str, T]) -> dict[str, T | None]:
    """The same values with None in place of NaN: JSON knows no NaN."""
    return {k: None if isinstance(v, float) and isnan(v) else v for k, v in values.items()}


def check(made: ArrayLike, p_made: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Outcomes and probabilities as float arrays, or DataError with the first thing wrong."""
    y, p = np.asarray(made, np.float64), np.asarray(p_made, np.float64)
    if y.ndim != 1 or y.shape != p.shape:
        raise DataError(
            f"expected one probability for each shot, got {y.shape} outcomes and {p.shape} "
            "probabilities. Pass two flat arrays in the same order."
        )
    if y.size == 0:
        raise DataError("expected at least one shot to score, got none.")
    if not ((y == 0) | (y == 1)).all():
        raise DataError("expected outcomes of 0 or 1, got others. Drop the shots without outcome.")
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError(
            f"expected probabilities from 0 to 1, got {int((~((p >= 0) & (p <= 1))).sum())} others "
            "(or missing ones). Look at the model before looking at its scores."
        )
    return y, p


def shot_log_loss(made: ArrayLike, p_made: ArrayLike) -> FloatArray:
    """Log loss of each shot in nats, with probabilities clipped at PROBABILITY_FLOOR."""
    y, p = check(made, p_made)
    p_outcome = np.clip(np.where(y == 1, p, 1 - p), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    loss: FloatArray = -np.log(p_outcome)
    return loss


def log_loss(made: ArrayLike, p_made: ArrayLike) -> float:
    """Mean log loss in nats; 0.693 is a coin's."""
    return float(shot_log_loss(made, p_made).mean())


def brier(made: ArrayLike, p_made: ArrayLike) -> float:
    """Mean squared error of the probability (Brier 1950)."""
    y, p = check(made, p_made)
    return float(np.square(p - y).mean())


def calibration_bins(p_made: ArrayLike, bins: int = CALIBRATION_BINS) -> IntArray:
    """Bin of each shot, 0 to bins - 1, cut so that each holds about the same number of shots.

    Equal probabilities share a bin, so the order of the shots does not matter; a model that
    predicts few different values fills fewer bins.
    """
    p = np.asarray(p_made, np.float64)
    # Only the values at the cuts are needed, and `partition` finds them without sorting the rest.
    cuts = (np.arange(1, bins) * p.size) // bins
    edges = np.partition(p, cuts)[cuts] if p.size else p
    return np.searchsorted(edges, p, side="right").astype(np.int64)


def ece(made: ArrayLike, p_made: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: mean distance of predicted and real make rate over bins.

    As by Naeini, Cooper and Hauskrecht (2015), but with bins of equal mass (`calibration_bins`);
    each bin is weighted by its number of shots. Never 0 on real shots: `ece_noise` says what
    perfect calibration would show.
    """
    y, p = check(made, p_made)
    gaps = np.bincount(calibration_bins(p, bins), weights=y - p)
    return float(np.abs(gaps).sum() / y.size)


def ece_noise(p_made: ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """The expected calibration error that chance alone shows when the probabilities are true.

    Each bin's gap is then about normal with the variance sum p(1 - p), and the mean of the absolute
    value of such a gap is sqrt(2/pi) standard deviations. On 200,000 shots this is 0.003, on 2,000
    shots 0.03: an ECE near it is no fault of the model.
    """
    p = np.asarray(p_made, np.float64)
    variance = np.bincount(calibration_bins(p, bins), weights=p * (1 - p))
    return float(np.sqrt(2 / np.pi * variance).sum() / max(p.size, 1))


def placements(made: ArrayLike, p_made: ArrayLike) -> FloatArray:
    """For each shot the share of the shots of the other outcome which it is ranked right against.

    These are the structural components of DeLong, DeLong and Clarke-Pearson (1988). Ties count
    half. The mean over the makes, and the mean over the misses, is the ROC-AUC. NaN where all shots
    ended alike.
    """
    y, p = check(made, p_made)
    # Shots of one probability are one group, so that no pair of shots has to be looked at.
    _, group = np.unique(p, return_inverse=True)
    makes, misses = np.bincount(group, weights=y), np.bincount(group, weights=1 - y)
    misses_below = np.cumsum(misses) - misses / 2
    makes_above = y.sum() - np.cumsum(makes) + makes / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        of_makes = misses_below / (y.size - y.sum())
        of_misses = makes_above / y.sum()
    placed: FloatArray = np.where(y == 1, of_makes[group], of_misses[group])
    return placed


def roc_auc(made: ArrayLike, p_made: ArrayLike) -> float:
    """Chance that a make is ranked above a miss, ties counting half; NaN if all ended alike."""
    y, p = check(made, p_made)
    won = placements(y, p)[y == 1]
    return float(won.mean()) if won.size else float("nan")


def roc_curve(
    made: ArrayLike, p_made: ArrayLike, points: int = 200
) -> tuple[FloatArray, FloatArray]:
    """False and true positive rates from (0, 0) to (1, 1), thinned to about `points` thresholds.

    DataError if all shots ended alike: there is no curve then.
    """
    y, p = check(made, p_made)
    if y.min() == y.max():
        raise DataError("expected makes and misses for a ROC curve, got only one of them.")
    # The highest probabilities come first, as the threshold of the curve sinks from 1 to 0.
    levels, group = np.unique(-p, return_inverse=True)
    true = np.cumsum(np.bincount(group, weights=y)) / y.sum()
    false = np.cumsum(np.bincount(group, weights=1 - y)) / (y.size - y.sum())
    keep = np.unique(np.linspace(0, levels.size - 1, min(points, levels.size)).round().astype(int))
    return np.concatenate([[0.0], false[keep]]), np.concatenate([[0.0], true[keep]])


def confusion(
    made: ArrayLike, p_made: ArrayLike, threshold: float = DECISION_THRESHOLD
) -> Confusion:
    """Counts of shots by prediction (a make if p_made >= threshold) and outcome."""
    y, p = check(made, p_made)
    predicted, went_in = p >= threshold, y == 1
    return Confusion(
        true_made=int((predicted & went_in).sum()),
        false_made=int((predicted & ~went_in).sum()),
        false_missed=int((~predicted & went_in).sum()),
        true_missed=int((~predicted & ~went_in).sum()),
    )


def accuracy(made: ArrayLike, p_made: ArrayLike) -> float:
    """Share of shots predicted right at the decision threshold."""
    return confusion(made, p_made).accuracy


def precision(made: ArrayLike, p_made: ArrayLike) -> float:
    """Share of the shots predicted to go in that did; 0 when none was predicted to."""
    return confusion(made, p_made).precision


def recall(made: ArrayLike, p_made: ArrayLike) -> float:
    """Share of the shots that went in which were predicted to; 0 when none went in."""
    return confusion(made, p_made).recall


def f1(made: ArrayLike, p_made: ArrayLike) -> float:
    """Harmonic mean of precision and recall; 0 when nothing was predicted right to go in."""
    return confusion(made, p_made).f1
