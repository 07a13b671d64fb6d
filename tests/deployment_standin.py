"""A cluster with one Deployment that is a few objects in memory, on a clock of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client as k8s

from parivision.kubernetes import Cluster, Release, deploy
from parivision.kubernetes.release import DIGEST, VERSION

NEW = Release("localhost:30500/shots@sha256:new", "2", "bento-2")
OLD = Release("localhost:30500/shots@sha256:old", "1", "bento-1")
NOTHING = Release("parivision/serving:0.1.0")
PLACE = "parivision/parivision-shots"
TIMEOUT_S = 300.0
REVISION = "deployment.kubernetes.io/revision"

Reaction = Callable[["Kubernetes"], None]


@dataclass
class Kubernetes:
    """One Deployment with its pods; `reaction` is what the controllers make of a change."""

    served: Release = OLD
    replicas: int = 2
    least: int | None = 3
    reaction: Reaction = lambda _: None
    generation: int = 1
    ready: int = 2
    conditions: list[Any] = field(default_factory=list)
    pods: list[Any] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    log: str = "the end of the log"
    warnings: list[str] = field(default_factory=list)
    refusals: dict[str, Exception] = field(default_factory=dict)
    now_s: float = 0.0
    patches: list[dict[str, Any]] = field(default_factory=list)

    def clock(self) -> float:
        """Seconds since the beginning."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Time goes by, and the controllers do their work."""
        self.now_s += seconds
        self.reaction(self)

    def cluster(self) -> Cluster:
        """What a rollout is given."""
        return Cluster(self, self, self, self)

    def deploy(self, release: Release = NEW, timeout_s: float = TIMEOUT_S) -> str:
        """Deploy in this cluster's time."""
        return deploy(
            release,
            PLACE,
            timeout_s=timeout_s,
            cluster=self.cluster(),
            clock=self.clock,
            sleep=self.sleep,
        )

    def read_namespaced_deployment(self, name: str, namespace: str, **_: Any) -> Any:
        """The Deployment; its status knows the newest generation."""
        self._refuse("read")
        assert (namespace, name) == ("parivision", "parivision-shots")
        annotations = {VERSION: self.served.version, DIGEST: self.served.digest}
        container = k8s.V1Container(name="shots", image=self.served.image)
        template = k8s.V1PodTemplateSpec(
            metadata=k8s.V1ObjectMeta(annotations={k: v for k, v in annotations.items() if v}),
            spec=k8s.V1PodSpec(containers=[container]),
        )
        selector = k8s.V1LabelSelector(match_labels={"app": "shots"})
        return k8s.V1Deployment(
            metadata=k8s.V1ObjectMeta(
                name=name,
                generation=self.generation,
                annotations={REVISION: str(self.generation), **self.notes},
            ),
            spec=k8s.V1DeploymentSpec(replicas=self.replicas, selector=selector, template=template),
            status=k8s.V1DeploymentStatus(
                observed_generation=self.generation,
                replicas=self.replicas,
                updated_replicas=self.ready,
                available_replicas=self.ready,
                conditions=self.conditions,
            ),
        )

    def patch_namespaced_deployment(
        self, name: str, namespace: str, body: dict[str, Any], **_: Any
    ) -> None:
        """Merge a change; another image makes a new generation, of which no pod is ready."""
        self._refuse("patch")
        self.patches.append(body)
        for key, value in body["metadata"]["annotations"].items():
            self.notes.pop(key, None)
            if value is not None:
                self.notes[key] = value
        if "spec" not in body:
            return
        self.replicas = body["spec"].get("replicas", self.replicas)
        (container,) = body["spec"]["template"]["spec"]["containers"]
        notes = body["spec"]["template"]["metadata"]["annotations"]
        release = Release(container["image"], notes[VERSION] or "", notes[DIGEST] or "")
        if release != self.served:
            self.served, self.ready = release, 0
            self.generation += 1

    def get_namespaced_custom_object(self, *_: Any, **__: Any) -> Any:
        """There is no Canary, nor any of its kind."""
        self._refuse("canary")
        raise k8s.ApiException(status=404, reason="Not Found")

    def read_namespaced_horizontal_pod_autoscaler(self, name: str, namespace: str, **_: Any) -> Any:
        """The autoscaler, if there is one."""
        if self.least is None:
            raise k8s.ApiException(status=404, reason="Not Found")
        spec = k8s.V2HorizontalPodAutoscalerSpec(
            max_replicas=9,
            min_replicas=self.least,
            scale_target_ref=k8s.V2CrossVersionObjectReference(kind="Deployment", name=name),
        )
        return k8s.V2HorizontalPodAutoscaler(spec=spec)

    def list_namespaced_replica_set(self, namespace: str, **options: Any) -> Any:
        """The old and the new one."""
        assert options["label_selector"] == "app=shots"
        sets = [
            k8s.V1ReplicaSet(
                metadata=k8s.V1ObjectMeta(
                    annotations={REVISION: str(revision)},
                    labels={"pod-template-hash": f"hash{revision}"},
                )
            )
            for revision in range(1, self.generation + 1)
        ]
        return k8s.V1ReplicaSetList(items=sets)

    def list_namespaced_pod(self, namespace: str, **options: Any) -> Any:
        """The pods of the newest ReplicaSet."""
        assert options["label_selector"] == f"app=shots,pod-template-hash=hash{self.generation}"
        return k8s.V1PodList(items=self.pods)

    def read_namespaced_pod_log(self, name: str, namespace: str, **options: Any) -> str:
        """What the pod said before it ended."""
        assert options["previous"] is True
        self._refuse("log")
        return self.log

    def list_namespaced_event(self, namespace: str, **options: Any) -> Any:
        """Warnings, the newest last."""
        assert "type=Warning" in options["field_selector"]
        events = [
            k8s.CoreV1Event(
                involved_object=k8s.V1ObjectReference(),
                metadata=k8s.V1ObjectMeta(),
                message=message,
                last_timestamp=f"2026-01-01T00:00:{number:02}",
            )
            for number, message in enumerate(self.warnings)
        ]
        return k8s.CoreV1EventList(items=events)

    def _refuse(self, what: str) -> None:
        if what in self.refusals:
            raise self.refusals[what]


def become_ready(cluster: Kubernetes) -> None:
    """The controllers make all pods anew, and they start."""
    cluster.ready = cluster.replicas


def pod(name: str = "shots-1", scheduled: str = "", **status: Any) -> Any:
    """A pod with one container, or without any yet."""
    conditions = []
    if scheduled:
        conditions = [k8s.V1PodCondition(type="PodScheduled", status="False", message=scheduled)]
    containers = None
    if status:
        status = {"ready": False, "restart_count": 0, **status}
        containers = [k8s.V1ContainerStatus(name="shots", image="i", image_id="", **status)]
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name=name),
        status=k8s.V1PodStatus(conditions=conditions, container_statuses=containers),
    )


def waiting(reason: str, message: str = "") -> Any:
    """The state of a container that waits."""
    return k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason=reason, message=message))


def ended(reason: str, code: int) -> Any:
    """The state of a container that has ended."""
    return k8s.V1ContainerState(
        terminated=k8s.V1ContainerStateTerminated(reason=reason, exit_code=code)
    )
