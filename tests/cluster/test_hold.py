"""Given no evidence, a rollout stays at its first weight and ends by the deadline's policy.

PARIVISION_SOAK=1 takes them, a quarter of an hour.
"""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

import pytest

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for
from cluster.stage import Stage
from parivision.errors import ServiceError
from parivision.models.bundle import Bundle
from parivision.simulation.traffic import load, new_season

pytestmark = pytest.mark.skipif(
    "PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it"
)
DEADLINE_S: Final = 180.0
FIRST_WEIGHT: Final = 0.05
RULES: Final = f"{RELEASE}-verdict"


@pytest.fixture(scope="module", autouse=True)
def impatient(cluster: LiveCluster) -> Iterator[None]:
    """The verdict's deadline is minutes, not hours."""
    stored = cluster.core.read_namespaced_config_map(RULES, NAMESPACE).data["rules.json"]
    _judge_by(cluster, json.dumps(json.loads(stored) | {"deadline_s": DEADLINE_S}))
    yield
    _judge_by(cluster, stored)


def _judge_by(cluster: LiveCluster, rules: str) -> None:
    cluster.core.patch_namespaced_config_map(RULES, NAMESPACE, {"data": {"rules.json": rules}})
    cluster.kubectl("rollout", "restart", f"deployment/{RULES}", "-n", NAMESPACE)
    cluster.wait_rolled_out(RULES)


def _no_traffic(_: Stage, __: str) -> AbstractContextManager[object]:
    return nullcontext()


def _no_outcomes(_: Stage, url: str) -> AbstractContextManager[object]:
    return load(url, 50, new_season())


@contextmanager
def _no_prometheus(stage: Stage, url: str) -> Iterator[None]:
    _scale_prometheus(stage.cluster, 0)
    try:
        with load(url, 50, new_season(), token=stage.teller):
            yield
    finally:
        _scale_prometheus(stage.cluster, 1)


def _scale_prometheus(cluster: LiveCluster, replicas: int) -> None:
    kind, patch = "prometheuses.monitoring.coreos.com", f'{{"spec": {{"replicas": {replicas}}}}}'
    cluster.kubectl("patch", kind, RELEASE, "-n", NAMESPACE, "--type=merge", "-p", patch)
    wait_for("Prometheus", lambda: len(cluster.ready_pods("prometheus")) == replicas, timeout_s=120)


@pytest.mark.parametrize("missing", [_no_traffic, _no_outcomes, _no_prometheus])
def test_without_evidence_it_is_held_and_ends_by_the_deadline(
    stage: Stage,
    bundle: Bundle,
    gateway_url: str,
    missing: Callable[[Stage, str], AbstractContextManager[object]],
) -> None:
    """It is never promoted, gets no more than its first share, and is rolled back in time."""
    before = stage.served
    release = stage.workshop.release(missing.__name__.strip("_"), bundle)
    weights = set()
    with missing(stage, gateway_url), ThreadPoolExecutor(1) as pool:
        ended = pool.submit(stage.deploy, release)
        while not ended.done():
            weights.add(stage.canary().weight)
            wait([ended], timeout=2)
    with pytest.raises(ServiceError, match=r"(?is)deadline|undecided"):
        ended.result()
    assert max(weights) <= FIRST_WEIGHT
    assert stage.served == before
    assert stage.has_outcome(release.version, "rolled_back")
    wait_for("agreement", stage.agreed, timeout_s=120)
