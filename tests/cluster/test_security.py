"""Given the installed system, pods are held to little, and what has no right is refused."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for

PIPELINES = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-pipelines"
STRANGER = "stranger"
# Parts that talk to Kubernetes, and so have an account's token.
KNOWN_TO_KUBERNETES = {"pipelines", "prometheus", "retraining", "verdict"}
# The registry is not among them: nodes pull from it, and it asks for a password.
PORTS = {"mongodb": 27017, "mlflow": 5000, "shots": 3000, "stats-api": 8000}

Container = dict[str, Any]


@pytest.fixture(scope="module")
def pods(cluster: LiveCluster) -> list[dict[str, Any]]:
    """Every pod of the namespace as its YAML says."""
    listed = json.loads(cluster.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))
    found: list[dict[str, Any]] = listed["items"]
    assert found
    return found


def containers(pods: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], Container]]:
    """Every container by name, with its pod's security context."""
    for pod in pods:
        spec = pod["spec"]
        for one in (*spec["containers"], *spec.get("initContainers", ())):
            name = f"{pod['metadata']['name']}/{one['name']}"
            yield name, spec.get("securityContext", {}), one


def test_no_container_is_root_or_may_become_it(pods: list[dict[str, Any]]) -> None:
    """A numeric user that is not 0, no escalation, no capability, the runtime's seccomp profile."""
    for name, of_pod, one in containers(pods):
        context = {**of_pod, **one.get("securityContext", {})}
        assert context.get("runAsNonRoot") is True, name
        assert context.get("runAsUser", 0) > 0, name
        assert context.get("allowPrivilegeEscalation") is False, name
        assert context.get("readOnlyRootFilesystem") is True, name
        assert context.get("capabilities", {}).get("drop") == ["ALL"], name
        assert context.get("seccompProfile", {}).get("type") == "RuntimeDefault", name
        assert not context.get("privileged"), name


def test_every_container_says_what_it_needs_and_how_it_is(pods: list[dict[str, Any]]) -> None:
    """Requests and limits for all; probes for all that serve: a task is well when it has ended."""
    for name, _, one in containers(pods):
        for kind in ("requests", "limits"):
            assert {"cpu", "memory"} <= one["resources"].get(kind, {}).keys(), name
    serving = [pod for pod in pods if not _is_task(pod)]
    for pod in serving:
        for one in pod["spec"]["containers"]:
            name = f"{pod['metadata']['name']}/{one['name']}"
            assert one.get("readinessProbe"), name
            assert one.get("livenessProbe"), name


def _is_task(pod: dict[str, Any]) -> bool:
    owners = pod["metadata"].get("ownerReferences", ())
    return any(owner["kind"] == "Job" for owner in owners)


def test_only_who_talks_to_kubernetes_has_a_token(pods: list[dict[str, Any]]) -> None:
    """No other pod mounts the token of its account."""
    for pod in pods:
        mounts = [
            source
            for volume in pod["spec"].get("volumes", ())
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        ]
        labels = pod["metadata"]["labels"]
        known = {labels.get("app.kubernetes.io/name"), labels.get("app.kubernetes.io/component")}
        assert not mounts or known & KNOWN_TO_KUBERNETES, pod["metadata"]["name"]


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "pods"),
        ("delete", "deployments.apps/parivision-shots"),
        ("patch", "deployments.apps/parivision-mlflow"),
        ("patch", "statefulsets.apps/parivision-mongodb"),
        ("create", "pods/exec"),
        ("patch", "clusterroles"),
    ],
)
def test_kubernetes_refuses_what_a_pipeline_has_no_right_to(
    cluster: LiveCluster, verb: str, what: str
) -> None:
    """The pipelines' account rolls out one Deployment and does nothing else."""
    asked = ("auth", "can-i", verb, what, "--as", PIPELINES, "-n", NAMESPACE)
    assert cluster.kubectl(*asked, check=False).strip() == "no"


