"""Which of two models is farther from calibrated, and what recalibrating the challenger would mend.

Two bearings: the level (all probabilities too high or too low) and the slope (too sure or too
timid, about a make rate of 0.45). They are intercept and slope of Cox's recalibration (Cox 1958,
"Two further applications of a model for binary regression", Biometrika 45).
"""

import math
from typing import Final

import numpy as np

from parivision.shots.facts import Floats
from parivision.verdict.bounds import deviation
from parivision.verdict.check import Cause, Check, CheckResult
from parivision.verdict.rules import Rules
from parivision.verdict.state import BEARINGS, State

CALIBRATION: Final = "calibration"
# A limit only: on two numbers Newton's method is done after a handful of steps.
_FITS: Final = 25
# Beyond these log odds p is 0 or 1 to 13 digits; exp of much larger ones would overflow.
_FARTHEST: Final = 30.0


def check_calibration(state: State) -> Check:
    """Whether the challenger is farther from calibrated than the champion, in level or in slope.

    Both models are weighed alike, so the gap between their calibration errors is known without
    outcomes; which of them is farther off is the sign of gap times the residual of the two models'
    mean, a sum of martingale differences (a signed bet as of Arnold, Henzi and Ziegel 2023,
    "Sequentially valid tests for forecast calibration"). Fails when that sign is shown and the gap
    is shown to exceed its margin.
    """
    rules = state.rules
    sums = state.labelled().reshape(6, -1).sum(1)
    n = int(sums[0])
    if n < rules.min_labelled:
        text = f"{n:,} of {rules.min_labelled:,} labelled shots"
        return Check(CALIBRATION, CheckResult.NOT_YET, text, {"shots": n})
    made, p, q = (sums[3:] / n).tolist()
    evidence: dict[str, object] = {"shots": n, "made": made, "p_champion": p, "p_challenger": q}
    near = True
    # The residual is that of both models' mean, so the challenger's own error is residual + gap / 2
    # and the champion's residual - gap / 2. The challenger's is the larger one exactly if residual
    # and gap have the same sign.
    for name, (residual, variance, gap, gap_squared, weight) in zip(
        BEARINGS, state.bearings().tolist(), strict=True
    ):
        evidence |= {f"{name}_gap": gap / weight, f"{name}_residual": residual / weight}
        if _is_farther(residual, variance, gap, gap_squared, weight, rules):
            reason = _miscalibration(name, residual, made, p, q)
            return _failed_calibration(state, reason, evidence)
        # The second way lets a challenger pass that is far better calibrated than the champion.
        is_alike = abs(gap) <= rules.calibration_margin * weight
        near = near and (is_alike or _is_near(residual + gap / 2, variance, weight, rules))
    text = f"{made:.3f} went in, the challenger said {q:.3f}, the champion {p:.3f} ({n:,} shots)"
    if near:
        return Check(CALIBRATION, CheckResult.PASS, text, evidence)
    missing = "which model is better calibrated is not known yet"
    return Check(CALIBRATION, CheckResult.NOT_YET, f"{text}; {missing}", evidence)


def _is_farther(
    residual: float,
    variance: float,
    gap: float,
    gap_squared: float,
    weight: float,
    rules: Rules,
) -> bool:
    """Whether the challenger is shown to be farther from calibrated, by more than the margin.

    Each bearing has two sides, each with a quarter of alpha. The gap is bounded by an asymptotic
    confidence sequence, in which its sum of squares stands for the variance (Waudby-Smith, Arbour,
    Sinha, Kennedy and Ramdas 2024, "Time-uniform central limit theory and asymptotic confidence
    sequences", Annals of Statistics 52(6)).
    """
    alpha = rules.alphas.calibration / 4
    if math.copysign(1, gap) * residual <= deviation(variance, alpha, rules.calibration_scales):
        return False
    least = abs(gap) - deviation(gap_squared, alpha, rules.pass_scales)
    return least > rules.calibration_margin * weight


def _is_near(error: float, variance: float, weight: float, rules: Rules) -> bool:
    """Whether the challenger's own calibration error is shown to be within its bound."""
    reach = deviation(variance, rules.alpha_pass / 4, rules.calibration_scales)
    return abs(error) + reach <= rules.calibration_bound * weight


def _miscalibration(bearing: str, residual: float, made: float, p: float, q: float) -> str:
    if bearing == "level":
        return (
            f"miscalibrated: the challenger says {q:.3f} on average where {made:.3f} went in, "
            f"the champion {p:.3f}"
        )
    way = "too sure" if residual < 0 else "too timid"
    return f"miscalibrated: the challenger's probabilities are {way}, more so than the champion's"


def _failed_calibration(state: State, reason: str, evidence: dict[str, object]) -> Check:
    part = mended_part(state)
    evidence["mended_by_recalibration"] = part
    cause = Cause.MISCALIBRATED if part >= state.rules.explained else Cause.CALIBRATION
    return Check(CALIBRATION, CheckResult.FAIL, reason, evidence, cause)


def mended_part(state: State) -> float:
    """Part of the loss against the champion that recalibration would mend; inf of no loss."""
    loss = float(state.labelled()[1].sum())
    return _mended(state.reliability()) / loss if loss > 0 else math.inf


def _mended(reliability: Floats) -> float:
    """Log loss in all that level and slope, fitted to the challenger's log odds, would save.

    A logistic regression of the outcomes on the log odds, by Newton's method, on one point for each
    bin of the probability: `reliability` has shape (3, bins).
    """
    n, made, odds = reliability[:, reliability[0] > 0]
    design = np.stack([np.ones_like(odds), odds / n])
    before = _loss(design[1], n, made)
    weights = np.array([0.0, 1.0])
    for _ in range(_FITS):
        # Newton's steps may overshoot where there are few shots.
        p = 1 / (1 + np.exp(-np.clip(weights @ design, -_FARTHEST, _FARTHEST)))
        # The small ridge keeps it invertible when all shots lie in one bin.
        curvature = (design * (n * p * (1 - p))) @ design.T + 1e-6 * np.eye(2)
        weights += np.linalg.solve(curvature, design @ (made - n * p))
    return before - _loss(weights @ design, n, made)


def _loss(odds: Floats, n: Floats, made: Floats) -> float:
    return float((n * np.logaddexp(0, odds) - made * odds).sum())
