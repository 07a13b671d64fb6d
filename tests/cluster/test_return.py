"""Given a champion that was promoted, a person brings the former one back under traffic."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from cluster.live_cluster import NAMESPACE, RELEASE, wait_for
from cluster.stage import PLACE, Stage
from parivision.kubernetes import DeploymentTarget, canary
from parivision.kubernetes.returns import ReturnOrder
from parivision.models.bundle import Bundle
from parivision.simulation.challengers import recalibrated
from parivision.simulation.traffic import Outcome, new_season

RATE: Final = 60.0
"""Shots a second of the fixture `traffic`."""
COMMAND: Final = Path(sys.executable).with_name("parivision")
RETURN_S: Final = 400.0
_logger = logging.getLogger("rollout")


@pytest.fixture(scope="module")
def former(stage: Stage) -> str:
    """The version that is champion before anything happens."""
    return stage.served


@pytest.fixture(scope="module")
def better(stage: Stage, former: str, traffic: Outcome, bundle: Bundle) -> str:
    """The version that took its place."""
    assert traffic
    release = stage.workshop.release("replaces-the-champion", recalibrated(bundle, new_season()))
    # Ordered through: what is judged is tested elsewhere.
    stage.promote(release)
    assert stage.served == release.version != former
    wait_for("agreement", stage.agreed, timeout_s=90)
    return release.version


def order_return(stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`parivision rollout return`, as a person types it."""
    return subprocess.run(
        [COMMAND, "rollout", "return", *arguments],
        env={**os.environ, "KUBECONFIG": stage.cluster.kubeconfig, "PARIVISION_DEPLOYMENT": PLACE},
        capture_output=True,
        text=True,
        timeout=RETURN_S,
        check=False,
    )


def test_a_former_champion_serves_again_and_no_request_fails(
    stage: Stage, traffic: Outcome, former: str, better: str
) -> None:
    """Image, alias, record and event agree; all users get it within minutes."""
    assert stage.served == better
    failed, began_s = dict(traffic.failed), time.monotonic()
    done = order_return(stage, former, "--why", "cluster test")
    assert done.returncode == 0, done.stderr
    _logger.info("returned in %.0f s:\n%s", time.monotonic() - began_s, done.stderr)
    assert stage.served == former
    wait_for("agreement", stage.agreed, timeout_s=90)
    assert stage.has_outcome(former, "served")
    assert stage.has_outcome(better, "taken_back")
    state = stage.canary()
    assert state.is_at_rest
    wait_for("Flagger asks again", lambda: not stage.canary().is_forced, timeout_s=60)
    events = stage.cluster.kubectl(
        *("get", "events", "-n", NAMESPACE, "--field-selector"),
        *("involvedObject.kind=Canary,reason=RolledBack", "-o", "jsonpath={.items[*].message}"),
    )
    assert f"version {better} taken back: ordered by" in events
    assert "cluster test" in events
    assert traffic.failed == failed, "no request fails while it returns"


def test_what_cannot_be_returned_to_is_refused(stage: Stage, former: str) -> None:
    """With a sentence; the champion and its pods stay."""
    before = stage.canary().target
    for version, sentence in ((former, "is the champion already"), ("99999", "has no version")):
        done = order_return(stage, version)
        assert done.returncode == 1
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr
    assert stage.canary().target == before


def test_the_verdict_service_may_end_in_the_middle(
    stage: Stage, traffic: Outcome, former: str, better: str
) -> None:
    """Its pod is deleted once it has taken the order; the next one goes on."""
    assert stage.served == former
    failed = dict(traffic.failed)
    order = ReturnOrder.new(better, "test", "killed in the middle", is_judged=False)
    canary.order(stage.api, DeploymentTarget.parse(PLACE), order.to_dict())
    wait_for("the order taken", lambda: stage.canary().target.attempt == order.id, timeout_s=60)
    verdict = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/name=verdict"
    stage.cluster.kubectl("delete", "pod", "-n", NAMESPACE, "-l", verdict, "--wait=false")
    wait_for("the return", lambda: stage.served == better, timeout_s=RETURN_S)
    wait_for("agreement", stage.agreed, timeout_s=120)
    assert stage.has_outcome(former, "taken_back")
    assert traffic.failed == failed, "no request fails while it returns"
