"""The loop is closed, with nobody's hand in it and nothing that stands in for anything.

Given a drift in the stats API: etl brings it, monitoring finds it, the alert asks for a training,
and a better champion serves. Given a feed that mixes up how shots ended: the same, and none serves.
A person does two things only: changes what the stats API replays, and does not wait for the full
hour: etl and monitoring are Jobs of their CronJobs' templates, made at once.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl
import pytest

from cluster.as_before import as_before
from cluster.helm_release import helm, upgrade
from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, NotInTimeError, wait_for
from cluster.prometheus import query
from cluster.stage import Stage
from parivision.features import tables
from parivision.kubernetes.cron_jobs import CAUSE, PIPELINE
from parivision.models.bundle import Bundle
from parivision.scoring import metrics
from parivision.simulation.traffic import FACTS, GAMES, Outcome, load, new_season
from parivision.sources.synthetic import Drift, SyntheticConfig, generate

Object = dict[str, Any]
Answer = TypeVar("Answer")

SEASON: Final = 2024
"""The season after those that the first champion knows."""
RATE: Final = 50.0
ASKING: Final = 'ALERTS{retrain="true", alertstate="firing"}'
FIRING: Final = 'ALERTS{alertname="ParivisionDrift", alertstate="firing"}'
NOTICES: Final = "parivision_retraining_notices_total"
# A scrape, a rule and the exporter's look at its sources are half a minute apart each.
SEEN_S: Final = 240.0
# On two cores, with everything else on them: a multiple of what it takes.
RUN_S: Final = 600.0
ROLLOUT_S: Final = 600.0
_logger = logging.getLogger("loop")


@dataclass
class Story:
    """What has come so far, and when."""

    stage: Stage
    send: Callable[[], Outcome]
    """Begins the traffic, which goes on to the end of the test."""
    window: timedelta
    """In which no second training may start."""
    began_s: float = field(default_factory=time.monotonic)
    last_s: float = 0.0
    traffic: Outcome = field(default_factory=Outcome)

    @property
    def cluster(self) -> LiveCluster:
        """Where it takes place."""
        return self.stage.cluster

    def comes(self, what: str, ask: Callable[[], Answer | None], *, timeout_s: float) -> Answer:
        """Wait for the next step, and say when it came; a step that does not come is named."""
        try:
            answer = wait_for(what, ask, timeout_s=timeout_s)
        except NotInTimeError as error:
            raise NotInTimeError(f"the loop is not closed, {error}") from error
        now_s = time.monotonic() - self.began_s
        _logger.info("%4.0f s (+%3.0f s)  %s", now_s, now_s - self.last_s, what)
        self.last_s = now_s
        return answer

    def job(self, pipeline: str) -> str:
        """Have a pipeline run now that its schedule would run later; returns the Job's name."""
        name = f"{RELEASE}-{pipeline}-at-{datetime.now(UTC):%H%M%S}"
        template = f"cronjob/{RELEASE}-{pipeline}"
        self.cluster.kubectl("create", "job", name, "--from", template, "-n", NAMESPACE)
        return name

    def end_of(self, job: str) -> str:
        """How a Job ended: Complete or Failed; empty until it has."""
        conditions = self.cluster.batch.read_namespaced_job(job, NAMESPACE).status.conditions
        held = {one.type for one in conditions or () if one.status == "True"}
        return next(iter(held & {"Complete", "Failed"}), "")

    def log_of(self, job: str) -> str:
        """What a Job's pod has written so far."""
        return self.cluster.kubectl("logs", f"job/{job}", "-n", NAMESPACE, check=False)

    def trainings(self) -> dict[str, str]:
        """The causes of the Jobs that alerts started, by name."""
        asked = {"label_selector": f"{PIPELINE}=training"}
        jobs = self.cluster.batch.list_namespaced_job(NAMESPACE, **asked).items
        noted = {job.metadata.name: job.spec.template.metadata.annotations or {} for job in jobs}
        return {name: notes[CAUSE] for name, notes in noted.items() if CAUSE in notes}

    def started_at_most_once_a_window(self) -> bool:
        """Whether alerts that kept firing started no training too early."""
        asked = {"label_selector": f"{PIPELINE}=training"}
        jobs = self.cluster.batch.list_namespaced_job(NAMESPACE, **asked).items
        names = self.trainings()
        began = sorted(
            job.metadata.creation_timestamp for job in jobs if job.metadata.name in names
        )
        return all(later - earlier >= self.window for earlier, later in pairwise(began))

    def champion(self) -> str:
        """The version that the alias names."""
        version = self.stage.workshop.registry.champion()
        assert version is not None
        return version.number

    def drift_is_found(self) -> None:
        """From the drifted archive to the training that the alert asked for."""
        etl = self.job("etl")
        assert self.comes("etl has read it", lambda: self.end_of(etl), timeout_s=RUN_S) == (
            "Complete"
        ), self.log_of(etl)
        heard, monitoring = _heard(self.cluster), self.job("monitoring")
        # Not before: outcomes that nobody expected raise an alert, too, and that would be answered
        # by a training. While monitoring goes on none begins.
        self.traffic = self.send()
        found = "parivision_drift_detected == 1"
        self.comes("monitoring has found it", lambda: query(self.cluster, found), timeout_s=RUN_S)
        self.comes("the alert fires", lambda: query(self.cluster, FIRING), timeout_s=SEEN_S)
        self.comes(
            "Alertmanager has told the retraining service",
            lambda: _heard(self.cluster) > heard,
            timeout_s=SEEN_S,
        )
        self.comes("monitoring has ended", lambda: self.end_of(monitoring), timeout_s=RUN_S)
        assert "promote" not in self.log_of(monitoring), "drift is the training's to answer"

    def training(self) -> str:
        """The name of the one training that an alert has started."""
        started = self.comes("the training has started", self.trainings, timeout_s=SEEN_S)
        (name,), (cause,) = started, started.values()
        assert cause.startswith("Parivision"), cause
        _logger.info("cause: %s", cause)
        return name


