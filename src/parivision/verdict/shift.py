"""How far the challenger's probabilities lie from the champion's on the same logged shots.

Effect sizes, never significance: an effect fails when it exceeds its limit by some standard errors.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from parivision.shots.facts import Floats, Ints
from parivision.shots.segments import SEGMENTS
from parivision.verdict.check import Cause, Check, CheckResult
from parivision.verdict.rules import Rules
from parivision.verdict.state import SCORED, State

SHIFT: Final = "prediction shift"
LEAST_SPREAD: Final = 0.01
"""A champion whose probabilities spread less than this says nothing itself."""
MIN_FOR_INDEX: Final = 1000
_QUANTILES: Final = (0.1, 0.5, 0.9)


@dataclass(frozen=True)
class _ScoredPredictions:
    """Means and spreads of both models over logged shots."""

    n: int
    p_champion: float
    p_challenger: float
    distance: float
    squared: float
    spread_champion: float
    spread_challenger: float

    @property
    def shift(self) -> float:
        """Of the mean probability."""
        return self.p_challenger - self.p_champion

    @property
    def correlation(self) -> float:
        """Of both models' probabilities; 0 when one of them never moves."""
        # By the variance of a difference: var(q - p) = var p + var q - 2 cov(p, q).
        spreads = self.spread_champion * self.spread_challenger
        variance = self.squared - self.shift**2
        both = (self.spread_champion**2 + self.spread_challenger**2 - variance) / 2
        return both / spreads if spreads > 0 else 0.0


def check_shift(state: State) -> Check:
    """Mean, mean absolute and relative spread of both models' answers, over all and by segment."""
    rules, sums = state.rules, state.scored()
    n = int(sums[0].sum())
    if n < rules.min_shift:
        missing = f"{n:,} of {rules.min_shift:,} logged shots scored by both models"
        return Check(SHIFT, CheckResult.NOT_YET, missing, {"shots": n})
    scored = _scored(state)
    index = stability_index(state.histograms())
    evidence = _evidence(scored, index, state.histograms())
    excess = _overall(scored, index, rules)
    if excess is not None and excess[1] is not None:
        return Check(SHIFT, CheckResult.FAIL, excess[0], evidence, excess[1])
    by_class = _largest_class(sums, rules)
    if by_class is not None:
        name, reason, is_fault = by_class
        if is_fault:
            cause = Cause.SEGMENT
            return Check(SHIFT, CheckResult.FAIL, reason, evidence, cause, segment=name)
        excess = excess or (reason, None)
    if excess is not None:
        return Check(SHIFT, CheckResult.NOT_YET, f"{excess[0]}; it may be chance", evidence)
    return Check(SHIFT, CheckResult.PASS, _text(scored), evidence)


