"""Runs that meet a fault: a server that is away is waited for, and what is for good is told.

The last of the files: the stats API may hand out more shots than the first champion knows.
"""

from collections.abc import Iterator

import pytest

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for
from kubeflow.live_kubeflow import LiveKubeflow

SERVER = f"{RELEASE}-stats-api"
NOWHERE = "/no/such/folder"


@pytest.fixture
def stats_api_away(cluster: LiveCluster) -> Iterator[None]:
    """The stats API has no pod; it has one again afterwards."""
    _scale(cluster, 0)
    wait_for("no pod of the stats API", lambda: not cluster.pods("stats-api"), timeout_s=120)
    yield
    _scale(cluster, 1)
    cluster.wait_rolled_out(SERVER)


def test_a_task_whose_server_is_away_tries_again(
    cluster: LiveCluster, kubeflow: LiveKubeflow, stats_api: str, stats_api_away: None
) -> None:
    """Kubeflow would not try it again: the stage asks until the server is back, and says so."""
    run_id = kubeflow.start("etl", source=stats_api)
    pod = kubeflow.pod(cluster, run_id, "ingest")
    wait_for(
        "an attempt in the log",
        lambda: "is away, attempt 2" in kubeflow.log(cluster, pod),
        timeout_s=120,
    )
    _scale(cluster, 1)
    kubeflow.succeeds(run_id, "etl")
    log = kubeflow.log(cluster, pod)
    assert log.count("is away, attempt 1 ") == 1, log


def test_a_run_that_must_fail_says_why(kubeflow: LiveKubeflow) -> None:
    """`submit` ends with the task's name, its own sentence, and a page that is there."""
    code, printed = kubeflow.command("submit", "etl", "--source", NOWHERE)
    assert code == 1, printed
    (error,) = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert error.startswith("error: the task 'ingest' of the pipeline etl failed: ")
    assert NOWHERE in error
    assert "KFP says no more" not in printed
    page = printed.rstrip().rpartition("\n")[2]
    with kubeflow.http as client:
        if "/#/runs/details/" in page:
            assert "<html" in client.get(page.partition("#")[0]).text.lower()
        else:
            assert "ml-pipeline-ui" in page, printed


def _scale(cluster: LiveCluster, replicas: int) -> None:
    cluster.kubectl("scale", f"deployment/{SERVER}", f"--replicas={replicas}", "-n", NAMESPACE)