@dataclass(frozen=True)
class World:
    """What the stats API replays, what is asked of the service, and how that ended."""

    archive: str
    season: pl.DataFrame

    @classmethod
    def of(cls, switch: str, played: Drift) -> "World":
        """A world whose feed has a switch on in the season; `played` is how its games are."""
        archive = f"synthetic:?seed=1&seasons=2022-{SEASON}&games={GAMES}&{switch}={SEASON}"
        config = SyntheticConfig(seed=1, seasons=(SEASON,), games_a_season=GAMES, drift=played)
        return cls(archive, generate(config))


RELABELLED: Final = World.of("relabel_actions", Drift(relabel_actions=SEASON))
SHUFFLED: Final = World.of("shuffled_outcomes", Drift())


@pytest.fixture
def values(cluster: LiveCluster, stage: Stage, gateway_url: str, tmp_path: Path) -> Iterator[Path]:
    """The release's values; afterwards they, the champion and the lake are as they were."""
    if not cluster.batch.list_namespaced_cron_job(NAMESPACE).items:
        pytest.skip("the pipelines run on Kubeflow here: tests/kubeflow closes the loop there")
    path = tmp_path / "values.yaml"
    path.write_text(helm(cluster, "get", "values", RELEASE, "--output", "yaml"))
    retraining = ("scale", "deployment", f"{RELEASE}-retraining", "-n", NAMESPACE)
    wait_for("no older alert that asks for a training", lambda: _none(cluster), timeout_s=SEEN_S)
    try:
        with as_before(stage):
            yield path
            # The alert still fires: it would be answered with a training that nobody waits for.
            cluster.kubectl(*retraining, "--replicas=0")
        # The newest outcomes of the former champion are those of the test until others come.
        with load(gateway_url, RATE, new_season(), token=stage.teller):
            wait_for("no alert that is left", lambda: _none(cluster), timeout_s=SEEN_S)
    finally:
        upgrade(cluster, path)
        cluster.kubectl(*retraining, "--replicas=1")


def _none(cluster: LiveCluster) -> bool:
    firing = [alert["metric"]["alertname"] for alert in query(cluster, ASKING)]
    assert not firing, f"firing: {', '.join(firing)}"
    return True


@pytest.fixture
def told(
    cluster: LiveCluster, stage: Stage, values: Path, gateway_url: str
) -> Iterator[Callable[[World], Story]]:
    """Puts a world in the place of the present one; gives the story of it."""
    with ExitStack() as stack:

        def begin(world: World) -> Story:
            window_h = _window_h(cluster)
            waits = {"groupWait": "5s", "groupInterval": "10s", "retrainInterval": "1m"}
            changed = {
                "stats-api": {"archive": world.archive},
                "retraining": {"windowH": window_h},
                "monitoring": {"exporter": {"everyS": 10}, "alertmanager": waits},
                "shots": {"canary": {"weights": [50]}},
            }
            story = Story(stage, lambda: stack.enter_context(sender), timedelta(hours=window_h))
            shots = world.season.select(FACTS).to_dicts()
            sender = load(gateway_url, RATE, shots, token=stage.teller)
            upgrade(cluster, values, changed)
            story.comes("the stats API replays it", lambda: True, timeout_s=1)
            return story

        yield begin


