"""`deploy` where Flagger rolls out: handed over, followed, and its end said with the reason."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kubernetes import client as k8s

from parivision.errors import ServiceError
from parivision.kubernetes import Cluster, Release, deploy
from parivision.kubernetes.canary import STATUS
from parivision.kubernetes.release import ATTEMPT, DIGEST, VERSION

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
        from parivision.kubernetes.release import template_key

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
        self.is_suspended = words[-1]["spec"]["suspend"]

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


def test_a_promotion_is_followed_with_its_progress():
    """The template is the release's, as a new attempt, and no pod is started here."""
    cluster = Kubernetes(reaction=steps)
    assert cluster.deploy() == ADDRESS
    assert NEW.is_same(cluster.primary)
    assert cluster.target.attempt
    assert cluster.replicas == 0
    assert cluster.said[1:] == [
        "Progressing, 5% of the traffic: not yet (quality)",
        "Progressing, 50% of the traffic: not yet (quality)",
    ]


def test_what_is_served_already_is_not_rolled_out_again():
    """Nothing is changed."""
    cluster = Kubernetes(NEW, NEW)
    assert cluster.deploy() == ADDRESS
    assert (cluster.target, cluster.now_s) == (NEW, 0)


def test_a_rollback_fails_with_the_verdicts_reason():
    """As soon as the verdict service says it, also when it has put the target back since."""

    def judged(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing"
        if cluster.now_s == 5:
            cluster.tell(**{cluster.key: "rolled_back"})
            cluster.phase, cluster.target = "Failed", OLD

    with pytest.raises(ServiceError, match=r"version 2 was not kept .*\(rolled back\): worse"):
        Kubernetes(reaction=judged).deploy()


def test_without_a_verdict_service_the_pods_and_flagger_say_why():
    """A crash at the start, with the end of the log."""

    def crashing(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing" if cluster.now_s < 30 else "Failed"
        state = k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason="CrashLoopBackOff"))
        status = k8s.V1ContainerStatus(
            name="shots", image="i", image_id="", ready=False, restart_count=2, state=state
        )
        cluster.pods = [
            k8s.V1Pod(
                metadata=k8s.V1ObjectMeta(name="shots-1"),
                status=k8s.V1PodStatus(container_statuses=[status]),
            )
        ]

    with pytest.raises(ServiceError, match=r"(?s)rolled back .*again and again.*model\.txt"):
        Kubernetes(reaction=crashing).deploy()


def test_flaggers_own_words_are_the_last_resort():
    """Neither verdict nor pods say anything."""

    def failing(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing" if cluster.now_s < 5 else "Failed"
        cluster.events = ["progress deadline exceeded"]

    with pytest.raises(ServiceError, match=r"was rolled back .*progress deadline exceeded"):
        Kubernetes(reaction=failing).deploy()


def test_a_newer_release_takes_the_place():
    """The earlier one says so, and leaves the later one alone."""

    def overtaken(cluster: Kubernetes) -> None:
        cluster.phase, cluster.target = "Progressing", OTHER

    cluster = Kubernetes(reaction=overtaken)
    with pytest.raises(ServiceError, match="another rollout, of version 3, took its place"):
        cluster.deploy()
    assert cluster.target == OTHER


def test_what_is_promoted_without_being_judged_is_let_pass():
    """A way back to the former champion: who took its place would be promoted unjudged, too."""
    seen: list[str] = []

    def way_back(cluster: Kubernetes) -> None:
        seen.append(cluster.target.version)
        if cluster.now_s > 20:
            cluster.is_forced, cluster.primary, cluster.phase = False, OTHER, "Succeeded"
            cluster.reaction = steps

    cluster = Kubernetes(target=OTHER, phase="Progressing", is_forced=True, reaction=way_back)
    assert cluster.deploy() == ADDRESS
    assert set(seen) == {OTHER.version}
    assert cluster.said[0] == (
        f"waits for version {OTHER.version}, which is promoted without being judged"
    )


def test_a_way_back_that_does_not_end_is_named():
    """It is not pushed aside."""
    cluster = Kubernetes(target=OTHER, phase="Progressing", is_forced=True)
    with pytest.raises(ServiceError, match=f"version {OTHER.version} was not promoted"):
        cluster.deploy()
    assert cluster.target == OTHER


def test_a_deadline_leaves_the_rollout_alone():
    """It goes on, and the same command follows it."""

    def slow(cluster: Kubernetes) -> None:
        cluster.phase, cluster.weight = "Progressing", 5

    cluster = Kubernetes(reaction=slow)
    with pytest.raises(ServiceError, match=r"was not decided .*The rollout goes on"):
        cluster.deploy(rollout_s=30)
    attempt = cluster.target.attempt
    cluster.reaction = steps
    assert cluster.deploy() == ADDRESS
    assert cluster.target.attempt == attempt, "it was followed, not begun anew"


def test_the_same_release_may_be_tried_again_after_a_failure():
    """As another attempt: Flagger would not look at the same template twice."""
    cluster = Kubernetes(Release(**{**vars(NEW), "attempt": "first"}), OLD, phase="Failed")
    cluster.reaction = steps
    cluster.deploy()
    assert cluster.target.attempt not in {"", "first"}


def test_a_change_of_the_chart_in_the_middle_is_no_other_release():
    """The template is another one, what it serves is the same."""

    def changed(cluster: Kubernetes) -> None:
        if cluster.now_s == 5:
            cluster.target = Release(**{**vars(cluster.target), "attempt": "chart"})
        steps(cluster)

    cluster = Kubernetes(reaction=changed)
    assert cluster.deploy() == ADDRESS


def test_the_first_champion_is_served_at_once_and_handed_over():
    """Flagger must not begin with the bare runtime; it makes the primary of what serves."""

    def taking_over(cluster: Kubernetes) -> None:
        assert not cluster.is_suspended
        assert NEW.is_same(cluster.target)
        cluster.phase = "Initializing" if cluster.now_s < 5 else "Initialized"

    cluster = Kubernetes(NOTHING, None, phase="", is_suspended=True, reaction=taking_over)
    assert cluster.deploy() == ADDRESS
    assert cluster.replicas == 1
    assert cluster.target.attempt == ""


def test_a_suspended_canary_is_named():
    """Nothing would happen for hours."""
    cluster = Kubernetes(is_suspended=True)
    with pytest.raises(ServiceError, match="the Canary is suspended"):
        cluster.deploy(rollout_s=5)
