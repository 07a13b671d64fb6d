"""The verdict: all checks together, what is missing, and what is to be done now."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from parivision.verdict.calibration import CALIBRATION, check_calibration
from parivision.verdict.check import Check, CheckResult
from parivision.verdict.quality import QUALITY, check_quality, check_segments
from parivision.verdict.rules import Policy
from parivision.verdict.serving import (
    ERRORS,
    LATENCY,
    PARITY,
    SAMPLE_RATIO,
    check_errors,
    check_latency,
    check_parity,
    check_sample_ratio,
)
from parivision.verdict.shift import SHIFT, check_shift
from parivision.verdict.state import State


class VerdictStage(StrEnum):
    """What the verdict is asked for."""

    TRAFFIC = "traffic"
    """May the canary get more traffic?"""
    PROMOTION = "promotion"
    """May the challenger become champion?"""
    SHADOW = "shadow"
    """The same when the canary got a mirrored copy of the traffic: there is no sample ratio."""
    WATCH = "watch"
    """Has the new champion proved worse than the former one? Only one track is left."""


class Action(StrEnum):
    """What follows from a verdict."""

    GO_ON = "go_on"
    """More traffic, on a passed stage; the watch goes on."""
    HOLD = "hold"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    CONFIRM = "confirm"
    """The watch is over: the new champion stays."""


_CHECKS: Final = (
    check_parity,
    check_errors,
    check_latency,
    check_sample_ratio,
    check_shift,
    check_quality,
    check_calibration,
    check_segments,
)
_MODEL: Final = (SHIFT, QUALITY, CALIBRATION)
REQUIRED: Final = MappingProxyType(
    {
        VerdictStage.TRAFFIC: (PARITY, ERRORS, LATENCY),
        VerdictStage.PROMOTION: (PARITY, ERRORS, LATENCY, SAMPLE_RATIO, *_MODEL),
        VerdictStage.SHADOW: (PARITY, ERRORS, LATENCY, *_MODEL),
        VerdictStage.WATCH: (PARITY, QUALITY),
    }
)
"""Checks that must pass at each stage. None at all may have failed."""


@dataclass(frozen=True)
class Verdict:
    """Pass, fail or not yet, for a stage; why, what to do, and every check's answer.

    `reason` is the failure that explains most, what is missing, or what was shown.
    """

    stage: VerdictStage
    outcome: CheckResult
    action: Action
    reason: str
    elapsed_s: float
    checks: tuple[Check, ...]

    def failed(self) -> list[Check]:
        """The checks that failed, the one that explains most first."""
        failed = (check for check in self.checks if check.outcome is CheckResult.FAIL)
        return sorted(failed, key=lambda check: check.rank)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "stage": self.stage.value,
            "outcome": self.outcome.value,
            "action": self.action.value,
            "reason": self.reason,
            "reasons": [check.reason for check in self.failed()],
            "elapsed_s": self.elapsed_s,
            "checks": [check.to_dict() for check in self.checks],
        }


def judge(
    state: State, stage: VerdictStage = VerdictStage.PROMOTION, *, elapsed_s: float = 0.0
) -> Verdict:
    """The verdict on all evidence so far, `elapsed_s` seconds after the rollout (or watch) began.

    It may be asked for at any time and as often as one likes. The time it takes does not depend on
    how much evidence there is. A pass may be taken back by later evidence; a rollout ends with the
    first pass of its last stage or the first fail of any.
    """
    checks = tuple(check(state) for check in _CHECKS)
    failed = [check for check in checks if check.outcome is CheckResult.FAIL]
    required = [check for check in checks if check.name in REQUIRED[stage]]
    missing = [check for check in required if check.outcome is CheckResult.NOT_YET]
    if failed:
        outcome = CheckResult.FAIL
        reason = min(failed, key=lambda check: check.rank).reason
    elif missing:
        outcome = CheckResult.NOT_YET
        reason = "; ".join(f"{check.name}: {check.reason}" for check in missing)
    else:
        outcome = CheckResult.PASS
        reason = "; ".join(check.reason for check in required)
    action, late = _action(stage, outcome, elapsed_s, state, checks)
    return Verdict(stage, outcome, action, late + reason, elapsed_s, checks)


def _action(
    stage: VerdictStage,
    outcome: CheckResult,
    elapsed_s: float,
    state: State,
    checks: tuple[Check, ...],
) -> tuple[Action, str]:
    """What follows, and what to say about the deadline."""
    rules = state.rules
    if outcome is CheckResult.FAIL:
        return Action.ROLL_BACK, ""
    # The new champion serves already: only a failure takes it back, and missing evidence is none.
    if stage is VerdictStage.WATCH:
        return (Action.CONFIRM if elapsed_s >= rules.watch_s else Action.GO_ON), ""
    if outcome is CheckResult.PASS:
        return (Action.GO_ON if stage is VerdictStage.TRAFFIC else Action.PROMOTE), ""
    if elapsed_s < rules.deadline_s:
        return Action.HOLD, ""
    late = f"undecided after {elapsed_s:,.0f} s, policy {rules.policy.value}; "
    if rules.policy is Policy.HOLD:
        return Action.HOLD, late
    quality = next(check for check in checks if check.name == QUALITY)
    # Even where late means promote, the quality must have been shown: thin evidence never promotes.
    may_promote = rules.policy is Policy.PROMOTE and quality.outcome is CheckResult.PASS
    return (Action.PROMOTE if may_promote else Action.ROLL_BACK), late
