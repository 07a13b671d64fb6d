"""What Flagger is told, and which version the alias must name: pure decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parivision.canary.record import Order, Rollout
from parivision.promotion.ends import ID_TAG, OUTCOME_TAG, REASON_TAG
from parivision.registry.records import RegisteredVersion
from parivision.verdict import Action, CheckResult, Rules, Verdict, VerdictStage, judge

PENDING_S: Final = 6 * 3600.0
"""How long a champion of the contest may wait for its image and its rollout to begin."""


@dataclass(frozen=True)
class Ruling:
    """What a rollout may do now, and why. Without evidence it may do nothing."""

    may_increase: bool
    may_promote: bool
    must_roll_back: bool
    reason: str
    verdict: Verdict


def rule(rollout: Rollout, now: float, *, is_mirrored: bool, troubles: Sequence[str]) -> Ruling:
    """What Flagger may do with a rollout.

    `troubles` are the sources of evidence that are away. While there is one, nothing passes; but a
    failure that was seen before stays one, and the deadline's policy holds.
    """
    elapsed_s = now - rollout.started_at
    final = _final(rollout, elapsed_s, is_mirrored=is_mirrored)
    # The first that applies decides: a person, a failure that was seen, the verdict and its
    # deadline, a source that is away. Only after all of these may anything pass.
    if rollout.order is not Order.NONE:
        return _ordered(rollout, final)
    if rollout.condemned:
        return Ruling(False, False, must_roll_back=True, reason=rollout.condemned, verdict=final)
    if final.action is Action.ROLL_BACK:
        return Ruling(False, False, must_roll_back=True, reason=final.reason, verdict=final)
    if troubles:
        reason = f"hold: {'; '.join(troubles)}"
        return Ruling(False, False, must_roll_back=False, reason=reason, verdict=final)
    traffic = judge(rollout.state, VerdictStage.TRAFFIC, elapsed_s=elapsed_s)
    is_fresh = _is_fresh(rollout, rollout.state.rules)
    labelled = rollout.state.shots_labelled
    needed = rollout.state.rules.labelled_to_increase
    has_outcomes = rollout.is_same_model or labelled >= needed
    has_passed = is_fresh and has_outcomes and traffic.outcome is CheckResult.PASS
    # Without any traffic there can be no evidence: the first step needs none.
    may_increase = rollout.weight == 0 or has_passed
    may_promote = final.action is Action.PROMOTE and (is_fresh or is_mirrored)
    reason = final.reason
    if not has_outcomes:
        reason = f"{labelled:,} of {needed:,} labelled shots before more traffic; {reason}"
    if not is_fresh and not is_mirrored:
        needed = rollout.state.rules.min_requests
        reason = f"{rollout.requests_at_weight:,} of {needed:,} requests at this weight; {reason}"
    return Ruling(may_increase, may_promote, False, reason, final)


def _final(rollout: Rollout, elapsed_s: float, *, is_mirrored: bool) -> Verdict:
    """The verdict on the last step; where no model changed, only how it is served counts."""
    if rollout.is_same_model:
        verdict = judge(rollout.state, VerdictStage.TRAFFIC, elapsed_s=elapsed_s)
        # Judged as one step of the traffic, which at its best goes on: here that is the last step.
        if verdict.action is not Action.GO_ON:
            return verdict
        return Verdict(**{**vars(verdict), "action": Action.PROMOTE})
    stage = VerdictStage.SHADOW if is_mirrored else VerdictStage.PROMOTION
    return judge(rollout.state, stage, elapsed_s=elapsed_s)


def _is_fresh(rollout: Rollout, rules: Rules) -> bool:
    """Whether enough requests were served since the weight last changed; none at weight 0."""
    return rollout.weight == 0 or rollout.requests_at_weight >= rules.min_requests


def _ordered(rollout: Rollout, verdict: Verdict) -> Ruling:
    is_abort = rollout.order is Order.ABORT
    return Ruling(not is_abort, not is_abort, is_abort, order_of(rollout), verdict)


def order_of(rollout: Rollout) -> str:
    """Who ordered what; "" when nobody did."""
    if rollout.order is Order.NONE:
        return ""
    by = f" by {rollout.ordered_by}" if rollout.ordered_by else ""
    why = f" ({rollout.ordered_why})" if rollout.ordered_why else ""
    return f"ordered{by}: {rollout.order.value}{why}"


def watched(rollout: Rollout, now: float) -> Verdict:
    """Whether a new champion may stay."""
    assert rollout.promoted_at is not None  # noqa: S101 - it is watched because it was promoted
    return judge(rollout.state, VerdictStage.WATCH, elapsed_s=now - rollout.promoted_at)


def alias_due(holder: RegisteredVersion | None, served: str, now: float) -> str | None:
    """Which version the alias must be given now; None when it may stay.

    To be asked only while no rollout is under way. `holder` is the version with the alias, `served`
    the version that users get. They may differ while a new champion waits for its rollout.
    """
    if not served or (holder is not None and holder.number == served):
        return None
    if holder is None or OUTCOME_TAG in holder.tags or holder.registered_at is None:
        return served
    # MLflow numbers versions upwards, so only a newer one can be waiting for its rollout.
    is_newer = int(holder.number) > int(served)
    is_pending = is_newer and now - holder.registered_at.timestamp() < PENDING_S
    return None if is_pending else served


def tags_of(outcome: str, reason: str, rollout_id: str) -> Mapping[str, str]:
    """What a version is tagged with when its rollout came out."""
    return {OUTCOME_TAG: outcome, REASON_TAG: reason[:1000], ID_TAG: rollout_id}
