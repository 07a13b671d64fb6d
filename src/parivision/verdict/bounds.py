"""The mathematics of looking at any time: mixtures of supermartingales and their bounds.

An e-process is at most 1 in expectation under its null hypothesis whenever one stops. So by Ville's
inequality (Ville 1939) it ever reaches 1/alpha with a probability of at most alpha: a test that may
be looked at all the time. The idea behind each one here is a bet against the null hypothesis: who
bets at fair odds does not get rich, so a capital of 1/alpha speaks against the hypothesis (Shafer
2021, "Testing by betting", Journal of the Royal Statistical Society A 184(2); a survey: Ramdas,
Gruenwald, Vovk and Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference",
Statistical Science 38(4)). How much to bet is not known beforehand, so the capital is spread over
many bets: the mean of e-processes is an e-process. That is what "mixture" means below.

All quantities here are functions of sums, so a verdict does not depend on how the evidence was cut
into batches.

Sources: the one-sided normal mixture is that of Howard, Ramdas, McAuliffe and Sekhon (2021),
"Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of Statistics 49(2), after
Robbins (1970); its use on score differences of two forecasters is that of Choe and Ramdas (2024),
"Comparing sequential forecasters", Operations Research 72(4). Mixtures of likelihood ratios of
counts: Lindon and Malek (2022), "Anytime-valid inference for multinomial count data". Many
hypotheses: Wang and Ramdas (2022), "False discovery rate control with e-values". The start that
is not known: Shin, Ramdas and Rinaldo (2024), "E-detectors".
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from parivision.shots.facts import Floats

# Limits of Newton's method. From above, on a convex function, it never steps past the root, and
# near the root each step about doubles the digits that are right.
_STEPS: Final = 60
_CLOSE: Final = 1e-10
_FAR_LEFT: Final = -8.0
"""Below it math.erfc is near its smallest number, and the tail's expansion is exact enough."""


def log_e_above(
    total: float, variance: float, scales: Sequence[float], centre: float = 0.0
) -> float:
    """Log of the e-process against "the sum's conditional means are at most 0, added up".

    `total` is a sum whose deviation from its conditional means is sub-Gaussian with the variance
    process `variance` >= 0. It is the mixture of exp(lambda total - lambda^2 variance / 2) over
    lambda > 0 by normal densities about `centre` >= 0, cut off at 0, whose precisions are the
    `scales` (in units of variance), with equal weights. Without a centre they are half-normal and
    tightest at a variance of about ten times a scale.
    """
    return log_mean([_log_mixture(total, variance, scale, centre) for scale in scales])


def deviation(variance: float, alpha: float, scales: Sequence[float], centre: float = 0.0) -> float:
    """How far the sum exceeds its conditional means at any time, but for a probability alpha.

    The root of `log_e_above(x, variance, scales, centre) = log(1 / alpha)`, by Newton's method
    from above, since the logarithm is convex in x.
    """
    target = math.log(1 / alpha)
    # The mean of k e-processes reaches 1 / alpha at the latest when one of them reaches k / alpha.
    far = target + math.log(len(scales))
    at = min(_beyond(variance, far, scale, centre) for scale in scales)
    for _ in range(_STEPS):
        value, slope = _value_and_slope(at, variance, scales, centre)
        step = (value - target) / slope
        at -= step
        if abs(step) <= _CLOSE * at:
            break
    return at


def log_odds_ratios(share: float, odds: Sequence[float]) -> tuple[list[float], list[float]]:
    """Log likelihood ratios of one event that may fall on either of two sides.

    Under the null it falls on the first with the probability `share`; under each alternative the
    odds are multiplied by one of `odds`. Gives the logs for an event on the first and on the
    second side, each with an entry for each alternative. `share` must lie inside (0, 1).
    """
    others = [share * k / (share * k + 1 - share) for k in odds]
    return (
        [math.log(other / share) for other in others],
        [math.log((1 - other) / (1 - share)) for other in others],
    )


