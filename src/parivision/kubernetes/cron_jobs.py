"""Jobs of a CronJob's template: which ran, and one more that no schedule asks for.

The past is what the cluster lists, so whoever asks needs no memory. The CronJob's history limits
say how much of it is kept: the newest that succeeded and enough failures, of which none expires
by time (the chart `pipelines`).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes import client

from parivision.errors import SettingsError
from parivision.kubernetes.api import KubernetesApi, configure, selector

PIPELINE: Final = "parivision.dev/pipeline"
"""Label of every Job that runs a pipeline, whoever made it: the pipeline's name."""
INSTANCE: Final = "app.kubernetes.io/instance"
CAUSE: Final = "parivision.dev/cause"
"""On a Job's pod: why it runs. The container finds it in its environment."""
_MANUAL: Final = {"cronjob.kubernetes.io/instantiate": "manual"}
"""What `kubectl create job --from` notes on a Job that no schedule asked for."""
# A Job's name becomes the value of a label on its pods, which may have so many characters.
_LONGEST_NAME: Final = 63
_SUCCEEDED: Final = "Complete"
_ENDS: Final = {_SUCCEEDED, "Failed"}
_API: Final = KubernetesApi(
    forbidden="The ServiceAccount needs the Role of the chart `retraining`, and may make Jobs of "
    "the CronJob's own template only",
    missing="Install the chart with `pipelines` and `global.retraining.enabled`, or name another "
    "CronJob in --cron-job",
)


@dataclass(frozen=True)
class JobRun:
    """A Job: its name and pipeline, when it was made, whether and how it has ended."""

    name: str
    pipeline: str
    created_at: datetime
    has_ended: bool
    has_succeeded: bool


class CronJobRuns:
    """A CronJob's Jobs and those of the same release; its methods raise ServiceError."""

    def __init__(
        self,
        batch: Any,
        namespace: str,
        name: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`batch` is the API group of Jobs, as Kubernetes' client has it."""
        self._batch, self._namespace, self._name, self._now = batch, namespace, name, now

    def past(self) -> list[JobRun]:
        """All Jobs of the release that run a pipeline, whoever made them, in no order."""
        instance = self._cron_job()["spec"]["jobTemplate"]["metadata"]["labels"][INSTANCE]
        jobs = _API.list_all(
            f"list the Jobs of {self._namespace}",
            self._batch.list_namespaced_job,
            self._namespace,
            label_selector=f"{selector({INSTANCE: instance})},{PIPELINE}",
        )
        return [_job_run(job) for job in jobs]

    def start(self, cause: str) -> str:
        """Make a Job of the template, with the cause noted on its pod; returns its name."""
        job = _from_template(self._cron_job(), self._now(), cause)
        doing = f"make a Job of the CronJob {self._namespace}/{self._name}"
        _API.ask(doing, self._batch.create_namespaced_job, self._namespace, job)
        return str(job["metadata"]["name"])

    def _cron_job(self) -> dict[str, Any]:
        """The CronJob as the API has it.

        Not as the client's classes: they forget fields that are newer than they are, and the Job's
        pod would no longer be the template's.
        """
        response = _API.ask(
            f"read the CronJob {self._namespace}/{self._name}",
            self._batch.read_namespaced_cron_job,
            self._name,
            self._namespace,
            _preload_content=False,
        )
        cron_job: dict[str, Any] = json.loads(response.data)
        return cron_job


def cron_job_runs(cron_job: str) -> CronJobRuns:
    """The runs of the CronJob that `namespace/name` names, in this process' cluster.

    Raises SettingsError for another text, and ServiceError where there is no way to a cluster.
    """
    namespace, separator, name = cron_job.partition("/")
    if not (namespace and separator and name) or "/" in name:
        raise SettingsError(f"the CronJob is {cron_job!r}: expected NAMESPACE/NAME")
    configure()
    return CronJobRuns(client.BatchV1Api(), namespace, name)


def _from_template(cron_job: Mapping[str, Any], now: datetime, cause: str) -> dict[str, Any]:
    """The Job that `kubectl create job --from` would make, and the cause.

    The CronJob owns it: it counts for the history's limits, and goes when the CronJob goes.
    """
    metadata, template = cron_job["metadata"], cron_job["spec"]["jobTemplate"]
    stamp = f"-{now:%Y%m%d-%H%M%S}"
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
    given = template.get("metadata", {})
    pod = template["spec"]["template"]
    pod_metadata = pod.get("metadata", {})
    noted = {**pod_metadata.get("annotations", {}), CAUSE: cause}
    noted_pod = {**pod, "metadata": {**pod_metadata, "annotations": noted}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": metadata["name"][: _LONGEST_NAME - len(stamp)] + stamp,
            "namespace": metadata["namespace"],
            "labels": given.get("labels", {}),
            "annotations": {**given.get("annotations", {}), **_MANUAL},
            "ownerReferences": [owner],
        },
        "spec": {**template["spec"], "template": noted_pod},
    }


def _job_run(job: Any) -> JobRun:
    """How a Job stands; one whose end is near, but not there, goes on."""
    conditions = (job.status.conditions if job.status else None) or ()
    held = [condition.type for condition in conditions if condition.status == "True"]
    return JobRun(
        job.metadata.name,
        job.metadata.labels[PIPELINE],
        job.metadata.creation_timestamp,
        has_ended=not _ENDS.isdisjoint(held),
        has_succeeded=_SUCCEEDED in held,
    )
