"""Trainings as Jobs of the training CronJob's template, where there is no Kubeflow Pipelines."""

from dataclasses import dataclass
from typing import Final

from parivision.kubernetes import CronJobRuns
from parivision.retraining.notices import Notice
from parivision.retraining.runner import ALSO_PROMOTES, PastRun

_TRAINING: Final = "training"


@dataclass(frozen=True)
class JobRunner:
    """Jobs of the training pipeline: the CronJob's own, the first champion's, and ours."""

    jobs: CronJobRuns

    def past(self) -> list[PastRun]:
        """The Jobs that the cluster lists; a Job's name is the run's id."""
        # A monitoring that has ended is in nobody's way, and its failure is not the training's.
        return [
            PastRun(job.name, job.name, job.created_at, job.has_ended, job.has_succeeded)
            for job in self.jobs.past()
            if job.pipeline == _TRAINING or (job.pipeline == ALSO_PROMOTES and not job.has_ended)
        ]

    def start(self, notice: Notice) -> str:
        """Make a Job; the cause is noted on its pod."""
        return self.jobs.start(notice.cause)
