"""Given traffic whose outcomes come, challengers are rolled out: good ones stay, bad ones go back.

A good and two bad ones by default; PARIVISION_SOAK=1 takes all of them, half an hour.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import challengers
import pytest
from challengers import Workshop, image_settings
from live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, wait_for
from load import Outcome, load

from parivision.errors import ServiceError
from parivision.models.bundle import Bundle
from parivision.registry import Registry
from parivision.rollout import Cluster, Release, deploy
from parivision.sources.synthetic import Drift, SyntheticConfig, generate

PLACE: Final = f"{NAMESPACE}/{RELEASE}-shots"
RATE: Final = 100.0
READY_S: Final = 120.0
ROLLOUT_S: Final = 900.0
IS_SOAK: Final = bool(os.environ.get("PARIVISION_SOAK"))
_logger = logging.getLogger("rollout")
TOLD: Final = ("player_id", "period", "clock_s", "x_ft", "y_ft", "action_type", "made")


@dataclass(frozen=True)
class Stage:
    """The cluster under traffic, and who makes challengers for it."""

    cluster: LiveCluster
    workshop: Workshop
    outcome: Outcome

    def deploy(self, release: Release) -> str:
        """Roll a release out to its end, as the pipelines' step does."""
        live = self.cluster
        api = Cluster(live.apps, live.autoscaling, live.core, live.objects)
        waits = {"timeout_s": READY_S, "rollout_s": ROLLOUT_S, "patience_s": 30.0}
        return deploy(release, PLACE, cluster=api, say=_logger.info, **waits)  # type: ignore[arg-type]

    @property
    def served(self) -> str:
        """The version that users get."""
        template = self.cluster.deployment(f"{RELEASE}-{SERVING}").spec.template
        return str(template.metadata.annotations["parivision.dev/model-version"])

    def agreed(self) -> bool:
        """Whether registry and cluster name the same champion, and its record is kept."""
        champion = self.workshop.registry.champion()
        assert champion is not None
        assert champion.number == self.served
        return True


@pytest.fixture(scope="module")
def stage(
    cluster: LiveCluster,
    champion: dict[str, object],
    gateway_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """A hundred shots a second of the season that no model has seen, and how each ended."""
    assert champion
    config = SyntheticConfig(seed=1, seasons=(2024,), games_a_season=challengers.GAMES)
    shots = generate(config).select(TOLD).to_dicts()
    folder = tmp_path_factory.mktemp("rollout")
    with pytest.MonkeyPatch.context() as patch, cluster.tunnel("mlflow", 5000):
        for variable, key in (("USERNAME", "username"), ("PASSWORD", "password")):
            patch.setenv(f"MLFLOW_TRACKING_{variable}", cluster.secret("parivision-mlflow", key))
        made = Workshop(Registry("http://localhost:5000"), image_settings(cluster, folder), folder)
        with load(gateway_url, RATE, shots, tells=True) as outcome:
            yield Stage(cluster, made, outcome)


@pytest.fixture(scope="module")
def bundle(stage: Stage) -> Bundle:
    """The champion's bundle."""
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / "champion")
    assert found is not None
    return found[1]


def test_a_good_challenger_is_promoted_and_no_request_fails(stage: Stage, bundle: Bundle) -> None:
    """The champion recalibrated for the season is better, and soon gets all of the traffic."""
    release = stage.workshop.release("good", challengers.recalibrated(bundle))
    before, failed, began_s = stage.served, dict(stage.outcome.failed), time.monotonic()
    stage.deploy(release)
    minutes = (time.monotonic() - began_s) / 60
    _logger.info("good: %.1f minutes from image to all traffic", minutes)
    assert stage.served == release.version != before
    wait_for("agreement", stage.agreed, timeout_s=60)
    assert stage.outcome.failed == failed


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
    Bad("squared", lambda w, b: w.release("squared", challengers.squared(b)), r"calibrat"),
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
        lambda w, _: w.release("corner-threes", challengers.wrong_in_corners()),
        r"corner 3",
        is_quick=True,
    ),
]


@pytest.mark.parametrize(
    "bad", [bad for bad in BAD if IS_SOAK or bad.is_quick], ids=lambda bad: bad.name
)
def test_a_bad_challenger_is_rolled_back_with_its_reason(
    stage: Stage, bundle: Bundle, bad: Bad
) -> None:
    """Users get the former champion, the registry names it, and `deploy` says why."""
    before = stage.served
    release = bad.make(stage.workshop, bundle)
    with pytest.raises(ServiceError, match=rf"(?is){bad.reason}") as refused:
        stage.deploy(release)
    _logger.info("%s: %s", bad.name, refused.value)
    assert stage.served == before != release.version
    wait_for("agreement", stage.agreed, timeout_s=90)
    tags = stage.workshop.registry.version(release.version).tags
    assert tags["rollout.outcome"] in {"rolled_back", "never_served"}


@pytest.mark.skipif(not IS_SOAK, reason="PARIVISION_SOAK=1 takes it")
def test_without_prometheus_a_rollout_is_held_and_ends_by_its_deadline(
    stage: Stage, bundle: Bundle
) -> None:
    """Nothing is known of errors and latency: it stays at its weight until a person ends it."""
    operated = "prometheuses.monitoring.coreos.com"
    _scale_prometheus(stage.cluster, operated, 0)
    release = stage.workshop.release("held", bundle)
    try:
        with pytest.raises(ServiceError, match=r"(?is)deadline|not.*decided|took too long"):
            stage.deploy(release)
    finally:
        _scale_prometheus(stage.cluster, operated, 1)
    wait_for("agreement", stage.agreed, timeout_s=120)
    assert stage.served != release.version


def _scale_prometheus(cluster: LiveCluster, kind: str, replicas: int) -> None:
    patch = f'{{"spec": {{"replicas": {replicas}}}}}'
    cluster.kubectl("patch", kind, RELEASE, "-n", NAMESPACE, "--type=merge", "-p", patch)


def test_the_service_tells_what_it_judged(stage: Stage) -> None:
    """Every rollout is listed, with its outcome and the reason."""
    service = f"services/{RELEASE}-verdict:8080"
    path = f"/api/v1/namespaces/{NAMESPACE}/{service}/proxy/rollouts"
    listed = stage.cluster.kubectl("get", "--raw", path)
    assert "promoted" in listed
    assert "rolled_back" in listed
