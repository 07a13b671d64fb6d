"""What a rollout asks of the Kubernetes API."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kubernetes import client

from parivision.kubernetes.api import (
    ConflictError,
    KubernetesApi,
    MissingError,
    configure,
    selector,
)

CONTAINER: Final = "shots"
"""The container of the prediction service's pods."""
FLAGGER: Final = "flagger.app"
_FLAGGER_VERSION: Final = "v1beta1"
_GATEWAY: Final = "gateway.networking.k8s.io"
_GATEWAY_VERSION: Final = "v1"
REPLICAS: Final = "parivision.dev/replicas"
REVISION: Final = "deployment.kubernetes.io/revision"
_HASH: Final = "pod-template-hash"
_LOG_LINES: Final = 15
# Kubernetes' reference of events asks for a note of 1 kB at most.
_EVENT_CHARACTERS: Final = 1000
_API: Final = KubernetesApi(
    forbidden="The ServiceAccount needs the Role of the chart `pipelines`: add it to the values' "
    "pipelines.subjects",
    missing="Install the chart, or name another Deployment in PARIVISION_DEPLOYMENT",
)


@dataclass(frozen=True)
class DeploymentTarget:
    """Where the prediction service runs: a Deployment."""

    namespace: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "DeploymentTarget":
        """The Deployment that `namespace/name` names."""
        return cls(*text.split("/"))

    def __str__(self) -> str:
        """As people write it."""
        return f"{self.namespace}/{self.name}"


