"""Retraining on alerts: the service as a process, before stand-ins of what runs trainings.

Every promise holds for both: Kubeflow Pipelines, and Jobs of Kubernetes.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

import jobs_standin
import kfp_standin
from parivision.retraining.notices import LABEL, MOST_BYTES
from pipeline.retraining_service import (
    TOKEN,
    OnJobs,
    OnKubeflow,
    Trainings,
    message,
    metric,
    serving,
)

ALERTS = 1000
SENDERS = 50
Service = Callable[[], httpx.Client]


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
