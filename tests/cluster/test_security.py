"""Given the installed system, what has no right is refused, and nobody learns a password."""

import base64
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, wait_for

REGISTRY = "http://127.0.0.1:30500"
PIPELINES = f"system:serviceaccount:{NAMESPACE}:{RELEASE}-pipelines"
STRANGER = "stranger"
# Parts that talk to Kubernetes, and so have an account's token.
KNOWN_TO_KUBERNETES = {"pipelines", "prometheus", "retraining", "verdict"}
PASSWORD = re.compile(r"\b[0-9a-f]{48,}\b|\$2[aby]\$\S{50,}")
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


class Passwords:
    """Passwords and hashes of the namespace's Secrets; a failing test must not print them."""

    def __init__(self, cluster: LiveCluster) -> None:
        found: set[str] = set()
        for secret in cluster.core.list_namespaced_secret(NAMESPACE).items:
            for value in (secret.data or {}).values():
                # Alone, in a URL or in a file: they are random hexadecimals, or bcrypt's.
                found |= set(PASSWORD.findall(base64.b64decode(value).decode(errors="ignore")))
        assert len(found) > len(PORTS)
        self._words = found

    def __repr__(self) -> str:
        """How many there are."""
        return f"<{len(self._words)} passwords>"

    def are_in(self, text: str) -> bool:
        """Whether a text holds one of them."""
        return any(word in text for word in self._words)


@pytest.fixture(scope="module")
def passwords(cluster: LiveCluster) -> Passwords:
    """What nobody may learn."""
    return Passwords(cluster)


def test_no_secret_is_in_git(passwords: Passwords) -> None:
    """Neither in the files nor in any commit."""
    said = subprocess.run(
        ["git", "log", "--all", "--patch"],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if said.returncode:
        pytest.skip("this is no git checkout")
    assert not passwords.are_in(said.stdout)


def test_no_secret_is_in_a_log(cluster: LiveCluster, passwords: Passwords) -> None:
    """Of no container, not of the one that ran before it either, nor in events."""
    for pod in cluster.core.list_namespaced_pod(NAMESPACE).items:
        name = pod.metadata.name
        for previous in ("false", "true"):
            asked = ("logs", name, "-n", NAMESPACE, "--all-containers", f"--previous={previous}")
            assert not passwords.are_in(cluster.kubectl(*asked, check=False)), name
    assert not passwords.are_in(cluster.kubectl("get", "events", "-n", NAMESPACE, "-o", "json"))


def test_no_secret_is_in_an_object_or_in_what_the_service_tells(
    cluster: LiveCluster, passwords: Passwords, gateway_url: str, http: httpx.Client
) -> None:
    """Environments, arguments and settings name Secrets and hold none."""
    kinds = "pods,deployments,statefulsets,jobs,configmaps,services,prometheuses,alertmanagers"
    assert not passwords.are_in(cluster.kubectl("get", kinds, "-n", NAMESPACE, "-o", "yaml"))
    for path in ("/", "/champion", "/metrics", "/docs.json"):
        assert not passwords.are_in(http.get(f"{gateway_url}{path}").text), path


def test_no_secret_is_in_an_environment(cluster: LiveCluster, passwords: Passwords) -> None:
    """What a command in any container of the running pods finds in its environment."""
    looked = 0
    for pod in cluster.core.list_namespaced_pod(NAMESPACE).items:
        for one in pod.spec.containers if pod.status.phase == "Running" else ():
            place = ("exec", pod.metadata.name, "-n", NAMESPACE, "-c", one.name, "--")
            shown = cluster.kubectl(*place, "env", check=False)
            # An image may hold nothing but its server: nobody can run a command there.
            looked += "PATH=" in shown
            assert not passwords.are_in(shown), f"{pod.metadata.name}/{one.name}"
    assert looked > len(PORTS)


def test_no_secret_is_in_an_image(
    cluster: LiveCluster, champion: dict[str, object], passwords: Passwords, tmp_path: Path
) -> None:
    """The champion's image is made in the cluster, where the Secrets are: its files are read."""
    assert champion
    image = cluster.deployment(f"{RELEASE}-{SERVING}").spec.template.spec.containers[0].image
    repository, digest = image.partition("/")[2].split("@")
    login = (
        cluster.secret("parivision-images", "username"),
        cluster.secret("parivision-images", "password"),
    )
    with httpx.Client(base_url=f"{REGISTRY}/v2/{repository}/", auth=login, timeout=30) as registry:
        accept = {"accept": "application/vnd.oci.image.manifest.v1+json"}
        manifest = registry.get(f"manifests/{digest}", headers=accept).raise_for_status().json()
        config = registry.get(f"blobs/{manifest['config']['digest']}").raise_for_status()
        layer = registry.get(f"blobs/{manifest['layers'][-1]['digest']}").raise_for_status()
    assert not passwords.are_in(config.text)
    (tmp_path / "layer").write_bytes(layer.content)
    unpacked = subprocess.run(
        ["tar", "--extract", "--to-stdout", "--file", tmp_path / "layer"],
        capture_output=True,
        check=True,
    )
    assert len(unpacked.stdout) > 2**16
    assert not passwords.are_in(unpacked.stdout.decode(errors="replace"))


def test_mlflow_refuses_who_is_not_known_or_may_not(cluster: LiveCluster) -> None:
    """No login: 401. A reader may read, and may not move the champion's alias."""
    name, password = (
        cluster.secret("parivision-mlflow-reader", key) for key in ("username", "password")
    )
    reader = (name, password)
    alias = {"name": "shots", "alias": "champion", "version": "1"}
    with (
        cluster.tunnel("mlflow", 5000),
        httpx.Client(base_url="http://localhost:5000/api/2.0/mlflow/") as mlflow,
    ):
        model = {"name": "shots"}
        assert mlflow.get("registered-models/get", params=model).status_code == 401
        wrong = (name, "wrong-password")
        assert mlflow.get("registered-models/get", params=model, auth=wrong).status_code == 401
        found = mlflow.get("registered-models/get", params=model, auth=reader)
        assert found.status_code == httpx.codes.OK, found.text
        moved = mlflow.post("registered-models/alias", json=alias, auth=reader)
        assert moved.status_code == httpx.codes.FORBIDDEN
        gone = mlflow.request("DELETE", "registered-models/delete", json=model, auth=reader)
        assert gone.status_code == httpx.codes.FORBIDDEN


def test_mongodb_refuses_who_is_not_known(cluster: LiveCluster) -> None:
    """Neither without a login nor with a wrong one; with the right one it answers."""
    user, word = (cluster.secret("parivision-lake", k) for k in ("username", "password"))
    with cluster.tunnel("mongodb", 27017):
        client: MongoClient[dict[str, Any]]
        wrong = {"username": user, "password": "wrong-password", "authSource": "parivision"}
        logins: tuple[dict[str, Any], ...] = ({}, wrong)
        for login in logins:
            with (
                MongoClient("localhost", directConnection=True, **login) as client,
                pytest.raises(OperationFailure),
            ):
                client["parivision"]["silver"].find_one()
        known: dict[str, Any] = {**wrong, "password": word}
        with MongoClient("localhost", directConnection=True, **known) as client:
            assert client["parivision"]["silver"].find_one()


def test_the_image_registry_refuses_who_is_not_known(http: httpx.Client) -> None:
    """Nothing is listed, pulled or pushed without a login."""
    for method, path in (
        ("GET", "_catalog"),
        ("GET", "shots/tags/list"),
        ("POST", "shots/blobs/uploads/"),
    ):
        assert http.request(method, f"{REGISTRY}/v2/{path}").status_code == 401, path


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