class Cluster:
    """The parts of the API that a rollout needs; a test hands over its own."""

    def __init__(self, apps: Any, autoscaling: Any, core: Any, custom: Any) -> None:
        self._apps = apps
        self._autoscaling = autoscaling
        self._core = core
        self._custom = custom

    def deployment(self, target: DeploymentTarget) -> Any:
        """The Deployment as it is."""
        return _API.ask(
            f"read the Deployment {target}",
            self._apps.read_namespaced_deployment,
            target.name,
            target.namespace,
        )

    def patch(self, target: DeploymentTarget, body: Mapping[str, Any]) -> None:
        """Change the Deployment; what `body` does not name stays."""
        _API.ask(
            f"change the Deployment {target}",
            self._apps.patch_namespaced_deployment,
            target.name,
            target.namespace,
            dict(body),
        )

    def least_replicas(self, target: DeploymentTarget) -> int:
        """How many pods to begin with: the least that the Deployment's autoscaler keeps.

        Without one it is what the Deployment's annotation says, or else 1.
        """
        try:
            scaler = _API.ask(
                f"read the HorizontalPodAutoscaler {target}",
                self._autoscaling.read_namespaced_horizontal_pod_autoscaler,
                target.name,
                target.namespace,
            )
        except MissingError:
            annotations = self.deployment(target).metadata.annotations or {}
            return int(annotations.get(REPLICAS, 1))
        return int(scaler.spec.min_replicas or 1)

    def newest_pods(self, target: DeploymentTarget, deployment: Any) -> list[Any]:
        """The pods that the Deployment's newest revision has made."""
        revision = (deployment.metadata.annotations or {}).get(REVISION)
        labels = selector(deployment.spec.selector.match_labels)
        sets = _API.list_all(
            f"list the ReplicaSets of {target}",
            self._apps.list_namespaced_replica_set,
            target.namespace,
            label_selector=labels,
        )
        newest = [s for s in sets if (s.metadata.annotations or {}).get(REVISION) == revision]
        if not newest:
            return []
        hashed = newest[0].metadata.labels[_HASH]
        pods = _API.list_all(
            f"list the pods of {target}",
            self._core.list_namespaced_pod,
            target.namespace,
            label_selector=f"{labels},{_HASH}={hashed}",
        )
        # A pod that is being deleted is no part of the rollout any more, whatever its state is.
        return [pod for pod in pods if pod.metadata.deletion_timestamp is None]

    def log_end(self, target: DeploymentTarget, pod: str) -> str:
        """The last lines that the pod's container logged before it ended."""
        lines = _API.ask(
            f"read the log of the pod {pod}",
            self._core.read_namespaced_pod_log,
            pod,
            target.namespace,
            container=CONTAINER,
            previous=True,
            tail_lines=_LOG_LINES,
        )
        return str(lines).strip()

    def last_warning(self, target: DeploymentTarget, pod: str) -> str:
        """The newest event that warns of the pod; empty when there is none."""
        return max(self._warnings(target, f"involvedObject.name={pod}"), default=("", ""))[1]

    def canary(self, target: DeploymentTarget) -> Mapping[str, Any] | None:
        """Flagger's Canary of the Deployment, of the same name; None where there is none."""
        try:
            canary = _API.ask(
                f"read the Canary {target}",
                self._custom.get_namespaced_custom_object,
                *_canary_path(target),
            )
        except MissingError:
            return None
        return dict(canary)

    def route(self, target: DeploymentTarget) -> Mapping[str, Any] | None:
        """The HTTPRoute that Flagger keeps, of the same name; None where there is none yet."""
        path = (_GATEWAY, _GATEWAY_VERSION, target.namespace, "httproutes", target.name)
        try:
            route = _API.ask(
                f"read the HTTPRoute {target}", self._custom.get_namespaced_custom_object, *path
            )
        except MissingError:
            return None
        return dict(route)

    def verdict(self, target: DeploymentTarget, path: str) -> Any:
        """What the verdict service of the Deployment's release answers to a GET, as JSON.

        The API passes it on, so that whoever reaches the API needs no way to the service.
        """
        service = f"{target.name.removesuffix('-shots')}-verdict"
        answer = _API.ask(
            f"ask the verdict service {target.namespace}/{service}",
            self._core.connect_get_namespaced_service_proxy_with_path,
            f"{service}:8080",
            target.namespace,
            path,
            # The client would make Python's text of JSON.
            _preload_content=False,
        )
        return json.loads(answer.data)

    def patch_canary(self, target: DeploymentTarget, body: Mapping[str, Any]) -> None:
        """Change the Canary; what `body` does not name stays."""
        _API.ask(
            f"change the Canary {target}",
            self._custom.patch_namespaced_custom_object,
            *_canary_path(target),
            dict(body),
        )

    def canary_warnings(self, target: DeploymentTarget) -> list[str]:
        """Flagger's warnings, the oldest first; Kubernetes keeps events for an hour."""
        about = f"involvedObject.kind=Canary,involvedObject.name={target.name}"
        return [message for _, message in sorted(self._warnings(target, about))]

    def record_event(
        self, target: DeploymentTarget, uid: str, name: str, reason: str, message: str
    ) -> None:
        """Make an event of the Canary; one of that name, which is there already, stays."""
        now = datetime.now(UTC)
        is_bad = reason == "RolledBack"
        event = client.CoreV1Event(
            metadata=client.V1ObjectMeta(name=name, namespace=target.namespace),
            involved_object=client.V1ObjectReference(
                api_version=f"{FLAGGER}/{_FLAGGER_VERSION}",
                kind="Canary",
                name=target.name,
                namespace=target.namespace,
                uid=uid,
            ),
            type="Warning" if is_bad else "Normal",
            reason=reason,
            message=message[:_EVENT_CHARACTERS],
            source=client.V1EventSource(component="parivision-verdict"),
            first_timestamp=now,
            last_timestamp=now,
            count=1,
        )
        # Consequences are carried out again after a crash: the event may be there already.
        with suppress(ConflictError):
            _API.ask(
                f"make an event of the Canary {target}",
                self._core.create_namespaced_event,
                target.namespace,
                event,
            )

    def _warnings(self, target: DeploymentTarget, about: str) -> list[tuple[str, str]]:
        events = _API.list_all(
            f"list events ({about})",
            self._core.list_namespaced_event,
            target.namespace,
            field_selector=f"{about},type=Warning",
        )
        return [(str(event.last_timestamp or ""), str(event.message or "")) for event in events]


def connect() -> Cluster:
    """The cluster that this process runs in, or else that of KUBECONFIG."""
    configure()
    return Cluster(
        client.AppsV1Api(),
        client.AutoscalingV2Api(),
        client.CoreV1Api(),
        client.CustomObjectsApi(),
    )


def _canary_path(target: DeploymentTarget) -> tuple[str, str, str, str, str]:
    return FLAGGER, _FLAGGER_VERSION, target.namespace, "canaries", target.name
