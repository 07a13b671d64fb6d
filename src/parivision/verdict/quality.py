"""Is the challenger worse on shots whose end is known, in all or in a segment?

The null hypothesis of the tests on the log loss: on the shots seen so far, averaged over how each
could have ended given what was known before it, the challenger's expected log loss is not above the
champion's. Shots may depend on each other and the models' difference may drift: the hypothesis is
about the running average of conditional means (the "weak" null of Choe and Ramdas 2024).

Given both probabilities p and q, a shot's difference of log loss is one of two numbers that lie
|logit p - logit q| apart. So it is sub-Gaussian with a quarter of that squared (Hoeffding 1963,
"Probability inequalities for sums of bounded random variables", JASA 58): for make rates from 0.3
to 0.7 hardly more than its variance. Identical models have a variance of 0.

What is asked is non-inferiority within a margin, and the bounds are a confidence sequence: an
interval that holds at all sample sizes at once. The bound is not that of betting on bounded means
(Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B
86(1)): such a bet depends on the order of the shots, and sums do not.
"""

import math
from typing import Final

import numpy as np

from parivision.shots.facts import Floats
from parivision.shots.segments import SEGMENTS
from parivision.verdict.bounds import deviation, log_e_above, rejected
from parivision.verdict.calibration import mended_part
from parivision.verdict.check import Cause, Check, CheckResult
from parivision.verdict.rules import Rules
from parivision.verdict.shift import correlation
from parivision.verdict.state import State

QUALITY: Final = "quality"
SEGMENT_QUALITY: Final = "segments"


def loss_bounds(state: State) -> tuple[int, float, float, float]:
    """Labelled shots, mean difference of log loss, and its bounds at any time.

    The lower bound holds with 1 - alphas.quality, the upper one with 1 - alpha_pass. NaN without
    shots.
    """
    rules = state.rules
    n, total, variance = state.labelled()[:3].reshape(3, -1).sum(1).tolist()
    if not n:
        return 0, math.nan, math.nan, math.nan
    low = total - deviation(variance, rules.alphas.quality, rules.fail_scales, rules.fail_bet)
    high = total + deviation(variance, rules.alpha_pass, rules.pass_scales)
    return int(n), total / n, low / n, high / n


def check_quality(state: State) -> Check:
    """Paired difference of log loss: non-inferior within the margin, worse, or not known yet.

    Fails when the challenger is shown to be worse and may be worse by more than the margin.
    """
    rules = state.rules
    n, mean, low, high = loss_bounds(state)
    if not n:
        return Check(QUALITY, CheckResult.NOT_YET, "no labelled shots", {"shots": 0})
    needed = _shots_needed(n, mean, high, state)
    evidence: dict[str, object] = {
        "shots": n,
        "difference": mean,
        "low": low,
        "high": high,
        "margin": rules.margin,
        "alpha": rules.alphas.quality,
        "alpha_pass": rules.alpha_pass,
        "shots_needed": needed,
    }
    text = (
        f"log loss {mean:+.4f} against the champion's on {n:,} labelled shots "
        f"({low:+.4f} to {high:+.4f})"
    )
    # Shown to be worse, and shown to be so by less than the margin (low > 0, high < margin), is a
    # pass: that is what the margin is for.
    if low > 0 and high >= rules.margin:
        return _worse(state, text, evidence)
    if n >= rules.min_labelled and high < rules.margin:
        return Check(QUALITY, CheckResult.PASS, f"{text}, below +{rules.margin:g}", evidence)
    missing = f"{n:,} of about {needed:,} labelled shots"
    return Check(QUALITY, CheckResult.NOT_YET, f"{missing}; {text}", evidence)


def _worse(state: State, text: str, evidence: dict[str, object]) -> Check:
    """A failure, told apart by what would mend it and by where the loss lies."""
    part = evidence["mended_by_recalibration"] = mended_part(state)
    is_ranked_alike = correlation(state) >= state.rules.same_ranking
    if part >= state.rules.explained and is_ranked_alike:
        reason = f"miscalibrated: {text}; to recalibrate it would mend {min(part, 1):.0%} of that"
        return Check(QUALITY, CheckResult.FAIL, reason, evidence, Cause.MISCALIBRATED)
    concentrated = _concentrated(state)
    if concentrated is not None:
        name, where = concentrated
        reason = f"worse in {name}: {where}; over all shots {text}"
        return Check(QUALITY, CheckResult.FAIL, reason, evidence, Cause.SEGMENT, name)
    return Check(QUALITY, CheckResult.FAIL, f"worse: {text}", evidence, Cause.WORSE)


