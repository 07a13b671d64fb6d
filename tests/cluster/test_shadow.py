"""Given shadow mode, a challenger is judged on a copy of the traffic, and no user sees it before.

PARIVISION_SOAK=1 takes them, ten minutes.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import challengers
from cluster.helm_release import helm, upgrade
from cluster.live_cluster import RELEASE, LiveCluster, wait_for
from cluster.stage import Stage
from parivision.errors import ServiceError
from parivision.models.bundle import Bundle
from parivision.simulation.challengers import recalibrated
from parivision.simulation.traffic import load, new_season

pytestmark = pytest.mark.skipif(
    "PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it"
)
RATE = 100.0
_logger = logging.getLogger("rollout")


@pytest.fixture(scope="module", autouse=True)
def shadowed(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The chart's switch; it is off again afterwards."""
    values: Path = tmp_path_factory.mktemp("values") / "values.yaml"
    values.write_text(helm(cluster, "get", "values", RELEASE, "--output", "yaml"))
    upgrade(cluster, values, {"shots": {"canary": {"shadow": True}}})
    assert cluster.canary()["spec"]["analysis"]["mirror"] is True
    yield
    upgrade(cluster, values)


def test_no_user_sees_a_bad_challenger(stage: Stage, bundle: Bundle, gateway_url: str) -> None:
    """Its wrong feature is found on the copy, and every answer was the champion's."""
    before = stage.served
    release = stage.workshop.release("shadow-units", bundle, challengers.WRONG_UNITS)
    with (
        load(gateway_url, RATE, new_season(), token=stage.teller) as traffic,
        pytest.raises(ServiceError, match=r"(?is)parity|registry") as refused,
    ):
        stage.deploy(release)
    _logger.info("%s; answers by version: %s", refused.value, dict(traffic.versions))
    assert traffic.versions.keys() == {before}
    assert not traffic.failed
    assert stage.served == before
    assert stage.has_outcome(release.version, "rolled_back")


def test_a_good_challenger_is_promoted_from_the_shadow(
    stage: Stage, bundle: Bundle, gateway_url: str
) -> None:
    """On the copy's evidence and the outcomes of the shots that users asked for."""
    before = stage.served
    release = stage.workshop.release("shadow-good", recalibrated(bundle, new_season()))
    with load(gateway_url, RATE, new_season(), token=stage.teller) as traffic:
        stage.deploy(release)
    _logger.info("answers by version: %s", dict(traffic.versions))
    assert not traffic.failed
    assert stage.served == release.version != before
    wait_for("agreement", stage.agreed, timeout_s=60)
    assert stage.has_outcome(release.version, "promoted")
