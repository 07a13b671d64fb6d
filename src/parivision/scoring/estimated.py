"""How well a model does, estimated from its probabilities alone while outcomes are not known.

If the probabilities hold, every shot goes in by chance p: the log loss and the ROC-AUC that
outcomes will show are then random numbers whose mean and spread follow from the probabilities. This
is confidence-based performance estimation, as NannyML describes it. They do not hold quite: from
week to week a champion is off a little more than chance. How much, past weeks with outcomes tell
(`Surprise`), and the interval is wider by it.

It sees shots that became harder or easier to tell. It cannot see that the same shots go in more or
less often than they used to: for that there is no way around outcomes (`drift.performance`).
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parivision.errors import ModelError
from parivision.shots.facts import Floats

LEVEL: Final = 0.95
MIN_SHOTS: Final = 300
"""With fewer the real values are too far from normally distributed, and the interval too wide."""
# As `metrics.PROBABILITY_FLOOR`: what is estimated is the log loss that is clipped there.
_EDGE: Final = 1e-6


@dataclass(frozen=True)
class Surprise:
    """How much real values differed from estimates beyond chance, in `windows` past windows.

    `beyond` is the sum over the windows of the squared difference less its variance by chance.
    Before anything is known `prior` is taken for the standard deviation, with the weight of
    `prior_windows` windows.
    """

    prior: float
    prior_windows: int = 4
    windows: int = 0
    beyond: float = 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of real values about estimates, beyond chance."""
        total = self.prior_windows * self.prior**2 + self.beyond
        return float(np.sqrt(max(total / (self.prior_windows + self.windows), 0.0)))

    def after(self, estimate: "Estimate", real: float) -> "Surprise":
        """What is known once the outcomes of a window have come.

        A window whose real value is not defined, as the ROC-AUC of makes only, tells nothing.
        """
        if not np.isfinite(real):
            return self
        # Variances of independent parts add up, so chance's own is subtracted. One window may well
        # give less than 0; only the mean over windows is kept at 0 or more.
        beyond = (real - estimate.value) ** 2 - estimate.by_chance**2
        return Surprise(self.prior, self.prior_windows, self.windows + 1, self.beyond + beyond)


LOG_LOSS: Final = Surprise(prior=0.003)
"""Nats a shot: what weeks of 2004 to 2017 showed (`parivision backtest estimated`)."""
ROC_AUC: Final = Surprise(prior=0.004)


@dataclass(frozen=True)
class Estimate:
    """An expected value, its standard deviations by chance and beyond, and of how many shots."""

    value: float
    by_chance: float
    beyond: float
    n_shots: int

    @property
    def low(self) -> float:
        """Lower end of the interval that the real value lies in with probability `LEVEL`."""
        return self.value - self._half

    @property
    def high(self) -> float:
        """Its upper end."""
        return self.value + self._half

    def holds(self, real: float) -> bool:
        """Whether the real value lies in the interval."""
        return self.low <= real <= self.high

    @property
    def _half(self) -> float:
        z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
        return z * float(np.hypot(self.by_chance, self.beyond))


def log_loss(p_made: ArrayLike, surprise: Surprise = LOG_LOSS) -> Estimate:
    """The log loss (nats a shot) that the outcomes of these shots will show.

    `p_made` has shape (n,); raises ModelError for what is no probability and for fewer than
    `MIN_SHOTS`.
    """
    p = _checked(p_made)
    made, missed = -np.log(p), -np.log1p(-p)
    # A shot's loss takes one of two values, by chance p and 1 - p: so mean and variance are exact.
    expected = p * made + (1 - p) * missed
    variance = p * (1 - p) * (made - missed) ** 2
    by_chance = float(np.sqrt(variance.sum())) / len(p)
    return Estimate(float(expected.mean()), by_chance, surprise.spread, len(p))


def roc_auc(p_made: ArrayLike, surprise: Surprise = ROC_AUC) -> Estimate:
    """The ROC-AUC that the outcomes of these shots will show; see `log_loss`.

    Expected pairs of a made and a missed shot in the right order, of all such pairs; the spread is
    that of its linear part in the outcomes (the delta method). O(n log n).
    """
    p = np.sort(_checked(p_made))
    # Shots first[i] to last[i] - 1 have the probability of shot i: ties, which count half.
    first, last = np.searchsorted(p, p, "left"), np.searchsorted(p, p, "right")
    # A shot and itself are no pair.
    missed_below = _summed(1 - p, first) + (_between(1 - p, first, last) - (1 - p)) / 2
    made_above = p.sum() - _summed(p, last) + (_between(p, first, last) - p) / 2
    pairs = p.sum() * (1 - p).sum() - (p * (1 - p)).sum()
    value = float((p * missed_below).sum() / pairs)
    # How pairs and right pairs change if a shot that was missed had gone in.
    more_pairs = ((1 - p).sum() - (1 - p)) - (p.sum() - p)
    slope = (missed_below - made_above - value * more_pairs) / pairs
    by_chance = float(np.sqrt((p * (1 - p) * slope**2).sum()))
    return Estimate(value, by_chance, surprise.spread, len(p))


def _summed(values: Floats, upto: NDArray[np.intp]) -> Floats:
    """For each index of `upto` the sum of the values before it."""
    return np.concatenate([[0.0], np.cumsum(values)])[upto]


def _between(values: Floats, first: NDArray[np.intp], last: NDArray[np.intp]) -> Floats:
    """For each pair of indices the sum of the values from `first` to before `last`."""
    return _summed(values, last) - _summed(values, first)


def _checked(p_made: ArrayLike) -> Floats:
    p = np.asarray(p_made, np.float64)
    if p.ndim != 1 or len(p) < MIN_SHOTS:
        raise ModelError(f"expected {MIN_SHOTS} shots or more, got an array of shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        raise ModelError("expected probabilities from 0 to 1; pass p_made, not scores or logits")
    return np.clip(p, _EDGE, 1 - _EDGE)
