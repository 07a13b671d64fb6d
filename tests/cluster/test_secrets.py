"""Given the installed system, nobody learns a password, and its servers refuse who has none."""

import base64
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster

SERVERS: Final = 4
"""Servers that ask for a login: there are more passwords than that, and more containers."""
REGISTRY = "http://127.0.0.1:30500"
PASSWORD = re.compile(r"\b[0-9a-f]{48,}\b|\$2[aby]\$\S{50,}")


class Passwords:
    """Passwords and hashes of the namespace's Secrets; a failing test must not print them."""

    def __init__(self, cluster: LiveCluster) -> None:
        found: set[str] = set()
        for secret in cluster.core.list_namespaced_secret(NAMESPACE).items:
            for value in (secret.data or {}).values():
                # Alone, in a URL or in a file: they are random hexadecimals, or bcrypt's.
                found |= set(PASSWORD.findall(base64.b64decode(value).decode(errors="ignore")))
        assert len(found) > SERVERS
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
    assert looked > SERVERS


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
