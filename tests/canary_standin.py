"""A Deployment that Flagger rolls out and its Canary, in memory, as the Kubernetes API has them."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client as k8s

from parivision.kubernetes import Cluster, Release, deploy
from parivision.kubernetes.canary import STATUS
from parivision.kubernetes.release import ATTEMPT, DIGEST, VERSION, template_key

OLD = Release("localhost:30500/shots@sha256:old", "1", "bento-1")
NEW = Release("localhost:30500/shots@sha256:new", "2", "bento-2")
OTHER = Release("localhost:30500/shots@sha256:other", "3", "bento-3")
NOTHING = Release("parivision/serving:0.1.0")
PLACE = "parivision/parivision-shots"
ADDRESS = "http://parivision-shots.parivision.svc:3000"


@dataclass
class Kubernetes:
    """A target, its primary and their Canary; `reaction` is what Flagger makes of a second."""

    target: Release = OLD
    primary: Release | None = OLD
    phase: str = "Succeeded"
    weight: int = 0
    is_suspended: bool = False
    is_forced: bool = False
    replicas: int = 0
    annotations: dict[str, str] = field(default_factory=dict)
    reaction: Callable[["Kubernetes"], None] = lambda _: None
    events: list[str] = field(default_factory=list)
    pods: list[Any] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now_s: float = 0.0

    def deploy(self, release: Release = NEW, **waits: float) -> str:
        """Deploy in this cluster's time."""
        return deploy(
            release,
            PLACE,
            timeout_s=60,
            cluster=Cluster(self, self, self, self),
            say=self.said.append,
            clock=lambda: self.now_s,
            sleep=self.sleep,
            **{"rollout_s": 600, **waits},
        )

    def sleep(self, seconds: float) -> None:
        """Time goes by."""
        self.now_s += seconds
        self.reaction(self)

    def tell(self, **ended: str) -> None:
        """The verdict service writes how rollouts came out, by their template's key."""
        said = {
            "key": self.key,
            "outcome": "not yet",
            "former": "1",
            "checks": [{"name": "quality", "outcome": "not yet", "reason": ""}],
            "ended": {key: {"outcome": end, "reason": "worse"} for key, end in ended.items()},
        }
        self.annotations[STATUS] = json.dumps(said)

    @property
    def key(self) -> str:
        """The target's template, as the package names it."""
        return template_key(self.read_namespaced_deployment("parivision-shots", "parivision"))

    def read_namespaced_deployment(self, name: str, namespace: str, **_: Any) -> Any:
        """The target, or the primary."""
        served = self.target if name == "parivision-shots" else self.primary
        if served is None:
            raise k8s.ApiException(status=404, reason="Not Found")
        notes = {VERSION: served.version, DIGEST: served.digest, ATTEMPT: served.attempt}
        container = k8s.V1Container(name="shots", image=served.image)
        template = k8s.V1PodTemplateSpec(
            metadata=k8s.V1ObjectMeta(annotations={k: v for k, v in notes.items() if v}),
            spec=k8s.V1PodSpec(containers=[container]),
        )
        return k8s.V1Deployment(
            metadata=k8s.V1ObjectMeta(name=name, namespace=namespace, generation=1),
            spec=k8s.V1DeploymentSpec(
                replicas=self.replicas,
                selector=k8s.V1LabelSelector(match_labels={"app": "shots"}),
                template=template,
            ),
            status=k8s.V1DeploymentStatus(
                observed_generation=1,
                replicas=self.replicas,
                updated_replicas=self.replicas,
                available_replicas=self.replicas,
            ),
        )

    def patch_namespaced_deployment(
        self, name: str, _namespace: str, body: dict[str, Any], **_: Any
    ) -> None:
        """Only the target is changed by anybody but Flagger."""
        assert name == "parivision-shots"
        if "spec" not in body:
            return
        self.replicas = body["spec"].get("replicas", self.replicas)
        notes = body["spec"]["template"]["metadata"]["annotations"]
        image = body["spec"]["template"]["spec"]["containers"][0]["image"]
        self.target = Release(image, *(notes[name] or "" for name in (VERSION, DIGEST, ATTEMPT)))

    def get_namespaced_custom_object(self, *path: str, **_: Any) -> dict[str, Any]:
        """The Canary, or the route."""
        if path[3] == "httproutes":
            names = {"parivision-shots-primary": 100 - self.weight}
            names["parivision-shots-canary"] = self.weight
            backends = [{"name": name, "weight": weight} for name, weight in names.items()]
            return {"spec": {"rules": [{"backendRefs": backends}]}}
        assert path == ("flagger.app", "v1beta1", "parivision", "canaries", "parivision-shots")
        return {
            "metadata": {"uid": "uid", "annotations": self.annotations},
            "spec": {
                "suspend": self.is_suspended,
                "skipAnalysis": self.is_forced,
                "analysis": {},
            },
            "status": {"phase": self.phase} if self.phase else {},
        }

    def patch_namespaced_custom_object(self, *words: Any, **_: Any) -> None:
        """A merge patch."""
        body = words[-1]
        self.is_suspended = body.get("spec", {}).get("suspend", self.is_suspended)
        self.annotations |= body.get("metadata", {}).get("annotations", {})

    def read_namespaced_horizontal_pod_autoscaler(self, *_: Any, **__: Any) -> Any:
        """None."""
        raise k8s.ApiException(status=404, reason="Not Found")

    def list_namespaced_replica_set(self, *_: Any, **__: Any) -> Any:
        """One, of no known revision."""
        meta = k8s.V1ObjectMeta(annotations={}, labels={"pod-template-hash": "x"})
        return k8s.V1ReplicaSetList(items=[k8s.V1ReplicaSet(metadata=meta)])

    def list_namespaced_pod(self, *_: Any, **__: Any) -> Any:
        """The canary's."""
        return k8s.V1PodList(items=self.pods)

    def list_namespaced_event(self, *_: Any, **__: Any) -> Any:
        """Flagger's warnings."""
        about = {"involved_object": k8s.V1ObjectReference(), "metadata": k8s.V1ObjectMeta()}
        return k8s.CoreV1EventList(items=[k8s.CoreV1Event(message=m, **about) for m in self.events])

    def read_namespaced_pod_log(self, *_: Any, **__: Any) -> str:
        """What it said at last."""
        return "no such file: model.txt"


def steps(cluster: Kubernetes) -> None:
    """Flagger takes a step every ten seconds, to the promotion."""
    cluster.phase, cluster.weight = "Progressing", 5
    cluster.tell()
    if cluster.now_s > 10:
        cluster.weight = 50
    if cluster.now_s > 20:
        cluster.phase, cluster.primary, cluster.weight = "Succeeded", cluster.target, 0
