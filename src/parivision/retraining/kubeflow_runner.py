"""Trainings as runs of Kubeflow Pipelines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from parivision.kubeflow.compiled import Compiled
from parivision.kubeflow.runs import SUCCEEDED
from parivision.retraining.notices import Notice
from parivision.retraining.runner import ALSO_PROMOTES, PastRun

if TYPE_CHECKING:
    from parivision.kubeflow.client import Kubeflow

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

    def past(self) -> list[PastRun]:
        """Kubeflow's own list of runs."""
        runs = self.connect().runs
        trainings = runs.past(self.compiled.name)
        others = [run for run in runs.past(ALSO_PROMOTES) if not run.has_ended]
        return [
            PastRun(run.run_id, run.name, run.created_at, run.has_ended, run.state == SUCCEEDED)
            for run in (*trainings, *others)
        ]

    def start(self, notice: Notice) -> str:
        """Start a run; its name holds the alerts' names, its parameter the cause."""
        arguments = self.compiled.arguments({**self.arguments, CAUSE: notice.cause})
        reason = ", ".join(notice.names)[:_SHOWN_CHARACTERS]
        kubeflow = self.connect()
        return kubeflow.runs.start(kubeflow.pipelines.upload(self.compiled), arguments, reason)
