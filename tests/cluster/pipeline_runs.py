"""Where the pipelines of a cluster under test run: start one, and see how it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster
from parivision.kubernetes.cron_jobs import CAUSE, PIPELINE


@dataclass(frozen=True)
class Training:
    """A run of the pipeline training; `cause` is empty if no alert asked for it."""

    run: str
    began_at: datetime
    cause: str


class PipelineRuns(Protocol):
    """Jobs of Kubernetes, or runs of Kubeflow Pipelines."""

    def start(self, pipeline: str) -> str:
        """Have a pipeline run now that its schedule would run later; returns the run's name."""

    def end_of(self, run: str) -> str:
        """How a run ended: Complete or Failed; empty until it has."""

    def log_of(self, run: str) -> str:
        """What tells why a run ended as it did."""

    def did(self, run: str, stage: str) -> bool:
        """Whether a run that has ended did a stage."""

    def trainings(self) -> Sequence[Training]:
        """The trainings that are known, whoever started them, in any order."""

    def remove_since(self, began_at: datetime) -> None:
        """End what goes on since then, and remove what can be."""


@dataclass(frozen=True)
class JobRuns:
    """Jobs of the release's CronJobs."""

    cluster: LiveCluster

    def start(self, pipeline: str) -> str:
        """A Job of the CronJob's template."""
        name = f"{RELEASE}-{pipeline}-at-{datetime.now(UTC):%H%M%S}"
        template = f"cronjob/{RELEASE}-{pipeline}"
        self.cluster.kubectl("create", "job", name, "--from", template, "-n", NAMESPACE)
        return name

    def end_of(self, run: str) -> str:
        """By the Job's conditions."""
        conditions = self.cluster.batch.read_namespaced_job(run, NAMESPACE).status.conditions
        held = {one.type for one in conditions or () if one.status == "True"}
        return next(iter(held & {"Complete", "Failed"}), "")

    def log_of(self, run: str) -> str:
        """What the Job's pod has written, and how its pods are."""
        described = self.cluster.kubectl("describe", f"job/{run}", "-n", NAMESPACE, check=False)
        log = self.cluster.kubectl("logs", f"job/{run}", "-n", NAMESPACE, check=False)
        return f"{log}\n{described}"

    def did(self, run: str, stage: str) -> bool:
        """By the lines of its log, one for each stage that has ended."""
        lines = self.cluster.kubectl("logs", f"job/{run}", "-n", NAMESPACE).splitlines()
        return any(line.split()[:2] == [stage, "done"] for line in lines)

    def trainings(self) -> list[Training]:
        """By their label; an alert's cause is on the pod."""
        asked = {"label_selector": f"{PIPELINE}=training"}
        return [
            Training(
                job.metadata.name,
                job.metadata.creation_timestamp,
                (job.spec.template.metadata.annotations or {}).get(CAUSE, ""),
            )
            for job in self.cluster.batch.list_namespaced_job(NAMESPACE, **asked).items
        ]

    def remove_since(self, began_at: datetime) -> None:
        """With their pods."""
        for job in self.cluster.batch.list_namespaced_job(NAMESPACE, label_selector=PIPELINE).items:
            if job.metadata.creation_timestamp >= began_at.replace(microsecond=0):
                self.cluster.kubectl("delete", "job", job.metadata.name, "-n", NAMESPACE, "--wait")