def stability_index(histograms: Ints) -> float:
    """PSI of two histograms of equal totals, shape (2, bins), less what chance makes of it; >= 0.

    The population stability index is the sum of (a - b) log(a / b) over the bins' shares: the
    Kullback-Leibler divergence in both directions. Between two samples of one distribution it is
    about (1/n + 1/m) times a chi-square variable with bins - 1 degrees of freedom (Yurdakul and
    Naranjo 2020, "Statistical properties of the population stability index"), whose mean is
    taken off.
    """
    # Half a shot more in each bin: an empty one would make the logarithm infinite.
    filled = histograms[:, histograms.sum(0) > 0]
    shares = (filled + 0.5) / (filled + 0.5).sum(1, keepdims=True)
    index = float(((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum())
    chance = float((1 / np.maximum(histograms.sum(1), 1)).sum()) * (filled.shape[1] - 1)
    return index - chance if index > chance else 0.0


def correlation(state: State) -> float:
    """Of both models' probabilities on the logged shots; 0 when there are none."""
    return _scored(state).correlation if state.scored()[0].any() else 0.0


def _scored(state: State) -> _ScoredPredictions:
    sums, squares = state.scored().reshape(len(SCORED), -1).sum(1), state.squares()
    n = int(sums[0])
    p, q, distance, squared = (float(total) / n for total in sums[1:])
    spreads = [math.sqrt(max(s / n - m * m, 0.0)) for s, m in zip(squares, (p, q), strict=True)]
    return _ScoredPredictions(n, p, q, distance, squared, spreads[0], spreads[1])


def _overall(
    scored: _ScoredPredictions, index: float, rules: Rules
) -> tuple[str, Cause | None] | None:
    """What exceeds a limit over all shots, and why it fails; no cause when it may be chance."""
    # Without an allowance for chance: 200 shots tell a standard deviation to some 5 %, and the
    # limit is a quarter.
    is_narrow = scored.spread_challenger < rules.min_spread_ratio * scored.spread_champion
    if is_narrow and scored.spread_champion >= LEAST_SPREAD:
        return (
            f"no spread: the challenger answers about the mean, {scored.p_challenger:.3f} "
            f"+- {scored.spread_challenger:.4f} where the champion spreads by "
            f"{scored.spread_champion:.4f}"
        ), Cause.NO_SPREAD
    is_over, is_fault = _exceeds(abs(scored.shift), scored, rules.mean_shift, rules)
    if not is_fault:
        others = _exceeds(scored.distance, scored, rules.mean_absolute_shift, rules)
        is_over, is_fault = is_over or others[0], others[1]
    limit = rules.stability_index
    if not is_fault and limit is not None and index > limit:
        is_over, is_fault = True, scored.n >= MIN_FOR_INDEX
    if not is_over:
        return None
    if is_fault and scored.correlation >= rules.same_ranking:
        text = f"miscalibrated against the champion: the same ranking, but {_text(scored)}"
        return text, Cause.MISCALIBRATED
    text = f"{_text(scored)}, PSI {index:.2f}"
    return (f"shifted: {text}", Cause.SHIFTED) if is_fault else (text, None)


def _exceeds(
    effect: float, scored: _ScoredPredictions, limit: float, rules: Rules
) -> tuple[bool, bool]:
    # Variance as mean square less squared mean; rounding may put it a little below 0.
    error = math.sqrt(max(scored.squared - effect**2, 0.0) / scored.n)
    return effect > limit, effect - rules.shift_allowance * error > limit


def _largest_class(sums: Floats, rules: Rules) -> tuple[str, str, bool] | None:
    """The class with the largest mean shift beyond the limit; and whether it is beyond chance."""
    worst: tuple[float, str, str, bool] | None = None
    for axis, (segment, classes) in enumerate(SEGMENTS.items(), start=1):
        others = tuple(a for a in range(1, sums.ndim) if a != axis)
        n, p, q, _, squared = sums.sum(others)[:, 1:]
        shot = np.maximum(n, 1)
        shift = np.where(n >= rules.min_shift_segment, (q - p) / shot, 0.0)
        error = np.sqrt(np.maximum(squared / shot - shift**2, 0.0) / shot)
        largest = int(np.argmax(np.abs(shift)))
        size = abs(float(shift[largest]))
        if size <= rules.segment_mean_shift or (worst and worst[0] >= size):
            continue
        is_fault = size - rules.shift_allowance * float(error[largest]) > rules.segment_mean_shift
        name = f"{segment}: {classes[largest]}"
        reason = (
            f"shifted in {name}: the challenger says {q[largest] / n[largest]:.3f} on average, "
            f"the champion {p[largest] / n[largest]:.3f}, on {int(n[largest]):,} shots"
        )
        worst = size, name, reason, is_fault
    return worst and worst[1:]


def _text(scored: _ScoredPredictions) -> str:
    return (
        f"the challenger says {scored.p_challenger:.3f} on average, the champion "
        f"{scored.p_champion:.3f}; they lie {scored.distance:.3f} apart on a shot "
        f"(correlation {scored.correlation:.2f}, {scored.n:,} shots)"
    )


def _evidence(scored: _ScoredPredictions, index: float, histograms: Ints) -> dict[str, object]:
    names = ("champion", "challenger")
    return {
        "shots": scored.n,
        "mean_shift": scored.shift,
        "mean_absolute_shift": scored.distance,
        "spread_champion": scored.spread_champion,
        "spread_challenger": scored.spread_challenger,
        "correlation": scored.correlation,
        "stability_index": index,
        "quantiles": {
            name: [_quantile(counts, at) for at in _QUANTILES]
            for name, counts in zip(names, histograms, strict=True)
        },
    }


def _quantile(counts: Ints, at: float) -> float:
    """The upper edge of the bin that holds a quantile."""
    index = int(np.searchsorted(np.cumsum(counts), at * counts.sum()))
    return (index + 1) / len(counts)
