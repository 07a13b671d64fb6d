"""Where rollouts begin and end: what the target and Flagger's phase say of them."""

from dataclasses import replace
from typing import Final

from parivision.canary import ruling
from parivision.canary.interfaces import PredictionSource, RolloutTargetLike
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.record import Order, Rollout, RolloutStage
from parivision.kubernetes.canary import FAILED, SUCCEEDED, CanaryState
from parivision.kubernetes.release import Release
from parivision.kubernetes.returns import ReturnOrder
from parivision.promotion.ends import SERVING_ENDS, End
from parivision.verdict import Rules, State

LOST_S: Final = 600.0
"""After so long a rollout that Flagger calls failed, and that was never seen to run, is over."""


class RolloutLifecycle:
    """Opens a record when a rollout begins, and ends it when Flagger is done.

    Each change is stored at once. What follows from an end is the reconciler's.
    """

    def __init__(
        self, known: KnownRollouts, log: PredictionSource, target: RolloutTargetLike, rules: Rules
    ) -> None:
        self._known = known
        self._log = log
        self._target = target
        self._rules = rules

    def opened(self, canary: CanaryState, now: float) -> Rollout:
        """The rollout that is under way; a new one takes the place of all before it."""
        current = self._known.under_way()
        if current is not None and current.key == canary.key:
            return current
        stale_versions: tuple[str, ...] = ()
        if current is not None:
            reason = f"version {canary.target.version} took its place"
            current.finish(End.SUPERSEDED, reason, now)
            self._known.save(current)
            # Its pods may answer for a while. What they log is no evidence on the new rollout.
            stale_versions = (*current.stale_versions, current.version)
        rollout = self._new(canary, now, stale_versions)
        self._known.add(rollout)
        return rollout

    def close(self, canary: CanaryState, now: float) -> None:
        """End what was judged; for when Flagger has no rollout under way."""
        rollout = self._known.under_way()
        if rollout is None:
            return
        outcome = self._outcome(rollout, canary, now)
        if outcome is None:
            return
        rollout.finish(*outcome, now)
        if rollout.end in {End.PROMOTED, End.SERVED}:
            # Stored before the rollout: if this is cut off, the rollout is closed once more.
            self._end_watches(rollout, now)
        if rollout.end is End.SERVED and rollout.order is Order.RETURN:
            self._take_back(rollout, now)
        self._known.save(rollout)

    def adopt(self, canary: CanaryState, served: Release, now: float) -> None:
        """Record a promotion that happened while rollouts could not be remembered."""
        rollout = replace(self._new(canary, now, ()), former=self._known.all()[-1].former)
        rollout.order, rollout.ordered_by = Order.PROMOTE, "somebody, unseen"
        reason = f"version {served.version} was promoted while nobody could judge it"
        rollout.finish(End.SERVED, reason, now)
        self._known.add(rollout)

    def _new(self, canary: CanaryState, now: float, stale_versions: tuple[str, ...]) -> Rollout:
        assert canary.primary is not None  # noqa: S101 - the watcher has looked
        # Evidence begins here: what the log holds already is not read.
        predictions, labelled = self._log.ends()
        earlier = sum(r.key == canary.key for r in self._known.all())
        versions = {canary.target.version, canary.primary.version}
        order = _return_of(canary)
        return Rollout(
            id=f"{canary.key}-{earlier + 1}" if earlier else canary.key,
            key=canary.key,
            release=canary.target,
            former=canary.primary,
            state=State(self._rules),
            started_at=now,
            order=self._order(canary),
            ordered_by=order.by if order else "",
            ordered_why=order.why if order else "",
            weight_since=now,
            predictions_cursor=predictions,
            labelled_cursor=labelled,
            stale_versions=tuple(v for v in stale_versions if v not in versions),
        )

    def _order(self, canary: CanaryState) -> Order:
        """Whether the target is brought back without a verdict, and by whom."""
        order = _return_of(canary)
        if order is not None:
            return Order.NONE if order.is_judged else Order.RETURN
        # The primary was proven worse than the target. Only its newest rollout counts: a champion
        # that was taken back once may have come back since.
        proven = self._known.made_champion(canary.primary)
        is_rollback = (
            proven is not None
            and proven.end is End.TAKEN_BACK
            and proven.former.is_same(canary.target)
        )
        return Order.RESTORE if is_rollback else Order.NONE

    def _outcome(self, rollout: Rollout, canary: CanaryState, now: float) -> tuple[End, str] | None:
        """How the rollout came out and why; None while that cannot be told."""
        is_lost = now - rollout.started_at > LOST_S
        # Flagger may not have begun yet: then the phase is what the rollout before this one left.
        if canary.phase == FAILED and (rollout.was_running or is_lost):
            return End.ROLLED_BACK, rollout.condemned or self._flaggers_reason(rollout)
        # Another model than before that serves was promoted, whoever saw it run.
        was_running = rollout.was_running or not rollout.is_same_model
        if canary.phase == SUCCEEDED and was_running and rollout.release.is_same(canary.primary):
            is_judged = rollout.order is Order.NONE and not rollout.is_same_model
            reason = ruling.order_of(rollout) or str(rollout.verdict.get("reason", ""))
            return (End.PROMOTED if is_judged else End.SERVED), reason
        if canary.is_at_rest and canary.key != rollout.key:
            return End.SUPERSEDED, "it was withdrawn before it began"
        return None

    def _flaggers_reason(self, rollout: Rollout) -> str:
        """Why Flagger gave up by itself."""
        warnings = rollout.trouble or "; ".join(self._target.warnings())
        return warnings or "Flagger does not say why"

    def _take_back(self, returned: Rollout, now: float) -> None:
        """The champion that a person had replaced ends as one that the watch found worse.

        So its version, its run of MLflow, the events and the metrics tell of it as of a rollback.
        Only now: had the returned version not started, it would be champion still.
        """
        replaced = self._known.made_champion(returned.former)
        if replaced is None or replaced.end not in SERVING_ENDS:
            return
        reason = f"{ruling.order_of(returned)}: version {returned.version} serves instead"
        replaced.finish(End.TAKEN_BACK, reason, now)
        self._known.save(replaced)

    def _end_watches(self, winner: Rollout, now: float) -> None:
        """A champion that was replaced is watched no more."""
        for rollout in self._known.watched():
            if rollout.version != winner.version:
                rollout.stage, rollout.ended_at = RolloutStage.ENDED, now
                self._known.save(rollout)


def _return_of(canary: CanaryState) -> ReturnOrder | None:
    """A person's order that the target follows."""
    order = ReturnOrder.read(canary.ordered)
    return order if order is not None and order.id == canary.target.attempt != "" else None
