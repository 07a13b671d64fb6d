"""Alerts start a training on Kubeflow Pipelines: one, and it outlives the loss of a pod."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.helm_release import upgrade
from cluster.live_cluster import RELEASE, LiveCluster, wait_for
from kubeflow.live_kubeflow import LiveKubeflow
from parivision.retraining.notices import LABEL

ALERTS = 100
SENDERS = 20
PORT = 8090
NAME = "ParivisionDrift"
AT_ONCE_H = 0.01
"""Runs of other tests are not in the way."""


@pytest.fixture(scope="module")
def retraining(
    cluster: LiveCluster, kubeflow: LiveKubeflow, values: Path, source: str
) -> Iterator[httpx.Client]:
    """The release's retraining service, whose window is over at once."""
    upgrade(cluster, values, {"retraining": {"windowH": AT_ONCE_H, "source": source}})
    cluster.wait_rolled_out(f"{RELEASE}-retraining")
    token = cluster.secret("parivision-retraining", "token")
    headers = {"Authorization": f"Bearer {token}"}
    limits = httpx.Limits(max_connections=SENDERS)
    url = f"http://127.0.0.1:{PORT}"
    with (
        cluster.tunnel("retraining", PORT),
        httpx.Client(base_url=url, headers=headers, timeout=120, limits=limits) as client,
    ):
        wait_for("no run in the way", lambda: _may_start(client), timeout_s=600, poll_s=3)
        yield client


@pytest.fixture(scope="module")
def answers(kubeflow: LiveKubeflow, retraining: httpx.Client) -> list[dict[str, Any]]:
    """What a hundred messages of Alertmanager at once were answered."""
    with ThreadPoolExecutor(SENDERS) as pool:
        posted = list(pool.map(lambda _: retraining.post("/alerts", json=message()), range(ALERTS)))
    assert {answer.status_code for answer in posted} == {200}
    return [answer.json() for answer in posted]


@pytest.fixture(scope="module")
def run_id(answers: list[dict[str, Any]]) -> str:
    """The run that they started."""
    (started,) = {answer["run"] for answer in answers if answer["outcome"] == "started"}
    return str(started)


def test_a_hundred_alerts_start_one_run(
    kubeflow: LiveKubeflow, answers: list[dict[str, Any]], run_id: str
) -> None:
    """One is answered with the run, the others that it is going on; the alert stands in it."""
    outcomes = Counter(answer["outcome"] for answer in answers)
    assert outcomes == {"started": 1, "running": ALERTS - 1}
    named = [run for run in kubeflow.client.runs.recent(50) if run.name.endswith(f"for {NAME}")]
    assert sum(not run.has_ended for run in named) == 1
    with kubeflow.http as client:
        run = client.get(f"/apis/v2beta1/runs/{run_id}").json()
    assert run["runtime_config"]["parameters"]["cause"] == f"{NAME}: It moved"


def test_a_pod_that_is_deleted_in_the_middle_of_it_is_made_anew(
    cluster: LiveCluster, kubeflow: LiveKubeflow, run_id: str
) -> None:
    """The training succeeds all the same, with a second attempt of that task."""
    pod = kubeflow.pod(cluster, run_id, "train")
    cluster.kubectl("delete", "pod", pod, "-n", kubeflow.namespace, "--wait=false")
    kubeflow.succeeds(run_id, "training")
    again = [node for node in kubeflow.workflow(run_id).nodes if node.pod and node.attempt == 1]
    assert any(step.startswith("train") for node in again for step in node.path[1:]), again


def test_an_alert_after_it_starts_the_next_one_or_waits(retraining: httpx.Client) -> None:
    """The run has ended: nothing is in the way any more."""
    answer = retraining.get("/").json()
    assert answer["outcome"] in {"started", "too_soon"}, answer


def message() -> dict[str, Any]:
    """What Alertmanager posts for an alert that fires."""
    labels = {"alertname": NAME, LABEL: "true"}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "It moved"}}
    return {"version": "4", "groupKey": "{}", "status": "firing", "alerts": [alert]}


def _may_start(client: httpx.Client) -> bool:
    answer = client.get("/")
    assert answer.status_code == httpx.codes.OK, answer.text
    return bool(answer.json()["outcome"] == "started")
