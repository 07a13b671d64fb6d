"""Starts the training pipeline for alerts, one decision at a time."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from parivision.retraining.notices import Notice
from parivision.retraining.policy import (
    AlertAnswer,
    RetrainingPolicy,
    RunDecision,
    decide,
    failures_in_a_row,
)
from parivision.retraining.runner import TrainingRunner

# How long a no stands without asking the runner again: a storm of alerts is one question.
_STANDS_S: Final = 5.0

_logger = logging.getLogger(__name__)


@dataclass
class Retrainer:
    """Decides about alerts; safe to ask from many threads at once."""

    runner: TrainingRunner
    policy: RetrainingPolicy = field(default_factory=RetrainingPolicy)
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    """Failures in a row when the runner was last asked."""
    started_at: datetime | None = None
    """When a run was last started here."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _no: RunDecision | None = None
    _no_until_s: float = 0.0

    def answer(self, notice: Notice) -> RunDecision:
        """Start a run for the alerts unless something is in its way; raises as its runner does."""
        # One decision at a time: two that had read the same past would both start a run.
        with self._lock:
            if self._no is not None and self.clock() < self._no_until_s:
                return self._no
            decision = self._decided()
            if decision.may_start:
                decision = self._start(notice, decision)
                # Alerts right behind it are told of this run, listed by the runner yet or not.
                self._stands(RunDecision(AlertAnswer.RUNNING, decision.reason, decision.run_id))
            else:
                self._stands(decision)
        _logger.info("%s: %s (%s)", ", ".join(notice.names), decision.outcome, decision.reason)
        return decision

    def preview(self) -> RunDecision:
        """What an alert would be answered now; raises as its runner does."""
        with self._lock:
            return self._decided()

    def _decided(self) -> RunDecision:
        runs = self.runner.past()
        self.failures = failures_in_a_row(runs)
        return decide(runs, self.now(), self.policy)

    def _start(self, notice: Notice, decision: RunDecision) -> RunDecision:
        run_id = self.runner.start(notice)
        self.started_at = self.now()
        return RunDecision(AlertAnswer.STARTED, f"{decision.reason}; started {run_id}", run_id)

    def _stands(self, decision: RunDecision) -> None:
        self._no, self._no_until_s = decision, self.clock() + _STANDS_S
