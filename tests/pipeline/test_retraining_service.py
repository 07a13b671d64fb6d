"""Retraining on alerts: the service as a process, before stand-ins of what runs trainings.

Every promise holds for both: Kubeflow Pipelines, and Jobs of Kubernetes.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

import jobs_standin
import kfp_standin
from jobs_standin import JobsStandin
from kfp_standin import Fault, Standin
from parivision.kubernetes.cron_jobs import CAUSE
from parivision.retraining.notices import LABEL, MOST_BYTES
from ports import free_port

TOKEN = "a-token-of-the-test"  # noqa: S105 - opens the process below
START_S = 120
ALERTS = 1000
SENDERS = 50
Service = Callable[[], httpx.Client]


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


@pytest.fixture(params=["kubeflow", "jobs"])
def trainings(request: pytest.FixtureRequest) -> Iterator[Trainings]:
    """Either of what can run trainings, with no run in the way."""
    if request.param == "kubeflow":
        with kfp_standin.serving() as kubeflow:
            yield OnKubeflow(kubeflow)
        return
    with jobs_standin.serving() as jobs:
        yield OnJobs(jobs)


@pytest.fixture
def service(trainings: Trainings, tmp_path: Path) -> Iterator[httpx.Client]:
    """The service, and a client that bears its token."""
    with serving(trainings, tmp_path) as client:
        yield client


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


def test_a_thousand_alerts_start_one_run(service: httpx.Client, trainings: Trainings) -> None:
    """However many messages come at a time, one run starts, with the alert in it."""

    def messages(_: int) -> list[httpx.Response]:
        given = {"base_url": service.base_url, "headers": service.headers}
        with httpx.Client(timeout=120, trust_env=False, **given) as client:  # type: ignore[arg-type]
            return [client.post("/alerts", json=message()) for _ in range(ALERTS // SENDERS)]

    with ThreadPoolExecutor(SENDERS) as pool:
        answers = [answer for some in pool.map(messages, range(SENDERS)) for answer in some]
    assert {answer.status_code for answer in answers} == {200}
    outcomes = Counter(answer.json()["outcome"] for answer in answers)
    assert outcomes == {"started": 1, "running": ALERTS - 1}
    assert trainings.causes == ["ParivisionDrift: It moved"]
    notices = 'parivision_retraining_notices_total{outcome="started"}'
    assert metric(service, notices) == 1
    assert metric(service, "parivision_retraining_started_timestamp_seconds") > 0


def test_a_new_process_knows_what_an_old_one_started(trainings: Trainings, tmp_path: Path) -> None:
    """The list of runs is its memory: those that go on, and those that failed, are in the way."""
    with serving(trainings, tmp_path) as client:
        assert client.post("/alerts", json=message()).json()["outcome"] == "started"
    with serving(trainings, tmp_path) as client:
        assert client.post("/alerts", json=message()).json()["outcome"] == "running"
        assert client.get("/").json()["outcome"] == "running"
    trainings.fail()
    with serving(trainings, tmp_path) as client:
        answer = client.post("/alerts", json=message()).json()
        assert answer["outcome"] == "backing_off"
        assert answer["next_at"]
        assert metric(client, "parivision_retraining_failures") == 1
    assert len(trainings.causes) == 1


def test_with_its_runner_away_alertmanager_is_asked_to_come_again(
    service: httpx.Client, trainings: Trainings
) -> None:
    """503 with when to come, and then the same message starts the run."""
    trainings.go_away(is_away=True)
    answer = service.post("/alerts", json=message())
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "503" in answer.text
    trainings.go_away(is_away=False)
    assert service.post("/alerts", json=message()).json()["outcome"] == "started"


def test_who_has_no_token_starts_nothing(service: httpx.Client, trainings: Trainings) -> None:
    """401 without the token, and with a wrong one."""
    for header in (b"", b"Bearer wrong", f"Basic {TOKEN}".encode(), b"Bearer \xe9"):
        answer = service.post("/alerts", json=message(), headers={b"Authorization": header})
        assert answer.status_code == 401
        assert "parivision-retraining" in answer.text
    assert not trainings.causes


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        (json.dumps({"version": "4", "alerts": {}}).encode(), "alerts"),
        (b" " * (2 * MOST_BYTES), "bytes"),
    ],
)
def test_a_bad_message_is_told_what_is_wrong(
    service: httpx.Client, trainings: Trainings, body: bytes, said: str
) -> None:
    """400 with a sentence, and nothing starts."""
    answer = service.post("/alerts", content=body)
    assert answer.status_code == 400
    assert said in answer.text
    assert not trainings.causes


def test_what_fires_without_asking_starts_nothing(
    service: httpx.Client, trainings: Trainings
) -> None:
    """Alerts that are resolved, or have no such label."""
    resolved, other = message(), message("ParivisionSlow")
    resolved["alerts"][0]["status"] = "resolved"
    del other["alerts"][0]["labels"][LABEL]
    for body in (resolved, other):
        assert service.post("/alerts", json=body).status_code == 200
    assert not trainings.causes


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--endpoint or PARIVISION_KFP.*--cron-job"),
        (("--cron-job", "training"), "NAMESPACE/NAME"),
        (("--cron-job", "a/b", "--endpoint", "http://localhost:1"), "both given"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    run: Callable[..., tuple[int, str, str]], words: tuple[str, ...], said: str
) -> None:
    """Nothing that runs trainings, or two of them: a sentence, before the first alert comes."""
    code, _, err = run("retrain-on-alerts", *words)
    assert code == 1
    assert re.search(said, " ".join(err.split()))