def _window_h(cluster: LiveCluster) -> float:
    """A window that the newest training is out of, and that the next one closes for this test."""
    asked = {"label_selector": f"{PIPELINE}=training"}
    jobs = cluster.batch.list_namespaced_job(NAMESPACE, **asked).items
    now = datetime.now(UTC)
    ages_h = [(now - job.metadata.creation_timestamp).total_seconds() / 3600 for job in jobs]
    return max(0.01, min(0.9 * min(ages_h, default=1.0), 0.5))


def _heard(cluster: LiveCluster) -> float:
    """How many messages of Alertmanager asked for a training."""
    service = f"services/{RELEASE}-retraining:8090/proxy/metrics"
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/{service}")
    samples = [line.split() for line in text.splitlines() if line.startswith(NOTICES)]
    counts: list[float] = [float(value) for name, value in samples if "not_asked" not in name]
    return sum(counts)


def test_a_drift_that_matters_leads_to_a_better_champion_that_serves(
    told: Callable[[World], Story], stage: Stage
) -> None:
    """From the stats API to all traffic, and records, alias and image agree; no request fails."""
    first, old = stage.served, _bundle(stage, "old")
    story = told(RELABELLED)
    story.drift_is_found()
    training, newest = story.training(), _newest(stage)
    new = story.comes(
        "the new model has won the contest",
        lambda: _winner(story, training, newest),
        timeout_s=RUN_S,
    )
    rollout = story.comes(
        "its image is made, and its canary runs", lambda: _rollout_of(stage, new), timeout_s=RUN_S
    )
    assert "@sha256:" in rollout.target.image
    story.comes("it gets all traffic", lambda: stage.served == new, timeout_s=ROLLOUT_S)
    ended = story.comes("the training has ended", lambda: story.end_of(training), timeout_s=120)
    assert ended == "Complete", story.log_of(training)
    if query(stage.cluster, FIRING):  # as on the next day
        story.job("monitoring")
    story.comes("the alert ends", lambda: not query(stage.cluster, FIRING), timeout_s=RUN_S)
    story.comes("alias, image and records agree", stage.agreed, timeout_s=60)
    assert stage.has_outcome(new, "promoted")
    assert stage.canary().target.is_same(stage.canary().primary)
    version = stage.workshop.registry.version(new)
    assert version is not None
    assert version.tags["family"] != "champion_recalibrated"
    assert story.started_at_most_once_a_window(), story.trainings()
    assert new != first
    assert not story.traffic.failed
    shots = tables.in_time_order(RELABELLED.season)
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    served = _bundle(stage, "new")
    scores = [metrics.log_loss(made, one.predict(facts)) for one in (old, served)]
    _logger.info("log loss on the drifted season: %.4f before, %.4f now", *scores)
    assert scores[1] < scores[0]


@pytest.mark.skipif("PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it")
def test_mixed_up_outcomes_lead_to_no_new_champion(
    told: Callable[[World], Story], stage: Stage
) -> None:
    """The same alert and the same training; whatever wins on such outcomes fails on real ones.

    The contest knows only the outcomes that the feed brought. Those who are asked know better: the
    canary is judged by how their shots ended.
    """
    first, newest = stage.served, _newest(stage)
    story = told(SHUFFLED)
    story.drift_is_found()
    training = story.training()
    ended = story.comes("the training has ended", lambda: story.end_of(training), timeout_s=900)
    story.comes("all traffic stays", lambda: stage.canary().is_at_rest, timeout_s=ROLLOUT_S)
    assert stage.served == first
    story.comes("alias and image agree", stage.agreed, timeout_s=120)
    challengers = [str(number) for number in range(newest + 1, _newest(stage) + 1)]
    _logger.info(
        "the training ended as %s; challengers: %s", ended, ", ".join(challengers) or "none"
    )
    for number in challengers:
        assert stage.has_outcome(number, "rolled_back", "never_served", "superseded"), number
    assert story.started_at_most_once_a_window(), story.trainings()
    assert not story.traffic.failed


def _winner(story: Story, training: str, newest: int) -> str:
    """The new champion's version; empty while the training goes on, which must not end without.

    `newest` is the last version that was there before: the alias may go back to an older one too,
    where a canary of monitoring's has failed.
    """
    ended, now = story.end_of(training), story.champion()
    if ended and int(now) <= newest:
        pytest.fail(f"the training promoted nothing ({ended}): {story.log_of(training)[-2000:]}")
    return now if int(now) > newest else ""


def _rollout_of(stage: Stage, version: str) -> Any:
    state = stage.canary()
    return state if state.target.version == version else None


def _newest(stage: Stage) -> int:
    """The highest number of a version; nobody registers at the same time."""
    number = int(stage.served)
    while stage.workshop.registry.version(str(number + 1)) is not None:
        number += 1
    return number


def _bundle(stage: Stage, name: str) -> Bundle:
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / name)
    assert found is not None
    return found[1]
