"""Trainings as runs of Kubeflow Pipelines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from parivision.kubeflow.compiled import Compiled
from parivision.kubeflow.runs import SUCCEEDED
from parivision.retraining.notices import Notice
from parivision.retraining.runner import ALSO_PROMOTES, PastRun

if TYPE_CHECKING:
    from parivision.kubeflow.client import Kubeflow
    from parivision.kubeflow.runs import RunState

LOST_AFTER: Final = timedelta(days=2)
"""Longer than the deadlines of all tasks of a training together, with all their attempts.

A run that still goes on has lost its workflow: Kubeflow calls it RUNNING for ever, and no training
would begin again. It counts as one that failed.
"""
CAUSE: Final = "cause"
"""The pipeline's parameter that keeps why a run was started."""
_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True)
class KubeflowRunner:
    """Runs of a compiled pipeline with these arguments.

    `connect` gives Kubeflow each time anew, so that one that was away is found again.
    """

    connect: Callable[[], "Kubeflow"]
    compiled: Compiled
    arguments: Mapping[str, Any]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def past(self) -> list[PastRun]:
        """Kubeflow's own list of runs."""
        runs = self.connect().runs
        trainings = [self._past_run(run) for run in runs.past(self.compiled.name)]
        others = [self._past_run(run) for run in runs.past(ALSO_PROMOTES)]
        return [*trainings, *(run for run in others if not run.has_ended)]

    def _past_run(self, run: "RunState") -> PastRun:
        is_lost = run.created_at is not None and self.clock() - run.created_at > LOST_AFTER
        return PastRun(
            run.run_id, run.name, run.created_at, run.has_ended or is_lost, run.state == SUCCEEDED
        )

    def start(self, notice: Notice) -> str:
        """Start a run; its name holds the alerts' names, its parameter the cause."""
        arguments = self.compiled.arguments({**self.arguments, CAUSE: notice.cause})
        reason = ", ".join(notice.names)[:_SHOWN_CHARACTERS]
        kubeflow = self.connect()
        return kubeflow.runs.start(kubeflow.pipelines.upload(self.compiled), arguments, reason)
