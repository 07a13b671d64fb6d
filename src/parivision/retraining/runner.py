"""What a retraining needs of whatever runs pipelines: the past runs, and to start one more."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from parivision.retraining.notices import Notice

ALSO_PROMOTES: Final = "monitoring"
"""The pipeline that promotes too: the champion recalibrated.

While it goes on, no training starts. Each would be judged against a champion that the other
replaces, and the rollout of one would take the other's place.
"""


@dataclass(frozen=True)
class PastRun:
    """A run of a pipeline: when it was made, whether it has ended, and how.

    `began_at` is None where nobody knows.
    """

    run_id: str
    name: str
    began_at: datetime | None
    has_ended: bool
    has_succeeded: bool


class TrainingRunner(Protocol):
    """Where trainings run: Kubeflow Pipelines, or Kubernetes' Jobs.

    Its methods raise PipelineError, ServiceError or SettingsError, with what to do. One that was
    away may be there the next time.
    """

    def past(self) -> Sequence[PastRun]:
        """The trainings that are known, whoever started them, in any order.

        They reach back to the last that succeeded, or as far as matters for waiting. Runs of
        `ALSO_PROMOTES` are among them for as long as they go on.
        """

    def start(self, notice: Notice) -> str:
        """Start a run whose cause is the notice; returns the run's id."""
