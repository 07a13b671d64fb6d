"""A real Kubernetes API for tests: etcd and kube-apiserver as processes, with nothing behind them.

No controller and no node: what is made stays as it was made. It shows what the API itself decides:
rights, defaults, and admission.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from kubernetes import client

from pipeline.charts import LAB_BIN
from ports import free_port
from waiting import wait_for

Object = dict[str, Any]

PROGRAMS: Final = ("etcd", "kube-apiserver")
HOW_TO: Final = "no etcd or kube-apiserver: the lab builds them (tests/lab/README.md)"
START_S: Final = 120.0
_TOKEN: Final = "a-token-of-the-test"  # noqa: S105 - opens the process below
# Where objects of a kind are made; those of the cluster have no namespace.
_PATHS: Final = {
    "Namespace": "/api/v1/namespaces",
    "CronJob": "/apis/batch/v1/namespaces/{}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ValidatingAdmissionPolicy": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
    ),
    "ValidatingAdmissionPolicyBinding": (
        "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"
    ),
}


def programs() -> list[str] | None:
    """The paths of both, on the path or in the lab's folder; None where one is missing."""
    found = [shutil.which(name) or shutil.which(name, path=str(LAB_BIN)) for name in PROGRAMS]
    return None if None in found else [str(path) for path in found]


@dataclass(frozen=True)
class KubeApiserver:
    """The API at a port of 127.0.0.1; its administrator may ask as somebody else."""

    url: str

    def create(self, thing: Object, *, user: str = "", dry_run: bool = False) -> httpx.Response:
        """Make an object; with `dry_run` everything is decided and nothing kept."""
        path = _PATHS[thing["kind"]].format(thing["metadata"].get("namespace", ""))
        with httpx.Client(verify=False, headers=self._headers(user), trust_env=False) as session:  # noqa: S501
            return session.post(
                self.url + path, json=thing, params={"dryRun": "All"} if dry_run else {}
            )

    def ask(self, method: str, path: str, *, user: str = "") -> httpx.Response:
        """Any other question."""
        with httpx.Client(verify=False, headers=self._headers(user), trust_env=False) as session:  # noqa: S501
            return session.request(method, self.url + path)

    def batch(self, user: str) -> client.BatchV1Api:
        """The API of Jobs as a user finds it."""
        configuration = client.Configuration(host=self.url)
        configuration.verify_ssl = False
        api = client.ApiClient(configuration)
        for name, value in self._headers(user).items():
            api.set_default_header(name, value)
        return client.BatchV1Api(api)

    def _headers(self, user: str) -> dict[str, str]:
        other = {"Impersonate-User": user} if user else {}
        return {"Authorization": f"Bearer {_TOKEN}", **other}


@contextmanager
def running(folder: Path) -> Iterator[KubeApiserver]:
    """The API for as long as the block lasts; its data are in `folder`."""
    found = programs()
    assert found is not None
    etcd, apiserver = found
    peer, store, port = free_port(), free_port(), free_port()
    key, tokens = folder / "accounts.key", folder / "tokens.csv"
    key.write_bytes(_key())
    tokens.write_text(f"{_TOKEN},admin,admin,system:masters\n")
    at = "http://127.0.0.1:"
    commands = {
        "etcd": [
            etcd,
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={at}{store}",
            f"--advertise-client-urls={at}{store}",
            f"--listen-peer-urls={at}{peer}",
            f"--initial-advertise-peer-urls={at}{peer}",
            f"--initial-cluster=default={at}{peer}",
            "--unsafe-no-fsync",
        ],
        "apiserver": [
            apiserver,
            f"--etcd-servers={at}{store}",
            f"--cert-dir={folder / 'certificates'}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--authorization-mode=RBAC",
            f"--token-auth-file={tokens}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        ],
    }
    with ExitStack() as stack:
        for name, command in commands.items():
            stack.enter_context(_process(command, folder / f"{name}.log"))
        server = KubeApiserver(f"https://127.0.0.1:{port}")
        wait_for(lambda: _is_ready(server), "the API", START_S)
        yield server


def _key() -> bytes:
    """A key for the tokens of service accounts; none is made."""
    return rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield
        finally:
            process.terminate()


def _is_ready(server: KubeApiserver) -> bool:
    try:
        return server.ask("GET", "/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
