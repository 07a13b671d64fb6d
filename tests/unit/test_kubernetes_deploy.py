"""The rollout in a cluster that is a few objects in memory: done, stuck, failed, taken back.

The cluster tier does the same on a real Kubernetes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
from kubernetes import client as k8s

from parivision.errors import ServiceError
from parivision.kubernetes import Cluster, Release, deploy
from parivision.kubernetes.deploy import PATIENCE_S
from parivision.kubernetes.release import DIGEST, FORMER, VERSION

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


class TestGood:
    """Rollouts that end well."""

    def test_a_new_release_is_served_by_all_pods(self):
        """The image by digest, the version and the Bento are on the template; the pods stay two."""
        cluster = Kubernetes(reaction=become_ready)
        assert cluster.deploy() == "http://parivision-shots.parivision.svc:3000"
        assert cluster.served == NEW
        assert (cluster.ready, cluster.replicas) == (2, 2)
        assert "replicas" not in cluster.patches[0]["spec"], "the autoscaler's number is its own"
        assert FORMER not in cluster.notes

    @pytest.mark.parametrize(("least", "expected"), [(3, 3), (None, 1)])
    def test_the_first_release_starts_the_autoscalers_least_number(self, least, expected):
        """Where nothing was served yet, the pods are as many as the autoscaler keeps, or one."""
        cluster = Kubernetes(NOTHING, replicas=0, ready=0, least=least, reaction=become_ready)
        cluster.deploy()
        assert (cluster.served, cluster.replicas) == (NEW, expected)

    def test_the_same_release_again_changes_nothing(self):
        """A step that is run again finds it done."""
        cluster = Kubernetes(NEW)
        cluster.deploy()
        assert (cluster.served, cluster.generation, cluster.now_s) == (NEW, 1, 0)

    def test_an_api_that_is_away_for_a_while_is_waited_for(self):
        """A restarted control plane is no failed rollout."""

        def away(cluster: Kubernetes) -> None:
            cluster.refusals = {}
            if cluster.now_s < 60:
                refused = urllib3.exceptions.ProtocolError("connection refused")
                cluster.refusals = {"read": refused}
            elif cluster.now_s < 90:
                cluster.refusals = {"read": k8s.ApiException(status=503, reason="starting")}
            else:
                become_ready(cluster)

        cluster = Kubernetes(reaction=away)
        cluster.deploy()
        assert cluster.served == NEW

    def test_a_trouble_that_passes_is_waited_for(self):
        """A registry that is restarted in the middle costs time, not the rollout."""

        def pulled_at_last(cluster: Kubernetes) -> None:
            cluster.pods = [pod(state=waiting("ErrImagePull", "connection refused"))]
            if cluster.now_s > PATIENCE_S - 5:
                become_ready(cluster)

        cluster = Kubernetes(reaction=pulled_at_last)
        cluster.deploy()
        assert cluster.served == NEW


TROUBLES = {
    "image": (
        pod(state=waiting("ImagePullBackOff", "sha256:new: not found")),
        r"its image cannot be pulled \(ImagePullBackOff\): sha256:new: not found",
    ),
    "crash": (
        pod(state=waiting("CrashLoopBackOff"), restart_count=2, last_state=ended("OOMKilled", 137)),
        r"(?s)ends again and again \(OOMKilled, exit code 137\).*the end of the log",
    ),
    "crashed and up again": (
        pod(state=k8s.V1ContainerState(), restart_count=1),
        r"(?s)ends again and again\n.*the end of the log",
    ),
    "secret": (
        pod(state=waiting("CreateContainerConfigError", 'secret "x" not found')),
        r'cannot start \(CreateContainerConfigError\): secret "x" not found',
    ),
}


class TestBad:
    """Rollouts that fail say why, and are taken back."""

    @pytest.mark.parametrize("trouble", TROUBLES)
    def test_a_trouble_that_lasts_ends_the_rollout(self, trouble):
        """The reason is said after a minute, not at the deadline, and version 1 is back."""
        broken, says = TROUBLES[trouble]
        cluster = Kubernetes(pods=[pod("shots-2", ready=True), broken])
        with pytest.raises(ServiceError, match=says) as failed:
            cluster.deploy()
        assert "Version 1, which was served before it, is back." in str(failed.value)
        assert cluster.served == OLD
        assert cluster.replicas == 2
        assert PATIENCE_S <= cluster.now_s < PATIENCE_S + 5

    def test_a_quota_is_named(self):
        """Pods that the cluster does not let be made are no mystery."""
        message = 'pods "x" is forbidden: exceeded quota: pods'
        refused = k8s.V1DeploymentCondition(type="ReplicaFailure", status="True", message=message)
        cluster = Kubernetes(conditions=[refused])
        with pytest.raises(ServiceError, match=r"refuses its pods: .*exceeded quota"):
            cluster.deploy()
        assert cluster.served == OLD

    def test_no_progress_is_said_at_once_with_the_pods_reason(self):
        """The Deployment's own deadline ends the wait, and the pod's event says why."""
        message = 'ReplicaSet "x" has timed out progressing.'
        late = k8s.V1DeploymentCondition(type="Progressing", status="False", message=message)
        cluster = Kubernetes(conditions=[late], pods=[pod(state=k8s.V1ContainerState())])
        cluster.warnings = ["older", "Readiness probe failed: 503"]
        says = "timed out progressing.; the pod shots-1 is not ready: Readiness probe failed: 503"
        with pytest.raises(ServiceError, match=says):
            cluster.deploy()
        assert cluster.now_s == 0

    @pytest.mark.parametrize(
        ("slow", "says"),
        [
            (pod(state=k8s.V1ContainerState()), "the pod shots-1 is not ready"),
            (pod(), "the pod shots-1 has not started"),
            (pod(scheduled="0/1 nodes: cpu"), "no node takes its pod: 0/1 nodes: cpu"),
        ],
    )
    def test_the_deadline_ends_what_only_takes_long(self, slow, says):
        """A pod that is not ready, or that no node has room for, is given all the time there is."""
        cluster = Kubernetes(pods=[slow])
        with pytest.raises(ServiceError, match=f"not done within 100 s: {says}"):
            cluster.deploy(timeout_s=100)
        assert cluster.now_s == 100
        assert cluster.served == OLD

    def test_without_pods_the_count_is_said(self):
        """Old pods that do not go keep a rollout open."""
        with pytest.raises(ServiceError, match="within 5 s: 0 of 2 new pods are available"):
            Kubernetes().deploy(timeout_s=5)

    def test_a_first_release_that_fails_leaves_nothing_served(self):
        """There is nobody to go back to: no pods crash on."""
        broken = pod(state=waiting("CrashLoopBackOff"), restart_count=3)
        cluster = Kubernetes(NOTHING, replicas=0, ready=0, pods=[broken])
        with pytest.raises(ServiceError, match="Nothing was served before it, and nothing is now"):
            cluster.deploy()
        assert (cluster.served, cluster.replicas) == (NOTHING, 0)

    def test_a_log_out_of_reach_hides_no_reason(self):
        """Without the right to read logs the reason is still said."""
        cluster = Kubernetes(pods=[pod(state=waiting("CrashLoopBackOff"), restart_count=2)])
        cluster.refusals = {"log": k8s.ApiException(status=403, reason="Forbidden")}
        with pytest.raises(ServiceError, match="its container ends again and again"):
            cluster.deploy()

    def test_a_step_that_died_knows_what_to_go_back_to(self):
        """The note on the Deployment outlives the step: the second attempt takes back, too."""
        cluster = Kubernetes()
        cluster.refusals = {}

        def killed(_: float) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            deploy(
                NEW,
                PLACE,
                timeout_s=9,
                cluster=cluster.cluster(),
                clock=cluster.clock,
                sleep=killed,
            )
        assert cluster.served == NEW
        assert json.loads(cluster.notes[FORMER])["version"] == "1"
        with pytest.raises(ServiceError, match="Version 1, which was served before it, is back"):
            cluster.deploy(timeout_s=9)
        assert cluster.served == OLD

    def test_a_served_release_that_falls_ill_is_not_replaced_by_an_older_one(self):
        """After a rollout that ended well there is no way back that nobody asked for."""
        cluster = Kubernetes(reaction=become_ready)
        cluster.deploy()
        cluster.ready, cluster.reaction = 1, lambda _: None
        with pytest.raises(ServiceError, match="nothing to go back to"):
            cluster.deploy(timeout_s=9)
        assert cluster.served == NEW

    @pytest.mark.parametrize("ready", [0, 2])
    def test_another_release_that_came_meanwhile_is_left_alone(self, ready):
        """Of two rollouts at once the later one counts, and the earlier one says so."""
        third = Release("localhost:30500/shots@sha256:third", "3", "bento-3")

        def overtaken(cluster: Kubernetes) -> None:
            cluster.served, cluster.ready = third, ready

        cluster = Kubernetes(reaction=overtaken)
        with pytest.raises(ServiceError, match="another rollout, of version 3, took its place"):
            cluster.deploy(timeout_s=9)
        assert cluster.served == third


class TestRefused:
    """What the API refuses is said with what to do."""

    @pytest.mark.parametrize(
        ("what", "status", "says"),
        [
            ("read", 404, "PARIVISION_DEPLOYMENT"),
            ("read", 403, r"forbids it \(403\).*pipelines.subjects"),
            ("patch", 403, r"cannot change the Deployment parivision/parivision-shots.*403"),
            ("read", 401, r"forbids it \(401\)"),
            ("patch", 422, "answered 422 Invalid"),
            ("patch", 500, "answered 500"),
        ],
    )
    def test_an_answer_that_is_an_error(self, what, status, says):
        """Missing, forbidden, invalid: each has its words."""
        cluster = Kubernetes()
        cluster.refusals = {what: k8s.ApiException(status=status, reason="Invalid")}
        with pytest.raises(ServiceError, match=says):
            cluster.deploy()
        assert cluster.served == OLD

    def test_no_answer(self):
        """An API that is not there at the start is said at once."""
        cluster = Kubernetes()
        cluster.refusals = {"read": urllib3.exceptions.ProtocolError("refused")}
        with pytest.raises(ServiceError, match="the Kubernetes API does not answer"):
            cluster.deploy()

    def test_a_deployment_of_something_else(self, monkeypatch):
        """A Deployment without the service's container is not changed."""
        cluster = Kubernetes()
        found = cluster.read_namespaced_deployment("parivision-shots", "parivision")
        found.spec.template.spec.containers[0].name = "nginx"
        monkeypatch.setattr(cluster, "read_namespaced_deployment", lambda *_, **__: found)
        with pytest.raises(ServiceError, match="has no container 'shots'"):
            cluster.deploy()
        assert not cluster.patches
