"""The rollout in a cluster that is a few objects in memory: done, stuck, failed, taken back.

The cluster tier does the same on a real Kubernetes.
"""

import json

import pytest
import urllib3
from kubernetes import client as k8s

from deployment_standin import (
    NEW,
    NOTHING,
    OLD,
    PLACE,
    Kubernetes,
    become_ready,
    ended,
    pod,
    waiting,
)
from parivision.errors import ServiceError
from parivision.kubernetes import Release, deploy
from parivision.kubernetes.deploy import PATIENCE_S
from parivision.kubernetes.release import FORMER


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
