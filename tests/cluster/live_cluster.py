"""The cluster under test: a thin hand on its API, waiting with deadlines, and what it tells."""

import base64
import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from kubernetes import client

NAMESPACE = "parivision"
RELEASE = "parivision"
# What answers users; `shots` is what its canaries are made from.
SERVING = "shots-primary"
POLL_S = 0.5

Answer = TypeVar("Answer")


class NotInTimeError(AssertionError):
    """Something did not become true before its deadline."""


def wait_for(
    what: str, ask: Callable[[], Answer | None], *, timeout_s: float, poll_s: float = POLL_S
) -> Answer:
    """The first answer of `ask` that is true; NotInTimeError with the last one after `timeout_s`.

    An AssertionError that `ask` raises counts as not yet.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            answer = ask()
        except AssertionError as error:
            last = str(error)
        else:
            if answer:
                return answer
            last = repr(answer)
        if time.monotonic() > deadline:
            raise NotInTimeError(f"{what}: not within {timeout_s:.0f} s; last seen: {last[:500]}")
        time.sleep(poll_s)


@dataclass(frozen=True)
class LiveCluster:
    """One cluster's API, and kubectl for what the API has no short way to."""

    kubeconfig: str
    core: client.CoreV1Api
    apps: client.AppsV1Api
    batch: client.BatchV1Api
    autoscaling: client.AutoscalingV2Api
    objects: client.CustomObjectsApi

    def kubectl(self, *arguments: str, given: str | None = None, check: bool = True) -> str:
        """What kubectl prints, asked with a deadline of two minutes."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, timeout=120, check=False
        )
        if check and done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def pods(self, name: str, namespace: str = NAMESPACE) -> list[Any]:
        """The pods of a part of the release, by `app.kubernetes.io/name`, but for those going."""
        selector = f"app.kubernetes.io/name={name}"
        found = self.core.list_namespaced_pod(namespace, label_selector=selector).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def ready_pods(self, name: str, namespace: str = NAMESPACE) -> list[Any]:
        """Those of them that are ready."""
        return [pod for pod in self.pods(name, namespace) if is_ready(pod)]

    def deployment(self, name: str, namespace: str = NAMESPACE) -> Any:
        """A Deployment as it is."""
        return self.apps.read_namespaced_deployment(name, namespace)

    def wait_rolled_out(
        self, name: str, *, timeout_s: float = 120, namespace: str = NAMESPACE
    ) -> None:
        """Return once all pods that a Deployment wants are new and available."""
        wait_for(
            f"rollout of {namespace}/{name}",
            lambda: _rolled_out(self.deployment(name, namespace)),
            timeout_s=timeout_s,
        )

    def canary(self) -> dict[str, Any]:
        """Flagger's Canary of the prediction service, as it is."""
        found: dict[str, Any] = self.objects.get_namespaced_custom_object(
            "flagger.app", "v1beta1", NAMESPACE, "canaries", f"{RELEASE}-shots"
        )
        return found

    def secret(self, name: str, key: str, namespace: str = NAMESPACE) -> str:
        """A value of a Secret; keep it out of messages and logs."""
        data = self.core.read_namespaced_secret(name, namespace).data
        return base64.b64decode(data[key]).decode()

    def login(self, name: str) -> tuple[str, str]:
        """The user and password of a Secret."""
        return self.secret(name, "username"), self.secret(name, "password")

    @contextmanager
    def tunnel(self, service: str, port: int) -> Iterator[None]:
        """The release's service at the same port of localhost, while the block runs."""
        with self.forwarded(NAMESPACE, f"{RELEASE}-{service}", port, port):
            yield

    @contextmanager
    def forwarded(self, namespace: str, service: str, port: int, local: int) -> Iterator[None]:
        """A service's port at a port of localhost, while the block runs.

        It is opened again when the pod that it led to is gone.
        """
        command = ["kubectl", "--kubeconfig", self.kubeconfig, "-n", namespace, "port-forward"]
        command += [f"svc/{service}", f"{local}:{port}"]
        closed = threading.Event()

        def keep_open() -> None:
            while not closed.is_set():
                with subprocess.Popen(command, stdout=subprocess.DEVNULL) as forward:
                    while forward.poll() is None and not closed.wait(0.2):
                        pass
                    forward.terminate()

        keeper = threading.Thread(target=keep_open, name=f"tunnel to {service}", daemon=True)
        keeper.start()
        try:
            wait_for(f"{service} at hand", lambda: _listens(local), timeout_s=30)
            yield
        finally:
            closed.set()
            keeper.join()

    @contextmanager
    def schedules_paused(self) -> Iterator[None]:
        """No CronJob of the release makes a Job by itself while the block runs.

        A run at full hour would take half the node from whatever is measured at that moment, and
        may promote a champion beside a test. The chart does not write the field that says so, so an
        upgrade within the block leaves it.
        """
        asked = {"label_selector": f"app.kubernetes.io/instance={RELEASE}"}
        paused = [
            job.metadata.name
            for job in self.batch.list_namespaced_cron_job(NAMESPACE, **asked).items
            if not job.spec.suspend
        ]
        for name in paused:
            self.batch.patch_namespaced_cron_job(name, NAMESPACE, {"spec": {"suspend": True}})
        try:
            yield
        finally:
            # A test may have uninstalled the release.
            there = self.batch.list_namespaced_cron_job(NAMESPACE, **asked).items
            for name in {job.metadata.name for job in there} & set(paused):
                self.batch.patch_namespaced_cron_job(name, NAMESPACE, {"spec": {"suspend": False}})

    def collect(self, folder: Path) -> None:
        """Leave in `folder` what helps to see why something failed: objects, events, logs."""
        folder.mkdir(parents=True, exist_ok=True)
        reports = {
            "pods.txt": ("get", "pods", "-A", "-o", "wide"),
            "events.txt": ("get", "events", "-A", "--sort-by", ".lastTimestamp"),
            "objects.yaml": (
                "get",
                "deploy,sts,job,hpa,svc,httproute",
                "-n",
                NAMESPACE,
                "-o",
                "yaml",
            ),
            "describe.txt": ("describe", "pods", "-n", NAMESPACE),
        }
        for file, arguments in reports.items():
            (folder / file).write_text(self.kubectl(*arguments, check=False))
        for pod in json.loads(self.kubectl("get", "pods", "-n", NAMESPACE, "-o", "json"))["items"]:
            name = pod["metadata"]["name"]
            said = self.kubectl(
                "logs", name, "-n", NAMESPACE, "--all-containers", "--tail=500", check=False
            )
            (folder / f"{name}.log").write_text(said)


def is_ready(pod: Any) -> bool:
    """Whether a pod's condition Ready is true."""
    conditions = pod.status.conditions or ()
    return any(c.type == "Ready" and c.status == "True" for c in conditions)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _rolled_out(deployment: Any) -> bool:
    wanted, status = deployment.spec.replicas or 0, deployment.status
    seen = (status.observed_generation or 0) >= deployment.metadata.generation
    counts = (status.updated_replicas, status.available_replicas, status.replicas)
    return seen and all((count or 0) == wanted for count in counts)
