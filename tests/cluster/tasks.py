"""The project's commands as Jobs of the cluster, as a pipeline's steps are run there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from cluster import helm_release
from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for

RunTask = Callable[[str, str], bool]
DEADLINE_S = 600


class Task:
    """A Job with the rights, the image and the resources of the first champion's."""

    def __init__(self, cluster: LiveCluster, name: str, script: str, retries: int) -> None:
        self._cluster = cluster
        self.name = f"{RELEASE}-test-{name}"
        cluster.kubectl("delete", "job", self.name, "-n", NAMESPACE, "--ignore-not-found")
        manifest = _manifest(cluster, self.name, script, retries)
        cluster.kubectl("apply", "-f", "-", given=json.dumps(manifest))

    def succeeded(self, timeout_s: float = DEADLINE_S) -> bool:
        """Wait for its end; whether it did well."""

        def ended() -> Any:
            return self._cluster.batch.read_namespaced_job(self.name, NAMESPACE).status.conditions

        conditions = wait_for(f"the end of {self.name}", ended, timeout_s=timeout_s)
        return any(one.type in {"Complete", "SuccessCriteriaMet"} for one in conditions)

    def log(self) -> str:
        """What its pod has written so far; empty until it runs."""
        return self._cluster.kubectl("logs", f"job/{self.name}", "-n", NAMESPACE, check=False)

    def delete(self) -> None:
        """Take the Job and its pods away."""
        self._cluster.kubectl("delete", "job", self.name, "-n", NAMESPACE, "--ignore-not-found")


@contextmanager
def task(cluster: LiveCluster, name: str, script: str, retries: int = 0) -> Iterator[Task]:
    """A Job that runs while the block does."""
    made = Task(cluster, name, script, retries)
    try:
        yield made
    finally:
        made.delete()


def _manifest(cluster: LiveCluster, name: str, script: str, retries: int) -> dict[str, Any]:
    """The first champion's Job as the chart has it, with other commands and without its waiting.

    Where Kubeflow trained the first champion, the cluster has no such Job.
    """
    first = helm_release.rendered(
        cluster, "charts/pipelines/templates/first-champion.yaml", "pipelines.firstChampion.enabled"
    )
    spec = first["spec"]["template"]["spec"]
    spec.pop("initContainers", None)
    spec["containers"][0]["command"] = ["sh", "-euc", script]
    spec["restartPolicy"] = "Never"
    prefix = "app.kubernetes.io"
    labels = {
        f"{prefix}/name": name.removeprefix(f"{RELEASE}-"),
        f"{prefix}/instance": RELEASE,
        f"{prefix}/component": "pipelines",
        f"{prefix}/part-of": "parivision",
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "backoffLimit": retries,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
