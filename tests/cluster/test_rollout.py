"""Given traffic whose outcomes come, challengers are rolled out: good ones stay, bad ones go back.

Two bad ones by default, and test_retraining.py has a good one; PARIVISION_SOAK=1 takes all, half an
hour.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest

from cluster import challengers
from cluster.challengers import Workshop
from cluster.live_cluster import NAMESPACE, RELEASE, wait_for
from cluster.stage import Stage
from parivision.errors import ServiceError
from parivision.kubernetes import Release
from parivision.models.bundle import Bundle
from parivision.simulation.challengers import recalibrated, squared
from parivision.simulation.traffic import Outcome, new_season
from parivision.sources.synthetic import Drift

RATE: Final = 100.0
"""Shots a second of the fixture `traffic`."""
IS_SOAK: Final = bool(os.environ.get("PARIVISION_SOAK"))
_logger = logging.getLogger("rollout")


@pytest.mark.skipif(
    not IS_SOAK, reason="test_retraining promotes one too; PARIVISION_SOAK=1 takes it"
)
def test_a_good_challenger_is_promoted_and_no_request_fails(
    stage: Stage, traffic: Outcome, bundle: Bundle
) -> None:
    """The champion recalibrated for the season is better, and soon gets all of the traffic."""
    release = stage.workshop.release("good", recalibrated(bundle, new_season()))
    before, sent, began_s = stage.served, traffic.sent, time.monotonic()
    stage.deploy(release)
    took_s = time.monotonic() - began_s
    rate = (traffic.sent - sent) / took_s
    _logger.info("%.1f minutes from image to all traffic, %.0f requests/s", took_s / 60, rate)
    assert stage.served == release.version != before
    wait_for("agreement", stage.agreed, timeout_s=60)
    assert stage.has_outcome(release.version, "promoted")
    assert not traffic.failed
    assert rate > 0.8 * RATE


Make = Callable[[Workshop, Bundle], Release]


@dataclass(frozen=True)
class Bad:
    """A bad challenger: how it is made, and the words of the reason that it must be given."""

    name: str
    make: Make
    reason: str
    is_quick: bool = False


BAD: Final = [
    Bad("errors", lambda w, b: w.release("errors", b, challengers.ERRORS), r"errors?|failed"),
    Bad("latency", lambda w, b: w.release("latency", b, challengers.LATENCY), r"p99|slow|latency"),
    Bad(
        "crash",
        lambda w, b: w.release("crash", b, challengers.no_start),
        r"ends again|crash|not.*ready|restart",
    ),
    Bad(
        "units",
        lambda w, b: w.release("units", b, challengers.WRONG_UNITS),
        r"parity|registry",
        is_quick=True,
    ),
    Bad("squared", lambda w, b: w.release("squared", squared(b)), r"calibrat"),
    Bad(
        "mean",
        lambda w, b: w.release("mean", challengers.mean(b)),
        r"spread|resolution|same for|constant|shift",
    ),
    Bad(
        "outdated-actions",
        lambda w, _: w.release(
            "outdated-actions",
            challengers.trained(challengers.league(Drift(relabel_actions=2022))),
        ),
        r"log loss|worse",
    ),
    Bad(
        "corner-threes",
        lambda w, _: w.release("corner-threes", challengers.wrong_in_corners(new_season())),
        r"corner 3",
        is_quick=True,
    ),
]


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD if IS_SOAK or bad.is_quick], ids=lambda bad: bad.name
)
def test_a_bad_challenger_is_rolled_back_with_its_reason(
    stage: Stage, traffic: Outcome, bad: Bad
) -> None:
    """Users get the former champion, the registry names it, and `deploy` says why."""
    before, sent = stage.served, traffic.sent
    # The champion of now: an older one would be worse by more than its fault.
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / "served")
    assert found is not None
    release = bad.make(stage.workshop, found[1])
    with pytest.raises(ServiceError, match=rf"(?is){bad.reason}") as refused:
        stage.deploy(release)
    _logger.info("%s: %s", bad.name, refused.value)
    assert stage.served == before != release.version
    wait_for("agreement", stage.agreed, timeout_s=90)
    assert stage.has_outcome(release.version, "rolled_back", "never_served")
    assert traffic.sent > sent


def test_the_service_tells_what_it_judged(stage: Stage) -> None:
    """Every rollout is listed, with its outcome and the reason."""
    service = f"services/{RELEASE}-verdict:8080"
    path = f"/api/v1/namespaces/{NAMESPACE}/{service}/proxy/rollouts"
    listed = stage.cluster.kubectl("get", "--raw", path)
    assert "promoted" in listed
    assert "rolled_back" in listed
