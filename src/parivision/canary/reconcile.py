"""The consequences of a decision: alias, image, MLflow, the Canary and its events.

A rollout is stored with its end first, and its consequences are carried out after that. When all
of them are done it is stored once more, as reconciled. Whoever dies in between leaves it to the
next step, which carries all of them out again. So each consequence must be safe to repeat: an
event has a name of its own, a run of MLflow is kept once for each outcome, and all others set a
value.
"""

import logging
from typing import Any, Final

from parivision.canary import ruling
from parivision.canary.interfaces import Models, RolloutTargetLike
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.lifecycle import RolloutLifecycle
from parivision.canary.record import Rollout
from parivision.canary.views import status_of
from parivision.errors import PariVisionError
from parivision.kubernetes.canary import WAITING, CanaryState
from parivision.promotion.ends import NEVER_SERVED, OUTCOME_TAG, End

_EVENTS: Final = {
    End.PROMOTED: "Promoted",
    End.CONFIRMED: "Confirmed",
    End.SERVED: "Served",
    End.ROLLED_BACK: "RolledBack",
    End.TAKEN_BACK: "RolledBack",
    End.SUPERSEDED: "Superseded",
}
_REASON_CHARACTERS: Final = 1000

_logger = logging.getLogger(__name__)


class Reconciler:
    """Makes cluster and registry agree with how rollouts ended, and the alias with what is served.

    It decides nothing about a rollout: it carries out what the record says.
    """

    def __init__(
        self,
        known: KnownRollouts,
        lifecycle: RolloutLifecycle,
        target: RolloutTargetLike,
        models: Models,
    ) -> None:
        self._known = known
        self._lifecycle = lifecycle
        self._target = target
        self._models = models

    def reconcile(self, canary: CanaryState, now: float) -> list[str]:
        """Carry out what is still to be done; what hindered it, a sentence each.

        What could not be done stays to be done, and what was decided stands.
        """
        unreconciled = self._known.unreconciled()
        try:
            for rollout in unreconciled:
                self._carry_out(rollout, canary)
            is_idle = canary.is_at_rest and self._known.under_way() is None
            # `canary` was read before the consequences: only the next step sees them.
            if not unreconciled and is_idle:
                self._align(canary, now)
        except PariVisionError as error:
            return [str(error)]
        return []

    def _carry_out(self, rollout: Rollout, canary: CanaryState) -> None:
        """All consequences of one end; the cluster first, for there users are served."""
        self._announce(rollout, canary)
        self._restore_former(rollout, canary)
        if not rollout.is_same_model:
            self._record_in_registry(rollout)
        # Last: what is stored as reconciled is never carried out again.
        rollout.is_settled = True
        if not rollout.is_open:
            rollout.forget()
        self._known.save(rollout)

    def _announce(self, rollout: Rollout, canary: CanaryState) -> None:
        """An event of the Canary, and its status, which `deploy` waits for."""
        name = f"parivision-{rollout.id}-{rollout.end.value}".replace("_", "-").lower()
        outcome = rollout.end.value.replace("_", " ")
        message = f"version {rollout.version} {outcome}: {rollout.reason}"
        self._target.record_event(canary.uid, name, _EVENTS[rollout.end], message)
        self._target.publish(status_of(self._known.all()))

    def _restore_former(self, rollout: Rollout, canary: CanaryState) -> None:
        """After a rollback the former release is the target again.

        Otherwise the next change of the chart would roll the loser out once more. Where Flagger
        would roll the former release out, it is told first to promote that unasked.
        """
        is_loser_target = canary.key == rollout.key and not rollout.is_same_model
        if rollout.end is End.ROLLED_BACK and is_loser_target:
            # To Flagger what was promoted last is no news, unless a rollout is about to begin.
            if canary.phase == WAITING:
                self._target.force(rollout.former)
            self._target.serve(rollout.former)
        if rollout.end is End.TAKEN_BACK and rollout.release.is_same(canary.primary):
            self._target.force(rollout.former)
            self._target.serve(rollout.former)

    def _record_in_registry(self, rollout: Rollout) -> None:
        """A run of MLflow with the numbers, and the outcome as tags of the version."""
        last_point = rollout.history[-1] if rollout.history else {}
        metrics = {k: v for k, v in last_point.items() if isinstance(v, (int, float))}
        tags = {
            "outcome": rollout.end.value,
            "reason": rollout.reason[:_REASON_CHARACTERS],
            "version": rollout.version,
            "former": rollout.former.version,
        }
        document: dict[str, Any] = {
            "id": rollout.id,
            "verdict": rollout.verdict,
            "history": rollout.history,
        }
        self._models.record_rollout(rollout.id, metrics=metrics, tags=tags, document=document)
        if rollout.end is not End.SUPERSEDED:
            outcome = ruling.tags_of(rollout.end.value, rollout.reason, rollout.id)
            self._models.tag_version(rollout.version, outcome)

    def _align(self, canary: CanaryState, now: float) -> None:
        """At rest: Flagger asks again before it promotes, and the alias names what is served."""
        assert canary.primary is not None  # noqa: S101 - it is at rest
        if canary.is_forced:
            self._target.force(None)
        if not self._known.account_for(canary.primary):
            self._lifecycle.adopt(canary, canary.primary, now)
            return
        holder = self._models.champion()
        due = ruling.alias_due(holder, canary.primary.version, now)
        if due is None:
            return
        if holder is not None and OUTCOME_TAG not in holder.tags:
            # Before the alias moves: afterwards nobody would know that this version had it.
            tags = ruling.tags_of(NEVER_SERVED, "its rollout never began", "")
            self._models.tag_version(holder.number, tags)
        self._models.point_alias(due)
        _logger.info("the alias names version %s again, which is served", due)
