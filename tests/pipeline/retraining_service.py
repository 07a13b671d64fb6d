"""The retraining service as a process, and stand-ins of what runs its trainings."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx

import jobs_standin
from jobs_standin import JobsStandin
from kfp_standin import Fault, Standin
from parivision.kubernetes.cron_jobs import CAUSE
from parivision.retraining.notices import LABEL
from ports import free_port

TOKEN = "a-token-of-the-test"  # noqa: S105 - opens the process below
START_S = 120


class Trainings(Protocol):
    """What runs trainings, as a test sees it."""

    def environment(self, folder: Path) -> dict[str, str]:
        """Where the service finds it."""

    @property
    def words(self) -> tuple[str, ...]:
        """What the command is told of it."""

    @property
    def causes(self) -> list[str]:
        """The causes of the runs that were started."""

    def fail(self) -> None:
        """Let the one run fail."""

    def go_away(self, *, is_away: bool) -> None:
        """Let everything be answered with 503, or not any more."""


class OnKubeflow:
    """A Kubeflow Pipelines whose runs go on until somebody ends them."""

    words = ("--source", "synthetic:")

    def __init__(self, standin: Standin) -> None:
        """Runs do nothing."""
        self._standin = standin
        standin.engine = lambda server, run: server.set_state(run, "RUNNING")

    def environment(self, folder: Path) -> dict[str, str]:
        """KFP's address."""
        return {"PARIVISION_KFP": self._standin.url, "HOME": str(folder)}

    @property
    def causes(self) -> list[str]:
        """The parameter of each run; its name says for which alert it is."""
        runs = self._standin.runs.values()
        assert all(run["display_name"].endswith(" for ParivisionDrift") for run in runs)
        return [run["runtime_config"]["parameters"]["cause"] for run in runs]

    def fail(self) -> None:
        """As KFP says it."""
        (run,) = self._standin.runs.values()
        self._standin.set_state(run, "FAILED")

    def go_away(self, *, is_away: bool) -> None:
        """Of every request to come."""
        self._standin.faults = [Fault(503)] * 3 if is_away else []


class OnJobs:
    """A Kubernetes whose Jobs go on until somebody ends them."""

    words = ("--cron-job", f"{jobs_standin.NAMESPACE}/{jobs_standin.CRON_JOB}")

    def __init__(self, standin: JobsStandin) -> None:
        """The first champion was trained two hours ago."""
        self.standin = standin
        standin.add("first-champion", datetime.now(UTC) - timedelta(hours=2), "Complete")

    def environment(self, folder: Path) -> dict[str, str]:
        """A kubeconfig."""
        path = jobs_standin.kubeconfig(self.standin, folder)
        return {"KUBECONFIG": str(path), "HOME": str(folder)}

    @property
    def causes(self) -> list[str]:
        """The annotation of each Job's pod."""
        pods = [job["spec"]["template"]["metadata"] for job in self.standin.jobs]
        return [pod["annotations"][CAUSE] for pod in pods if "annotations" in pod]

    def fail(self) -> None:
        """As the cluster says it."""
        self.standin.end(self.standin.jobs[-1], "Failed")

    def go_away(self, *, is_away: bool) -> None:
        """As an API server that starts answers."""
        self.standin.fault = 503 if is_away else None


@contextmanager
def serving(trainings: Trainings, folder: Path) -> Iterator[httpx.Client]:
    """`parivision retrain-on-alerts` for as long as the block lasts."""
    port = free_port()
    token = folder / "token"
    token.write_text(TOKEN)
    command = [str(Path(sys.executable).with_name("parivision")), "retrain-on-alerts"]
    command += ["--port", str(port), "--window", "1", *trainings.words]
    environment = os.environ | trainings.environment(folder)
    environment["PARIVISION_ALERTS_TOKEN_FILE"] = str(token)
    log = folder / "retraining.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    limits = httpx.Limits(max_connections=1)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_answering(process, url, log)
        with httpx.Client(base_url=url, headers=headers, timeout=60, limits=limits) as client:
            yield client
    finally:
        process.terminate()
        # Uvicorn shuts down in order, and then dies of the signal.
        assert process.wait(timeout=30) in {0, -signal.SIGTERM}, log.read_text()
    assert TOKEN not in log.read_text()


def _wait_until_answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    retries = httpx.HTTPTransport(retries=8)  # it waits longer each time
    with httpx.Client(transport=retries, timeout=START_S, trust_env=False) as client:
        try:
            client.get(f"{url}/readyz").raise_for_status()
        except httpx.TransportError as error:
            raise RuntimeError(f"{process.poll()}: {log.read_text()[-2000:]}") from error


def message(name: str = "ParivisionDrift") -> dict[str, Any]:
    """What Alertmanager posts for an alert that fires."""
    labels = {"alertname": name, LABEL: "true"}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "It moved"}}
    return {"version": "4", "groupKey": "{}", "status": "firing", "alerts": [alert]}


def metric(client: httpx.Client, name: str) -> float:
    """A sample of the service's metrics."""
    lines = client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))