def test_a_pipeline_has_the_right_it_needs(cluster: LiveCluster) -> None:
    """The refusals above are of the account that may patch the prediction service."""
    what = f"deployments.apps/{RELEASE}-shots"
    asked = ("auth", "can-i", "patch", what, "--as", PIPELINES, "-n", NAMESPACE)
    assert cluster.kubectl(*asked).strip() == "yes"


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"securityContext": {"privileged": True}}, "privileged"),
        ({"securityContext": {"runAsUser": 0}}, "runAsUser=0"),
        ({}, "allowPrivilegeEscalation"),
    ],
)
def test_a_pod_that_breaks_pod_security_is_refused(
    cluster: LiveCluster, wish: dict[str, object], word: str
) -> None:
    """The API server says no, and which rule it breaks."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "breaker", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "breaker", "image": "nothing", **wish}]},
    }
    with pytest.raises(AssertionError, match=r"violates PodSecurity .*restricted") as refused:
        cluster.kubectl("apply", "-f", "-", given=json.dumps(pod))
    assert word in str(refused.value)


@pytest.fixture(scope="module")
def stranger(cluster: LiveCluster) -> Iterator[str]:
    """A pod of another namespace, which may send what it likes; of the exporter's image."""
    image = cluster.pods("exporter")[0].spec.containers[0].image
    command = ["python", "-c", "import signal; signal.pause()"]
    container = {"name": STRANGER, "image": image, "command": command}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": STRANGER, "namespace": "default"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    cluster.kubectl("apply", "-f", "-", given=json.dumps(pod))

    def runs() -> bool:
        return bool(cluster.core.read_namespaced_pod(STRANGER, "default").status.phase == "Running")

    try:
        wait_for("the stranger", runs, timeout_s=60)
        yield STRANGER
    finally:
        cluster.kubectl("delete", "pod", STRANGER, "-n", "default", "--ignore-not-found")


def _reaches(cluster: LiveCluster, pod: str, host: str, port: int) -> bool:
    script = f"import socket; socket.create_connection(({host!r}, {port}), timeout=3)"
    try:
        cluster.kubectl("exec", pod, "-n", "default", "--", "python", "-c", script)
    except AssertionError as error:
        assert re.search(r"timed out|refused|unreachable", str(error)), error  # noqa: PT017
        return False
    return True


def test_a_strangers_connection_is_refused(cluster: LiveCluster, stranger: str) -> None:
    """It reaches Kubernetes, so its network is well, and no part of the system."""
    assert _reaches(cluster, stranger, "kubernetes.default.svc", 443)
    for part, port in PORTS.items():
        host = f"{RELEASE}-{part}.{NAMESPACE}.svc"
        assert not _reaches(cluster, stranger, host, port), part


def test_the_retraining_service_may_make_no_job_but_the_training_s(cluster: LiveCluster) -> None:
    """A Job that mounts another Secret is refused for its account; the template's is taken."""
    service = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-retraining"
    asked = ("create", "--dry-run=server", "--as", service, "-f", "-")
    # As kubectl itself makes a Job of a CronJob: what the service does is no more than that.
    source = ("--from", f"cronjob/{RELEASE}-training", "-n", NAMESPACE)
    made = cluster.kubectl("create", "job", "a-job", *source, "--dry-run=client", "-o", "json")
    job = json.loads(made)
    assert "a-job" in cluster.kubectl(*asked, given=json.dumps(job))
    other = {"name": "other", "secret": {"secretName": "parivision-mongodb-root"}}
    job["spec"]["template"]["spec"]["volumes"].append(other)
    with pytest.raises(AssertionError, match="and no other"):
        cluster.kubectl(*asked, given=json.dumps(job))
    secrets = ("get", "secrets", "-n", NAMESPACE, "--as", service)
    with pytest.raises(AssertionError, match="forbidden"):
        cluster.kubectl(*secrets)
