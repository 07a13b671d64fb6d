"""Given load or work under way, when parts are killed, nobody notices and nothing is lost."""

import hashlib
import itertools
import logging
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cluster import helm_release
from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, is_ready, wait_for
from cluster.tasks import task
from parivision.lake import open_lake
from parivision.lake.ingest import ingest
from parivision.lake.refine import refine
from parivision.simulation.traffic import load
from parivision.sources.open import open_source

# PARIVISION_SOAK=1 takes the ten minutes that are promised; CI has less time, at the same pace.
KILLS = 20 if os.environ.get("PARIVISION_SOAK") else 3
EVERY_S = 30.0
RATE = 100.0
# As many at once as a run of the pipeline starts, and the rate at which they once took the service
# down on a node of two cores.
TRAININGS = 4
BESIDE_TRAININGS_RATE = 60.0
# A lake and a registry of its own: it is about the node, and changes no champion.
TRAINING = """
unset PARIVISION_POD PARIVISION_LAKE_FILE PARIVISION_PREDICTION_LOG_FILE
unset MLFLOW_TRACKING_URI_FILE MLFLOW_TRACKING_USERNAME_FILE MLFLOW_TRACKING_PASSWORD_FILE
export PARIVISION_HOME=/tmp/home
parivision ingest 'synthetic:?seed=4&seasons=2021-2023&games=300'
parivision refine
parivision train --models lightgbm
"""
# A season that no other source has.
SEASON = "synthetic:?seed=3&seasons=2019-2019&games=60"
ITS_GAMES = "218"

_logger = logging.getLogger("disruption")


def test_pods_are_killed_under_load_and_no_request_fails(
    cluster: LiveCluster, champion: dict[str, object], gateway_url: str
) -> None:
    """A pod at a time: orderly, at once, and by its process's end."""
    assert champion
    ways = itertools.cycle([_drain, _kill, _end_process])
    with load(gateway_url, RATE) as outcome:
        for number in range(KILLS):
            due_s = time.monotonic() + EVERY_S
            pods = wait_for(
                "two pods to lose one of",
                lambda: _two(cluster.ready_pods(SERVING)),
                timeout_s=120,
            )
            next(ways)(cluster, pods[number % len(pods)].metadata.name)
            time.sleep(max(0.0, due_s - time.monotonic()))
    assert outcome.sent >= 0.9 * KILLS * EVERY_S * RATE
    assert not outcome.failed


def _two(pods: list[Any]) -> list[Any]:
    return pods if len(pods) > 1 else []


def _drain(cluster: LiveCluster, pod: str) -> None:
    cluster.core.delete_namespaced_pod(pod, NAMESPACE)


def _kill(cluster: LiveCluster, pod: str) -> None:
    cluster.core.delete_namespaced_pod(pod, NAMESPACE, grace_period_seconds=0)


def _end_process(cluster: LiveCluster, pod: str) -> None:
    script = "import os, signal; os.kill(1, signal.SIGTERM)"
    cluster.kubectl("exec", pod, "-n", NAMESPACE, "--", "python", "-c", script)


def test_trainings_take_nothing_from_what_serves(
    cluster: LiveCluster, champion: dict[str, object], gateway_url: str
) -> None:
    """Four at once on the node of the service: no request fails, and they end."""
    assert champion
    with ExitStack() as stack:
        trainings = [
            stack.enter_context(task(cluster, f"train-{number}", TRAINING))
            for number in range(TRAININGS)
        ]
        names = [f"test-train-{number}" for number in range(TRAININGS)]
        wait_for(
            "all trainings at work",
            lambda: all(cluster.ready_pods(name) for name in names),
            timeout_s=120,
        )
        with load(gateway_url, BESIDE_TRAININGS_RATE) as outcome:
            for training in trainings:
                assert training.succeeded(), training.log()[-2000:]
    _logger.info("%d requests, the slowest %.2f s", outcome.sent, outcome.slowest_s)
    assert not outcome.failed


def test_mongodb_killed_during_ingestion_loses_nothing(
    cluster: LiveCluster, tmp_path: Path
) -> None:
    """The task that was under way ends well, and the lake equals one that nothing happened to."""
    columns = f"parivision export /tmp/all.csv; grep ^{ITS_GAMES} /tmp/all.csv | sha256sum"
    script = f"parivision ingest '{SEASON}' && parivision refine && {columns}"
    with task(cluster, "season", script, retries=3) as season:
        wait_for("the task's pod", lambda: _runs(cluster), timeout_s=120, poll_s=0.2)
        _kill(cluster, f"{RELEASE}-mongodb-0")
        assert season.succeeded()
        assert _undisturbed(tmp_path) in season.log()


def _runs(cluster: LiveCluster) -> bool:
    """Whether the pod of the task runs: it takes seconds until all is read."""
    pods = cluster.pods("test-season")
    return bool(pods) and is_ready(pods[0])


def _undisturbed(folder: Path) -> str:
    """The digest of the same season in a lake of files."""
    lake = open_lake(str(folder / "lake"))
    ingest(open_source(SEASON), lake)
    refine(lake)
    lake.export_silver(folder / "all.csv")
    rows = [
        line
        for line in (folder / "all.csv").read_bytes().splitlines(keepends=True)
        if line.startswith(ITS_GAMES.encode())
    ]
    assert len(rows) > 5000
    return hashlib.sha256(b"".join(rows)).hexdigest()


def test_mlflow_killed_during_a_training_changes_nothing(cluster: LiveCluster) -> None:
    """The training goes on when the server is back, and its pipeline's run is recorded."""
    script = f"parivision run training --source '{helm_release.first_source(cluster)}'"
    with task(cluster, "training", script) as training:
        wait_for("the training", lambda: "train" in training.log(), timeout_s=180)
        (server,) = cluster.pods("mlflow")
        _kill(cluster, server.metadata.name)
        assert training.succeeded(timeout_s=900)