def _shots_needed(n: int, mean: float, high: float, state: State) -> int:
    """About how many shots a pass takes if the challenger is as good as it seems, or equal."""
    rules = state.rules
    room = rules.margin - min(mean, 0.0)
    width = (high - mean) * n
    variance = float(state.labelled()[2].sum())
    # The sum's bound is at first a constant, since the mixture's own scale is larger than the
    # variance; then it grows with the square root of n.
    if variance < min(rules.pass_scales):
        return max(rules.min_labelled, math.ceil(width / room))
    return max(rules.min_labelled, math.ceil((width / room) ** 2 / n))


def shots_to_pass(variance: float, difference: float, rules: Rules) -> int | None:
    """Labelled shots after which the quality check passes, if all goes as expected.

    `variance` is a shot's (a quarter of the mean squared gap of both models' log odds, about the
    variance of the difference of log loss) and `difference` the challenger's mean loss minus the
    champion's. None if it never passes.
    """
    if difference >= rules.margin:
        return None
    # By halving: the room grows with n, the bound with its square root only.
    low, high = rules.min_labelled, 2**40
    while low < high:
        n = (low + high) // 2
        room = (rules.margin - difference) * n
        is_enough = deviation(variance * n, rules.alpha_pass, rules.pass_scales) < room
        low, high = (low, n) if is_enough else (n + 1, high)
    return low


def check_segments(state: State) -> Check:
    """Log loss in every class of zone, period and player volume, held to one alpha by e-BH.

    A class also needs some shots and a difference above the margin to fail.
    """
    rules = state.rules
    sums = state.labelled()
    names, by_class = _by_class(sums)
    log_e = np.array(
        [
            log_e_above(loss, variance, rules.fail_scales, rules.fail_bet)
            for _, loss, variance in by_class[:, :3].tolist()
        ]
    )
    # e-BH holds alpha on its own. The two further conditions only take rejections away: a class
    # that is worse by next to nothing is no reason to roll back.
    worst = [
        index
        for index in rejected(log_e, rules.alphas.segments)
        if by_class[index, 0] >= rules.min_segment
        and by_class[index, 1] > rules.margin * by_class[index, 0]
    ]
    judged = int((by_class[:, 0] >= rules.min_segment).sum())
    evidence: dict[str, object] = {
        "classes": len(names),
        "judged": judged,
        "worse": {
            names[i]: {"shots": int(by_class[i, 0]), "difference": by_class[i, 1] / by_class[i, 0]}
            for i in worst
        },
    }
    if worst:
        first = worst[0]
        reason = f"worse in {names[first]}: {_text(by_class[first])}"
        is_all = _holds_most(by_class[first], sums, rules.concentrated)
        cause = Cause.SEGMENT if is_all else Cause.SEGMENTS
        return Check(SEGMENT_QUALITY, CheckResult.FAIL, reason, evidence, cause, names[first])
    if not judged:
        text = f"no class has {rules.min_segment:,} labelled shots"
        return Check(SEGMENT_QUALITY, CheckResult.NOT_YET, text, evidence)
    text = f"none of {judged} classes is shown to be worse"
    return Check(SEGMENT_QUALITY, CheckResult.PASS, text, evidence)


def _concentrated(state: State) -> tuple[str, str] | None:
    """The class that most of the loss lies in, and its numbers; None if there is no such class."""
    sums = state.labelled()
    names, by_class = _by_class(sums)
    # Loss in units of its standard deviation: a few unlucky shots are no concentration.
    worst = int(np.argmax(by_class[:, 1] / np.sqrt(by_class[:, 2] + state.rules.fail_scales[0])))
    if not _holds_most(by_class[worst], sums, state.rules.concentrated):
        return None
    return names[worst], _text(by_class[worst])


def _holds_most(class_sums: Floats, sums: Floats, part: float) -> bool:
    """Whether a class of less than half of the shots holds more than this part of the loss."""
    is_small = class_sums[0] < sums[0].sum() / 2
    return bool(is_small and class_sums[1] > part * max(float(sums[1].sum()), 0.0))


def _text(class_sums: Floats) -> str:
    n, loss, _, made, p, q = class_sums.tolist()
    return (
        f"log loss {loss / n:+.4f} on {int(n):,} labelled shots; {made / n:.3f} went in, "
        f"the challenger said {q / n:.3f}, the champion {p / n:.3f}"
    )


def _by_class(sums: Floats) -> tuple[list[str], Floats]:
    """Names of all known classes and their sums, shape (classes, columns)."""
    names, parts = [], []
    for axis, (segment, classes) in enumerate(SEGMENTS.items(), start=1):
        others = tuple(a for a in range(1, sums.ndim) if a != axis)
        # The first class of each segment is "unknown", and nobody could act on a loss there.
        parts.append(sums.sum(others)[:, 1:])
        names += [f"{segment}: {label}" for label in classes]
    return names, np.concatenate(parts, 1).T
