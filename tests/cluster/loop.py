"""The loop from a drift in the stats API to a better champion, wherever the pipelines run.

A person does two things only: changes what the stats API replays, and does not wait for the full
hour: etl and monitoring are started at once.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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
from cluster.pipeline_runs import PipelineRuns, Training
from cluster.prometheus import query
from cluster.stage import Stage
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.scoring import metrics
from parivision.simulation.traffic import FACTS, GAMES, Outcome, load, new_season
from parivision.sources.synthetic import Drift, SyntheticConfig, generate

Answer = TypeVar("Answer")
Told = Callable[["World"], "Story"]
"""Puts a world in the place of the present one; gives the story of it."""

SEASON: Final = 2024
"""The season after those that the first champion knows."""
RATE: Final = 50.0
ASKING: Final = 'ALERTS{retrain="true", alertstate="firing"}'
FIRING: Final = 'ALERTS{alertname="ParivisionDrift", alertstate="firing"}'
NOTICES: Final = "parivision_retraining_notices_total"
# A scrape, a rule and the exporter's look at its sources are half a minute apart each.
SEEN_S: Final = 240.0
# On two cores, with everything else on them: a multiple of what it takes.
RUN_S: Final = 900.0
ROLLOUT_S: Final = 900.0
_logger = logging.getLogger("loop")


@dataclass
class Story:
    """What has come so far, and when."""

    stage: Stage
    runs: PipelineRuns
    send: Callable[[], Outcome]
    """Begins the traffic, which goes on to the end of the test."""
    window: timedelta
    """In which no second training may start."""
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
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

    def succeeds(self, run: str, what: str, timeout_s: float = RUN_S) -> None:
        """Wait for a run's end, which must be a good one."""
        try:
            ended = self.comes(what, lambda: self.runs.end_of(run), timeout_s=timeout_s)
        except NotInTimeError as error:
            raise NotInTimeError(f"{error}; {run}: {self.runs.log_of(run)}") from error
        assert ended == "Complete", f"{run}: {self.runs.log_of(run)}"

    def trainings(self) -> dict[str, str]:
        """The causes of the runs that alerts have started since the story began, by name."""
        return {each.run: each.cause for each in self._asked_for()}

    def started_at_most_once_a_window(self) -> bool:
        """Whether alerts that kept firing started no training too early."""
        began = sorted(each.began_at for each in self._asked_for())
        return all(later - earlier >= self.window for earlier, later in pairwise(began))

    def _asked_for(self) -> list[Training]:
        known = self.runs.trainings()
        return [each for each in known if each.cause and each.began_at >= self.began_at]

    def champion(self) -> str:
        """The version that the alias names."""
        version = self.stage.workshop.registry.champion()
        assert version is not None
        return version.number

    def drift_is_found(self) -> None:
        """From the drifted archive to the training that the alert asked for."""
        self.succeeds(self.runs.start("etl"), "etl has read it")
        heard, monitoring = _heard(self.cluster), self.runs.start("monitoring")
        # Not before: outcomes that nobody expected raise an alert, too, and that would be answered
        # by a training. While monitoring goes on none begins.
        self.traffic = self.send()
        found = "parivision_drift_detected == 1"
        self.comes("monitoring has found it", lambda: query(self.cluster, found), timeout_s=RUN_S)
        self.succeeds(monitoring, "monitoring has ended")
        assert not self.runs.did(monitoring, "promote"), "what follows is the training's"
        self.comes("the alert fires", lambda: query(self.cluster, FIRING), timeout_s=SEEN_S)
        self.comes(
            "Alertmanager has told the retraining service",
            lambda: _heard(self.cluster) > heard,
            timeout_s=SEEN_S,
        )

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


@contextmanager
def prepared(stage: Stage, runs: PipelineRuns, gateway_url: str, folder: Path) -> Iterator[Told]:
    """What tells stories; afterwards the values, the champion and the lake are as they were."""
    cluster, values = stage.cluster, folder / "values.yaml"
    values.write_text(helm(cluster, "get", "values", RELEASE, "--output", "yaml"))
    retraining = ("scale", "deployment", f"{RELEASE}-retraining", "-n", NAMESPACE)
    wait_for("no older alert that asks for a training", lambda: _none(cluster), timeout_s=SEEN_S)
    try:
        with as_before(stage, runs):
            with ExitStack() as stack:
                yield lambda world: _begun(stage, runs, world, values, gateway_url, stack)
            # The alert still fires: it would be answered with a training that nobody waits for.
            cluster.kubectl(*retraining, "--replicas=0")
        # The newest outcomes of the former champion are those of the test until others come.
        with load(gateway_url, RATE, new_season(), token=stage.teller):
            wait_for("no alert that is left", lambda: _none(cluster), timeout_s=SEEN_S)
    finally:
        upgrade(cluster, values)
        cluster.kubectl(*retraining, "--replicas=1")


