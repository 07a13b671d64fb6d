"""The cluster of KUBECONFIG, and what it told when a test failed.

What fails leaves a folder of its own below tests/cluster/failures: pods, events, logs.
"""

import logging
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from kubernetes import client, config

from cluster.live_cluster import LiveCluster, wait_for
from cluster.stage import Stage, on_stage
from cluster.tasks import RunTask, task
from parivision.models.bundle import Bundle
from parivision.simulation.traffic import Outcome, load, new_season

GATEWAY = "http://127.0.0.1:8080"
FAILURES = Path(__file__).parent / "failures"
HOW_TO = "KUBECONFIG names no cluster: `make cluster` makes one, `make test-cluster` finds it"

_logger = logging.getLogger("task")
# A line for each of a hundred requests a second would hide all others.
logging.getLogger("httpx").setLevel(logging.WARNING)
_collected: dict[str, LiveCluster] = {}


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """Path of the kubeconfig; nothing is asked of a cluster that nobody named."""
    path = os.environ.get("KUBECONFIG", "")
    if not Path(path).is_file():
        pytest.fail(HOW_TO)
    return path


@pytest.fixture(scope="session")
def cluster(kubeconfig: str) -> Iterator[LiveCluster]:
    """The cluster under test; while it is, no pipeline begins by its schedule."""
    with config.new_client_from_config(kubeconfig) as api:
        live = LiveCluster(
            kubeconfig,
            client.CoreV1Api(api),
            client.AppsV1Api(api),
            client.BatchV1Api(api),
            client.AutoscalingV2Api(api),
            client.CustomObjectsApi(api),
        )
        _collected["cluster"] = live
        with live.schedules_paused():
            yield live
        _collected.clear()


@pytest.fixture(scope="session")
def gateway_url() -> str:
    """Where the gateway is reached from here; nothing else is sent traffic."""
    return os.environ.get("PARIVISION_GATEWAY", GATEWAY)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    """A client that gives up after 10 s."""
    with httpx.Client(timeout=10, trust_env=False) as session:
        yield session


@pytest.fixture(scope="session")
def operators(cluster: LiveCluster) -> tuple[str, str]:
    """The login of the pages that have none of their own."""
    return cluster.login("parivision-operators")


@pytest.fixture(scope="session")
def champion(cluster: LiveCluster, gateway_url: str, http: httpx.Client) -> dict[str, object]:
    """What the champion says of itself, once one answers through the gateway."""

    def ask() -> dict[str, object]:
        try:
            answer = http.get(f"{gateway_url}/champion")
        except httpx.TransportError as error:
            raise AssertionError(str(error)) from error
        assert answer.status_code == httpx.codes.OK, answer.text
        described: dict[str, object] = answer.json()
        return described

    return wait_for("a champion behind the gateway", ask, timeout_s=60)


@pytest.fixture(scope="session")
def run_task(cluster: LiveCluster) -> RunTask:
    """Runs the project's commands in a Job, as a pipeline; says whether they did well."""

    def run(name: str, script: str) -> bool:
        with task(cluster, name, script) as made:
            is_well = made.succeeded()
            _logger.info(made.log())
        return is_well

    return run


@pytest.fixture(scope="module")
def stage(
    cluster: LiveCluster,
    champion: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """Where challengers are made and rolled out."""
    assert champion
    with on_stage(cluster, tmp_path_factory.mktemp("rollout")) as made:
        yield made


@pytest.fixture(scope="module")
def bundle(stage: Stage) -> Bundle:
    """The bundle of the champion as the module finds it."""
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / "champion")
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def traffic(request: pytest.FixtureRequest, stage: Stage, gateway_url: str) -> Iterator[Outcome]:
    """Shots of the season that no model has seen, at the module's RATE, and how each ended."""
    assert stage.served
    with load(gateway_url, request.module.RATE, new_season(), token=stage.teller) as outcome:
        yield outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Collect what the cluster tells while it still is as the test left it."""
    report = yield
    live = _collected.get("cluster")
    if report.failed and live is not None:
        folder = FAILURES / re.sub(
            r"[^\w.-]+", "-", f"{item.nodeid.rpartition('/')[2]}-{call.when}"
        )
        live.collect(folder)
        report.sections.append(("cluster", f"pods, events and logs: {folder}"))
    return report
