"""Given promotions, rollbacks, kills and concurrent pipelines at random, all records agree.

PARIVISION_SEQUENCES says how many there are: none by default, fifty take an hour.
"""

import logging
import os
import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final

import pytest

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for
from cluster.stage import PLACE, Stage
from parivision.errors import RegistryError, ServiceError
from parivision.kubernetes import DeploymentTarget, Release, canary
from parivision.models.bundle import Bundle
from parivision.simulation.challengers import shifted

SEQUENCES: Final = int(os.environ.get("PARIVISION_SEQUENCES") or 0)
ENDS: Final = {
    "promote": {"promoted", "served"},
    "abort": {"rolled_back", "never_served"},
}
# By their namespace and a label: whoever takes part in a rollout.
PARTS: Final = (
    (NAMESPACE, f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=verdict"),
    (NAMESPACE, f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=mongodb"),
    (NAMESPACE, f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=mlflow"),
    (NAMESPACE, "app.kubernetes.io/name=prometheus"),
    ("flagger-system", "app.kubernetes.io/name=flagger"),
)
_logger = logging.getLogger("rollout")


@pytest.fixture(scope="module")
def chance() -> random.Random:
    """What is random, from a seed that is told."""
    seed = int(os.environ.get("PARIVISION_SEED") or random.SystemRandom().randrange(10**6))
    _logger.info("PARIVISION_SEED=%d", seed)
    return random.Random(seed)


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where pipelines' steps run at the same time."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.mark.parametrize("number", range(SEQUENCES))
def test_alias_image_and_record_agree_after_whatever_happens(
    stage: Stage, bundle: Bundle, chance: random.Random, pool: ThreadPoolExecutor, number: int
) -> None:
    """One or two pipelines deploy, a person orders, a part is killed at some moment."""
    before = stage.served
    releases = [_release(stage, bundle, chance) for _ in range(chance.choice((1, 1, 2)))]
    order, part = chance.choice(sorted(ENDS)), chance.choice((*PARTS, None))
    killed_first = chance.random() < 0.5
    told = "%d: %s of version %s, %s killed"
    _logger.info(told, number, order, "+".join(r.version for r in releases), part or "nothing")
    steps: list[Future[str]] = []
    for release in releases:
        steps.append(pool.submit(stage.deploy, release))
        # The next one comes while this one is under way.
        wait_for("a rollout", partial(_is_target, stage, release), timeout_s=180)
    if part and killed_first:
        _kill(stage.cluster, *part)
    wait_for("the order", lambda: _order(stage, order), timeout_s=120)
    if part and not killed_first:
        _kill(stage.cluster, *part)
    last, said = releases[-1], [_ending(step) for step in steps]
    wait_for("agreement", lambda: _is_at_rest(stage), timeout_s=240)
    _logger.info("%d: version %s: %s", number, last.version, "; ".join(said))
    assert stage.has_outcome(last.version, *ENDS[order])
    assert stage.served == (last.version if order == "promote" else before)


def _release(stage: Stage, bundle: Bundle, chance: random.Random) -> Release:
    """A champion of another pipeline run: nobody's rollout waits for its image."""
    name = f"sequence-{chance.randrange(10**9)}"
    return stage.workshop.release(name, shifted(bundle, chance.uniform(-0.05, 0.05)))


def _is_target(stage: Stage, release: Release) -> bool:
    state = stage.canary()
    return state.is_running and release.is_same(state.target)


def _order(stage: Stage, order: str) -> bool:
    state, deployment = stage.canary(), DeploymentTarget.parse(PLACE)
    assert state.is_running, state
    canary.order(stage.api, deployment, {"key": state.key, "order": order, "by": "test"})
    if order == "promote":
        canary.force(stage.api, deployment, state.target)
    return True


def _kill(cluster: LiveCluster, namespace: str, selector: str) -> None:
    (pod, *_) = cluster.core.list_namespaced_pod(namespace, label_selector=selector).items
    cluster.core.delete_namespaced_pod(pod.metadata.name, namespace, grace_period_seconds=0)


def _ending(step: Future[str]) -> str:
    try:
        return f"deployed to {step.result(timeout=600)}"
    except ServiceError as error:
        return str(error)


def _is_at_rest(stage: Stage) -> bool:
    state = stage.canary()
    assert state.is_at_rest, state.phase
    assert not state.is_forced
    try:
        return stage.agreed()
    except RegistryError as error:  # MLflow may have been killed
        raise AssertionError(str(error)) from error
