"""Puts back what a retraining leaves: the champion, the lake, the records, the pipelines' Jobs.

The tests that follow find the cluster as it was, and so does the same test when it is run again.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from mlflow.tracking import MlflowClient
from pymongo import MongoClient
from pymongo.database import Database

from cluster.live_cluster import LiveCluster, wait_for
from cluster.pipeline_runs import PipelineRuns
from cluster.stage import Stage
from parivision.registry import DRIFT, EXPERIMENT, PIPELINE

Object = dict[str, Any]

OF_A_BATCH: Final = ("bronze", "keys", "silver")
"""Collections of the lake whose documents name the batch that they came with."""
ORDER_S: Final = 300.0
_logger = logging.getLogger("loop")


@dataclass(frozen=True)
class LakeState:
    """Which batches a lake has, and how far its sources were read."""

    batches: frozenset[str]
    cursors: tuple[Object, ...]

    @classmethod
    def of(cls, database: "Database[Object]") -> "LakeState":
        """The state now."""
        batches = (batch["_id"] for batch in database.batches.find({}, {"_id": 1}))
        return cls(frozenset(batches), tuple(database.cursors.find()))

    def restore(self, database: "Database[Object]") -> int:
        """Take away what came since; returns how many batches that were."""
        added = sorted(LakeState.of(database).batches - self.batches)
        for collection in OF_A_BATCH:
            database[collection].delete_many({"batch": {"$in": added}})
        database.batches.delete_many({"_id": {"$in": added}})
        database.cursors.delete_many({})
        if self.cursors:
            database.cursors.insert_many(self.cursors)
        return len(added)


@contextmanager
def as_before(stage: Stage, runs: PipelineRuns) -> Iterator[None]:
    """The champion, the lake and the records of now are those of after the block, too."""
    served, began_at = stage.served, datetime.now(UTC)
    with _lake(stage.cluster) as database:
        lake = LakeState.of(database)
    try:
        yield
    finally:
        runs.remove_since(began_at)
        _return_to(stage, served)
        with _lake(stage.cluster) as database:
            batches = lake.restore(database)
        records = _forget_runs(stage.cluster, began_at)
        _logger.info(
            "as before: version %s, %d batches and %d records away", served, batches, records
        )


def _return_to(stage: Stage, version: str) -> None:
    """Let users get a version, whatever is under way."""
    if stage.canary().is_running:
        _command(stage.cluster, "rollout", "abort")
    wait_for("the Canary at rest", lambda: stage.canary().is_at_rest, timeout_s=ORDER_S)
    if stage.served != version:
        _command(stage.cluster, "rollout", "return", version, "--why", "the end of a test")
    wait_for("agreement", stage.agreed, timeout_s=120)


def _command(cluster: LiveCluster, *words: str) -> None:
    program = Path(sys.executable).with_name("parivision")
    environment = {**os.environ, "KUBECONFIG": cluster.kubeconfig}
    done = subprocess.run(
        [program, *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=ORDER_S,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr.strip()}"


@contextmanager
def _lake(cluster: LiveCluster) -> Iterator["Database[Object]"]:
    """The lake's database, as who fills it."""
    login = {key: cluster.secret("parivision-lake", key) for key in ("username", "password")}
    known: Object = {**login, "authSource": "parivision", "directConnection": True}
    client: MongoClient[Object]
    with cluster.tunnel("mongodb", 27017), MongoClient("localhost", **known) as client:
        yield client["parivision"]


def _forget_runs(cluster: LiveCluster, since: datetime) -> int:
    """Delete what MLflow was told of drift and of pipelines since then; returns how many runs."""
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("USERNAME", "PASSWORD"):
            word = cluster.secret("parivision-mlflow-server", f"admin-{variable.lower()}")
            patch.setenv(f"MLFLOW_TRACKING_{variable}", word)
        client = MlflowClient("http://localhost:5000")
        experiment = client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        newer = f"attributes.start_time >= {int(since.timestamp() * 1000)}"
        runs = [
            run.info.run_id
            for kind in (DRIFT, PIPELINE)
            for run in client.search_runs(
                [experiment.experiment_id], f"tags.kind = '{kind}' and {newer}"
            )
        ]
        for run_id in runs:
            client.delete_run(run_id)
    return len(runs)
