"""Deciding: evidence and orders become a ruling on the rollout under way, and on the watch."""

from parivision.canary import ruling
from parivision.canary.intake import EvidenceIntake
from parivision.canary.interfaces import RolloutTargetLike
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.record import Order, Rollout
from parivision.canary.ruling import Ruling
from parivision.canary.views import point_of
from parivision.kubernetes.canary import TAKING_OVER, WAITING, CanaryState
from parivision.promotion.ends import End
from parivision.verdict import Action


class RolloutEvaluator:
    """Rules on a rollout from new evidence, and stores both together.

    Evidence, cursors, ruling and end are one write. So a ruling that was given is never one that a
    restart does not know of. `troubles` collects the sources that are away, a sentence each.
    """

    def __init__(
        self, known: KnownRollouts, intake: EvidenceIntake, target: RolloutTargetLike
    ) -> None:
        self._known = known
        self._intake = intake
        self._target = target

    def evaluate(
        self, rollout: Rollout, canary: CanaryState, now: float, troubles: list[str]
    ) -> Ruling:
        """Take in what is new, and rule on the rollout that is under way."""
        rollout.was_running = True
        _take_order(rollout, canary)
        # While the primary is replaced, both tracks answer with the challenger's model: requests
        # and predictions of that time compare it with itself. What a person ordered is not judged
        # at all.
        if canary.phase not in TAKING_OVER and rollout.order is Order.NONE:
            self._take_evidence(rollout, canary, now, troubles)
        # Pods that do not get ready keep the weight at 0, and Flagger will not say what is wrong.
        if canary.weight == 0:
            rollout.trouble = self._target.trouble() or rollout.trouble
        current = ruling.rule(rollout, now, is_mirrored=canary.is_mirrored, troubles=troubles)
        _note(rollout, current, now)
        if canary.phase == WAITING and current.must_roll_back:
            # It has not begun, so Flagger does not ask whether to roll it back.
            rollout.finish(End.ROLLED_BACK, rollout.condemned, now)
        self._known.save(rollout)
        return current

    def evaluate_watched(self, now: float, troubles: list[str]) -> None:
        """Compare new champions with the former ones, on the shots that were logged since."""
        for rollout in self._known.watched():
            # Its promotion has consequences still: another end would replace it unseen.
            if not rollout.is_settled:
                continue
            troubles += self._intake.take_log(rollout)
            verdict = ruling.watched(rollout, now)
            rollout.verdict = verdict.to_dict()
            rollout.remember(point_of(rollout, verdict, now))
            if verdict.action is Action.ROLL_BACK:
                rollout.finish(End.TAKEN_BACK, verdict.reason, now)
            # A loss is proven by what was read; a source that is away may hide what speaks against
            # a pass.
            elif verdict.action is Action.CONFIRM and not troubles:
                rollout.finish(End.CONFIRMED, verdict.reason, now)
            self._known.save(rollout)

    def _take_evidence(
        self, rollout: Rollout, canary: CanaryState, now: float, troubles: list[str]
    ) -> None:
        if canary.weight != rollout.weight:
            rollout.weight, rollout.weight_since = canary.weight, now
            rollout.requests_at_weight = 0
        is_split = canary.weight > 0 and not canary.is_mirrored
        troubles += self._intake.take_counters(rollout, now, is_split=is_split)
        troubles += self._intake.take_log(rollout)


def _take_order(rollout: Rollout, canary: CanaryState) -> None:
    """Take a person's order from the Canary; the first one stands."""
    if canary.ordered.get("key") == rollout.key and rollout.order is Order.NONE:
        rollout.order = Order(canary.ordered["order"])
        rollout.ordered_by = str(canary.ordered.get("by", ""))
    if canary.is_forced and rollout.order is Order.NONE:
        rollout.order, rollout.ordered_by = Order.PROMOTE, "spec.skipAnalysis"


def _note(rollout: Rollout, current: Ruling, now: float) -> None:
    """Keep the ruling in the record; the first reason to roll back stands."""
    if current.must_roll_back and not rollout.condemned:
        rollout.condemned = current.reason
    rollout.verdict = current.verdict.to_dict() | {"reason": current.reason}
    rollout.remember(point_of(rollout, current.verdict, now))