def _begun(
    stage: Stage,
    runs: PipelineRuns,
    world: World,
    values: Path,
    gateway_url: str,
    stack: ExitStack,
) -> Story:
    """The story of a world, from the moment at which the stats API replays it."""
    window_h = _window_h(runs)
    waits = {"groupWait": "5s", "groupInterval": "10s", "retrainInterval": "1m"}
    changed = {
        "stats-api": {"archive": world.archive},
        "retraining": {"windowH": window_h},
        "monitoring": {"exporter": {"everyS": 10}, "alertmanager": waits},
        "shots": {"canary": {"weights": [50]}},
    }
    shots = world.season.select(FACTS).to_dicts()
    sender = load(gateway_url, RATE, shots, token=stage.teller)
    window = timedelta(hours=window_h)
    story = Story(stage, runs, lambda: stack.enter_context(sender), window)
    upgrade(stage.cluster, values, changed)
    story.comes("the stats API replays it", lambda: True, timeout_s=1)
    return story


def _none(cluster: LiveCluster) -> bool:
    firing = [alert["metric"]["alertname"] for alert in query(cluster, ASKING)]
    assert not firing, f"firing: {', '.join(firing)}"
    return True


def _window_h(runs: PipelineRuns) -> float:
    """A window that the newest training is out of, and that the next one closes for this test."""
    now = datetime.now(UTC)
    ages_h = [(now - each.began_at).total_seconds() / 3600 for each in runs.trainings()]
    return max(0.01, min(0.9 * min(ages_h, default=1.0), 0.5))


def _heard(cluster: LiveCluster) -> float:
    """How many messages of Alertmanager asked for a training."""
    service = f"services/{RELEASE}-retraining:8090/proxy/metrics"
    text = cluster.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/{service}")
    samples = [line.split() for line in text.splitlines() if line.startswith(NOTICES)]
    counts: list[float] = [float(value) for name, value in samples if "not_asked" not in name]
    return sum(counts)


def leads_to_a_better_champion(told: Told, stage: Stage) -> None:
    """From the stats API to all traffic, and records, alias and image agree; no request fails."""
    first, old = stage.served, _bundle(stage, "old")
    story = told(RELABELLED)
    story.drift_is_found()
    training, newest = story.training(), newest_version(stage)
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
    story.succeeds(training, "the training has ended")
    if query(stage.cluster, FIRING):  # as on the next day
        story.runs.start("monitoring")
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
    _is_better(old, _bundle(stage, "new"))


def _is_better(old: Bundle, served: Bundle) -> None:
    shots = tables.in_time_order(RELABELLED.season)
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    scores = [metrics.log_loss(made, one.predict(facts)) for one in (old, served)]
    _logger.info("log loss on the drifted season: %.4f before, %.4f now", *scores)
    assert scores[1] < scores[0]


def _winner(story: Story, training: str, newest: int) -> str:
    """The new champion's version; empty while the training goes on, which must not end without.

    `newest` is the last version that was there before: the alias may go back to an older one too,
    where a canary has failed.
    """
    ended, now = story.runs.end_of(training), story.champion()
    if ended and int(now) <= newest:
        log = story.runs.log_of(training)
        pytest.fail(f"the training promoted nothing ({ended}): {log[-2000:]}")
    return now if int(now) > newest else ""


def _rollout_of(stage: Stage, version: str) -> Any:
    state = stage.canary()
    return state if state.target.version == version else None


def newest_version(stage: Stage) -> int:
    """The highest number of a version; nobody registers at the same time."""
    number = int(stage.served)
    while stage.workshop.registry.version(str(number + 1)) is not None:
        number += 1
    return number


def _bundle(stage: Stage, name: str) -> Bundle:
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / name)
    assert found is not None
    return found[1]
