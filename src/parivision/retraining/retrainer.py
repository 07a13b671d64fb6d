"""Starts the training pipeline for alerts, one decision at a time."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from parivision.kubeflow.compiled import Compiled
from parivision.retraining.notices import Notice
from parivision.retraining.policy import (
    AlertAnswer,
    RetrainingPolicy,
    RunDecision,
    decide,
    failures_in_a_row,
)

if TYPE_CHECKING:
    from parivision.kubeflow.client import Kubeflow

CAUSE: Final = "cause"
"""The pipeline's parameter that keeps why a run was started."""
# How long a no stands without asking Kubeflow again: a storm of alerts is one question.
_STANDS_S: Final = 5.0
_SHOWN_CHARACTERS: Final = 60

_logger = logging.getLogger(__name__)


@dataclass
class Retrainer:
    """Decides about alerts; safe to ask from many threads at once.

    `connect` gives Kubeflow each time anew, so that one that was away is found again.
    """

    connect: Callable[[], "Kubeflow"]
    compiled: Compiled
    arguments: Mapping[str, Any]
    policy: RetrainingPolicy = field(default_factory=RetrainingPolicy)
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    clock: Callable[[], float] = time.monotonic
    failures: int = 0
    """Failures in a row when Kubeflow was last asked."""
    started_at: datetime | None = None
    """When a run was last started here."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _no: RunDecision | None = None
    _no_until_s: float = 0.0

    def answer(self, notice: Notice) -> RunDecision:
        """Start a run for the alerts unless something is in its way; raises PipelineError."""
        with self._lock:
            if self._no is not None and self.clock() < self._no_until_s:
                return self._no
            kubeflow = self.connect()
            decision = self._decided(kubeflow)
            if decision.may_start:
                decision = self._start(kubeflow, notice, decision)
                self._stands(RunDecision(AlertAnswer.RUNNING, decision.reason, decision.run_id))
            else:
                self._stands(decision)
        _logger.info("%s: %s (%s)", ", ".join(notice.names), decision.outcome, decision.reason)
        return decision

    def preview(self) -> RunDecision:
        """What an alert would be answered now; raises PipelineError."""
        with self._lock:
            return self._decided(self.connect())

    def _decided(self, kubeflow: "Kubeflow") -> RunDecision:
        runs = kubeflow.runs.past(self.compiled.name)
        self.failures = failures_in_a_row(runs)
        return decide(runs, self.now(), self.policy)

    def _start(self, kubeflow: "Kubeflow", notice: Notice, decision: RunDecision) -> RunDecision:
        arguments = self.compiled.arguments({**self.arguments, CAUSE: notice.cause})
        reason = ", ".join(notice.names)[:_SHOWN_CHARACTERS]
        run_id = kubeflow.runs.start(kubeflow.pipelines.upload(self.compiled), arguments, reason)
        self.started_at = self.now()
        return RunDecision(AlertAnswer.STARTED, f"{decision.reason}; started {run_id}", run_id)

    def _stands(self, decision: RunDecision) -> None:
        self._no, self._no_until_s = decision, self.clock() + _STANDS_S