def log_mean(logs: Sequence[float]) -> float:
    """Log of the mean of e-values given by their logs: the mean of e-processes is one too."""
    top = max(logs)
    if not math.isfinite(top):
        return top
    # The largest is taken out first: exp of a large log would overflow.
    return top + math.log(sum(math.exp(log - top) for log in logs) / len(logs))


def rejected(log_e: Floats, alpha: float) -> list[int]:
    """The hypotheses that e-BH rejects, largest e-value first; `log_e` has shape (k,).

    If all k hypotheses are true, the chance to ever reject one is at most alpha: when the j-th
    largest is at least k / (j alpha), the mean of all is at least 1 / alpha, and it is an
    e-process.
    """
    # e-BH: find the largest j such that the j-th largest e-value is at least k / (j alpha), and
    # reject the j hypotheses with the largest e-values. It needs no assumption on dependence.
    order = np.argsort(-log_e, kind="stable")
    ranks = np.arange(1, len(log_e) + 1)
    passing = np.flatnonzero(log_e[order] >= np.log(len(log_e) / (ranks * alpha)))
    return order[: passing[-1] + 1].tolist() if len(passing) else []


def detector_step(log_e: float, step: int, log_ratio: float) -> float:
    """One step of a mixture of e-processes that began at step 1, 2, 3...: the start is not known.

    The one that begins at step k has the weight 1 / (k (k + 1)); `log_ratio` is the log likelihood
    ratio of this step. Begin with `log_e` = -inf at `step` = 1.

    The weights add up to 1, so the mixture is an e-process. A good time before a fault costs it no
    more than the logarithm of the weight, where one e-process over all steps would have to win back
    all that it lost.
    """
    return log_ratio + float(np.logaddexp(log_e, -math.log(step * (step + 1))))


def _log_mixture(total: float, variance: float, scale: float, centre: float) -> float:
    """Log of the integral of exp(lambda total - lambda^2 variance / 2) over the mixing density.

    Both are exponentials of a quadratic in lambda. So their product is a normal density with the
    precision `spread`, cut off at 0, and its integral is known in closed form.
    """
    spread = variance + scale
    z = (total + scale * centre) / math.sqrt(spread)
    return 0.5 * math.log(scale / spread) + z * z / 2 + _log_two_phi(z) - _log_whole(scale, centre)


def _log_whole(scale: float, centre: float) -> float:
    """What the cut-off density is divided by, and its exponent at lambda = 0."""
    return scale * centre * centre / 2 + _log_two_phi(centre * math.sqrt(scale))


def _log_two_phi(z: float) -> float:
    """Log of twice the normal distribution function."""
    if z > _FAR_LEFT:
        return math.log(math.erfc(-z / math.sqrt(2)))
    # The first term of the tail's expansion: Phi(z) is about phi(z) / -z far to the left.
    return -z * z / 2 - math.log(-z) + 0.5 * math.log(2 / math.pi)


def _beyond(variance: float, target: float, scale: float, centre: float) -> float:
    """A bound that is never below the root for one scale: twice Phi is taken for 1."""
    spread = variance + scale
    z = math.sqrt(2 * (target + 0.5 * math.log(spread / scale) + _log_whole(scale, centre)))
    return z * math.sqrt(spread) - scale * centre


def _value_and_slope(
    total: float, variance: float, scales: Sequence[float], centre: float
) -> tuple[float, float]:
    """`log_e_above` and its derivative in `total`, for `total` >= 0."""
    logs, slopes = [], []
    for scale in scales:
        root = math.sqrt(variance + scale)
        z = (total + scale * centre) / root
        logs.append(_log_mixture(total, variance, scale, centre))
        # The derivative of `_log_two_phi`: normal density over distribution function.
        hazard = math.sqrt(2 / math.pi) * math.exp(-z * z / 2) / math.erfc(-z / math.sqrt(2))
        slopes.append((z + hazard) / root)
    top = max(logs)
    weights = [math.exp(log - top) for log in logs]
    whole = sum(weights)
    slope = sum(w * s for w, s in zip(weights, slopes, strict=True)) / whole
    return top + math.log(whole / len(logs)), slope
