"""A step: read the cluster, take in evidence, decide, and let everything follow from that.

Each step may die anywhere, and the next one, in another process, goes on from what is stored. What
follows from a decision is done again until all of it is done, and again is as good as once.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from parivision.canary import approval
from parivision.canary.approval import Answer, Question
from parivision.canary.evaluation import RolloutEvaluator
from parivision.canary.intake import EvidenceIntake
from parivision.canary.interfaces import Sources
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.lifecycle import RolloutLifecycle
from parivision.canary.reconcile import Reconciler
from parivision.canary.record import Order
from parivision.canary.returns import ReturnTaker
from parivision.canary.ruling import Ruling
from parivision.canary.status import StatusPublisher
from parivision.canary.views import View
from parivision.errors import PariVisionError
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.returns import is_returning
from parivision.verdict import Rules

_logger = logging.getLogger(__name__)


class Watcher:
    """Ties the parts to steps, one at a time, and answers Flagger between them.

    `step` and `confirm_rollout` change what is known, so a lock lets one of them run at a time.
    `ask` takes no lock: Flagger must not wait for a step. It reads `view` once, which a step
    replaces as a whole and never changes.
    """

    def __init__(
        self, sources: Sources, rules: Rules, *, clock: Callable[[], float] = time.time
    ) -> None:
        target, models = sources.target, sources.models
        self._target = target
        self._clock = clock
        self._lock = threading.Lock()
        self._known = KnownRollouts(sources.rollouts)
        self._intake = EvidenceIntake(sources.counts, sources.log, models)
        self._lifecycle = RolloutLifecycle(self._known, sources.log, target, rules)
        self._evaluator = RolloutEvaluator(self._known, self._intake, target)
        self._reconciler = Reconciler(self._known, self._lifecycle, target, models)
        self._returns = ReturnTaker(self._known, target, models)
        self._status = StatusPublisher(self._known, target)
        self.view = View(0.0, None, (), None, "", ("nothing was looked at yet",))

    def step(self) -> None:
        """Look once and do what follows. Raises PariVisionError when it could not."""
        with self._lock:
            try:
                self._step()
            except BaseException as error:
                # What was taken in and not stored is forgotten: it is read again.
                self._known.forget()
                self.view = replace(self.view, ruling=None, troubles=(str(error),))
                raise

    def confirm_rollout(self) -> Answer:
        """Whether a rollout may begin: it is remembered, and its evidence can be taken in."""
        with self._lock:
            try:
                return self._confirm()
            except PariVisionError as error:
                self._known.forget()
                return False, f"hold: {error}"

    def ask(self, question: Question) -> Answer:
        """What Flagger's other webhooks ask, and why it is answered so."""
        try:
            canary = self._target.state()
        except PariVisionError as error:
            return False, f"hold: {error}"
        return approval.answer(question, self.view, canary, self._clock())

    def _step(self) -> None:
        now, canary = self._clock(), self._observed()
        self._known.all()  # A store that is away ends the step here, before anything is decided.
        troubles: list[str] = []
        ruling = None
        if canary is not None and canary.primary is not None and not canary.is_new:
            # An end whose consequences are not all done yet comes before anything new.
            if not self._known.unreconciled():
                ruling = self._decided(canary, now, troubles)
            troubles += self._reconciler.reconcile(canary, now)
            self._status.publish(canary, now)
            # Last: what came before was decided on the target as it was.
            self._returns.take(canary, now)
        self._show(View.of(canary, self._known.all(), ruling, troubles, now))

    def _decided(self, canary: CanaryState, now: float, troubles: list[str]) -> Ruling | None:
        """Rule on the rollout under way, or end it; then look after new champions."""
        ruling = None
        if canary.is_running:
            rollout = self._lifecycle.opened(canary, now)
            ruling = self._evaluator.evaluate(rollout, canary, now, troubles)
        else:
            self._lifecycle.close(canary, now)
        if not is_returning(canary):
            # What a person is replacing is not replaced by the watch at the same time.
            self._evaluator.evaluate_watched(now, troubles)
        return ruling

    def _show(self, view: View) -> None:
        # Once for each change: a step every few seconds would fill the log with the same sentence.
        if view.troubles and view.troubles != self.view.troubles:
            _logger.warning("%s", "; ".join(view.troubles))
        self.view = view

    def _confirm(self) -> Answer:
        now, canary = self._clock(), self._observed()
        if canary is None or canary.primary is None:
            return False, "hold: Flagger has no primary yet"
        if not canary.target.version:
            return False, "hold: the target's pods name no version of the model"
        if self._known.unreconciled():
            return False, "hold: what follows from the rollout before is not done yet"
        rollout = self._lifecycle.opened(canary, now)
        # Before models and counters are asked for: a return works while MLflow or Prometheus is
        # away.
        if rollout.order is not Order.NONE or canary.is_forced:
            return True, f"it is not judged: {rollout.order.value or 'forced'}"
        self._intake.load_models(rollout)
        if rollout.counted_at is None:
            self._intake.begin_counting(rollout, now)
            self._known.save(rollout)
        return True, f"version {rollout.version} against {rollout.former.version}"

    def _observed(self) -> CanaryState | None:
        """How the rollout stands, once Flagger promotes unasked only what that was ordered for.

        While a bad champion is being replaced, Flagger promotes the former release unasked. If
        another release becomes the target meanwhile, it would be promoted unasked, too.
        """
        canary = self._target.state()
        if canary is None or not canary.is_stray:
            return canary
        self._target.force(None)
        _logger.warning("version %s is judged: the order was for another", canary.target.version)
        return replace(canary, is_forced=False, forced_for="")
