"""What a rollout asks of the Kubernetes API, and the API's refusals with what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from kubernetes import client, config

from parivision.errors import ServiceError

CONTAINER: Final = "shots"
"""The container of the prediction service's pods."""
REVISION: Final = "deployment.kubernetes.io/revision"
_HASH: Final = "pod-template-hash"
_REQUEST_TIMEOUT_S: Final = 20.0
_LOG_LINES: Final = 15
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 401, 403, 404, 429
_SERVER_ERROR: Final = 500


class AwayError(ServiceError):
    """The API does not answer at the moment; it may the next time."""


class MissingError(ServiceError):
    """What was asked for is not there."""


@dataclass(frozen=True)
class Place:
    """Where the prediction service runs: a Deployment."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place that `namespace/name` says."""
        return cls(*text.split("/"))

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.namespace}/{self.name}"


class Cluster:
    """The parts of the API that a rollout needs; a test hands over its own."""

    def __init__(self, apps: Any, autoscaling: Any, core: Any) -> None:
        self._apps = apps
        self._autoscaling = autoscaling
        self._core = core

    def deployment(self, place: Place) -> Any:
        """The Deployment as it is."""
        return self._ask(
            f"read the Deployment {place}",
            self._apps.read_namespaced_deployment,
            place.name,
            place.namespace,
        )

    def patch(self, place: Place, body: Mapping[str, Any]) -> None:
        """Change the Deployment; what `body` does not name stays."""
        self._ask(
            f"change the Deployment {place}",
            self._apps.patch_namespaced_deployment,
            place.name,
            place.namespace,
            dict(body),
        )

    def least_replicas(self, place: Place) -> int:
        """The least number of pods that the Deployment's autoscaler keeps; 1 without one."""
        try:
            scaler = self._ask(
                f"read the HorizontalPodAutoscaler {place}",
                self._autoscaling.read_namespaced_horizontal_pod_autoscaler,
                place.name,
                place.namespace,
            )
        except MissingError:
            return 1
        return int(scaler.spec.min_replicas or 1)

    def newest_pods(self, place: Place, deployment: Any) -> list[Any]:
        """The pods that the Deployment's newest revision has made."""
        revision = (deployment.metadata.annotations or {}).get(REVISION)
        selector = _labels(deployment.spec.selector.match_labels)
        sets = self._ask(
            f"list the ReplicaSets of {place}",
            self._apps.list_namespaced_replica_set,
            place.namespace,
            label_selector=selector,
        ).items
        newest = [s for s in sets if (s.metadata.annotations or {}).get(REVISION) == revision]
        if not newest:
            return []
        hashed = newest[0].metadata.labels[_HASH]
        pods = self._ask(
            f"list the pods of {place}",
            self._core.list_namespaced_pod,
            place.namespace,
            label_selector=f"{selector},{_HASH}={hashed}",
        ).items
        return [pod for pod in pods if pod.metadata.deletion_timestamp is None]

    def log_end(self, place: Place, pod: str) -> str:
        """The last lines that the pod's container said before it ended."""
        said = self._ask(
            f"read the log of the pod {pod}",
            self._core.read_namespaced_pod_log,
            pod,
            place.namespace,
            container=CONTAINER,
            previous=True,
            tail_lines=_LOG_LINES,
        )
        return str(said).strip()

    def last_warning(self, place: Place, pod: str) -> str:
        """The newest event that warns of the pod; empty when there is none."""
        events = self._ask(
            f"list the events of the pod {pod}",
            self._core.list_namespaced_event,
            place.namespace,
            field_selector=f"involvedObject.name={pod},type=Warning",
        ).items
        timed = [(str(event.last_timestamp or ""), str(event.message or "")) for event in events]
        return max(timed, default=("", ""))[1]

    def _ask(self, doing: str, call: Callable[..., Any], *words: Any, **options: Any) -> Any:
        try:
            return call(*words, **options, _request_timeout=_REQUEST_TIMEOUT_S)
        except client.ApiException as error:
            raise _translated(doing, error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise AwayError(
                f"cannot {doing}: the Kubernetes API does not answer ({error})"
            ) from error


def connect() -> Cluster:
    """The cluster that this process runs in, or else that of KUBECONFIG."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except (config.ConfigException, OSError) as error:
            raise ServiceError(
                f"there is no way to a Kubernetes cluster ({error}): run this in a pod, set "
                "KUBECONFIG, or deploy with target=local"
            ) from error
    return Cluster(client.AppsV1Api(), client.AutoscalingV2Api(), client.CoreV1Api())


def _translated(doing: str, error: client.ApiException) -> ServiceError:
    if error.status == _NOT_FOUND:
        return MissingError(
            f"cannot {doing}: there is none. Install the chart, or name another Deployment in "
            "PARIVISION_DEPLOYMENT"
        )
    if error.status in {_UNAUTHORIZED, _FORBIDDEN}:
        return ServiceError(
            f"cannot {doing}: Kubernetes forbids it ({error.status}). The ServiceAccount needs the "
            "Role of the chart `pipelines`: add it to the values' pipelines.subjects"
        )
    sentence = f"cannot {doing}: Kubernetes answered {error.status} {error.reason}: {error.body}"
    away = error.status == _TOO_MANY or (error.status or 0) >= _SERVER_ERROR
    return AwayError(sentence) if away else ServiceError(sentence)


def _labels(wanted: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(wanted.items()))
