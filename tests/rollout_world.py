"""A service with users, a canary and a verdict, in memory and in simulated time.

The watcher, the verdict, the log's join and the documents are the real ones; Flagger is
`tests/flagger_standin.py`, the stores are those of `tests/rollout_stores.py`, and servers are a few
dictionaries that can be taken away.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from flagger_standin import Flagger, release
from parivision.canary.approval import Question
from parivision.canary.counters import PINNED, CounterReading
from parivision.canary.interfaces import Sources
from parivision.canary.log_reader import ServedLog
from parivision.canary.record import Rollout
from parivision.canary.watcher import Watcher
from parivision.errors import RegistryError, ServiceError, StoreError
from parivision.kubernetes import Release
from parivision.kubernetes.returns import ReturnOrder
from parivision.prediction_log import OUTCOMES, PREDICTIONS, RecordBatch
from parivision.prediction_log.batch import instant
from parivision.verdict import Rules
from rollout_stores import TRUTH, MemoryRegistry, MemoryRollouts, MemoryStore, Model

START = 1_800_000_000.0
BUCKETS = (0.001, 0.005, 0.025, float("inf"))
RULES = Rules(
    min_requests=60,
    min_window_requests=20,
    min_windows=1,
    min_predictions=20,
    min_shift=50,
    min_labelled=200,
    labelled_to_increase=50,
    margin=0.03,
    deadline_s=1800,
    watch_s=1200,
)
"""Small numbers, so that a rollout takes minutes of simulated time."""


class KilledError(BaseException):
    """The process is no more; nothing of it may catch this."""


class Dying:
    """Does what `target` does, and may be killed before and after it."""

    def __init__(self, target: Any, die: Callable[[], None]) -> None:
        self._target, self._die = target, die

    def __getattr__(self, name: str) -> Any:
        """A method of the target's."""
        method = getattr(self._target, name)

        def call(*words: Any, **named: Any) -> Any:
            self._die()
            answer = method(*words, **named)
            self._die()
            return answer

        return call


@dataclass
class World:
    """Users, servers and time. `truth` says how shots end."""

    folder: Path
    rules: Rules = RULES
    seed: int = 0
    requests_a_step: int = 60
    outcomes: bool = True
    error_rate: float = 0.0
    slow_rate: float = 0.0
    registry: Any = None
    rollouts: Any = None
    now: float = START
    served: dict[str, Model] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    prometheus_is_away: bool = False
    death_rate: float = 0.0
    """How often the verdict's process is killed before or after something that it does outside."""

    def __post_init__(self) -> None:
        """Version 1 is served."""
        self.random = np.random.default_rng(self.seed)
        self.store = MemoryStore()
        self.registry = self.registry or MemoryRegistry(lambda: self.now)
        self.rollouts = self.rollouts or MemoryRollouts()
        self.first = self.registry.register(TRUTH)
        self.flagger = Flagger(release(self.first), release(self.first))
        self.number = 0
        self.restart()

    def restart(self) -> None:
        """Another process of the verdict service, which knows only what is stored."""
        self.number += 1
        sources = Sources(
            target=Dying(self.flagger, self.die),
            rollouts=Dying(self.rollouts, self.die),
            models=Dying(self.registry, self.die),
            log=ServedLog(self.store, self.folder / f"labels-{self.number}.db"),
            counts=self,
        )
        self.watcher = Watcher(sources, self.rules, clock=lambda: self.now)
        self.flagger.hook = self.hook

    def die(self) -> None:
        """Be killed, sometimes."""
        if self.death_rate and self.random.random() < self.death_rate:
            raise KilledError

    def hook(self, name: str) -> bool:
        """What the webhooks answer."""
        asked: dict[str, Question] = {
            "confirm-traffic-increase": "increase",
            "confirm-promotion": "promote",
        }
        try:
            if name == "confirm-rollout":
                return self.watcher.confirm_rollout()[0]
            if name == "rollback":
                return self.watcher.ask("roll_back")[0]
            return self.watcher.ask(asked[name])[0] if name in asked else True
        except KilledError:
            self.restart()
            return False

    def deploy(self, model: Model, served: Model | None = None) -> Release:
        """A new version gets the alias and is deployed; its image may answer as another model."""
        number = self.registry.register(model)
        self.served[number] = served or model
        wanted = release(number)
        self.flagger.deploy(wanted, attempt=str(self.now))
        return wanted

    def order_return(self, version: str, **values: Any) -> ReturnOrder:
        """What `parivision rollout return` leaves on the Canary, given now."""
        at = datetime.fromtimestamp(self.now, UTC).isoformat(timespec="milliseconds")
        order = ReturnOrder(**{"id": at, "version": version, "by": "ana", **values})
        self.flagger.ordered = order.to_dict()
        return order

    @property
    def refusal(self) -> str:
        """How the verdict service refused the order on the Canary; "" if it did not."""
        order = ReturnOrder.read(self.flagger.ordered)
        return order.refused if order else ""

    def run(self, minutes: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time go by; whether `until` came true."""
        end = self.now + 60 * minutes
        while self.now < end:
            self.turn()
            if until():
                return True
        return False

    def turn(self) -> None:
        """Ten seconds: users ask, the watcher looks, Flagger ticks."""
        self.now += 10
        self.ask()
        self.step()
        self.flagger.tick()

    def step(self) -> None:
        """The watcher looks, and gets over what is away."""
        try:
            self.watcher.step()
        except (ServiceError, StoreError, RegistryError):
            return
        except KilledError:
            self.restart()

    def ask(self) -> None:
        """Users ask of both tracks, and are logged, counted and answered."""
        canary = int(self.random.binomial(self.requests_a_step, self.flagger.weight))
        counts = {"primary": self.requests_a_step - canary, "canary": canary}
        if self.flagger.is_mirrored and self.flagger.phase == "Progressing":
            counts["canary"] = self.requests_a_step
        for track, count in counts.items():
            if count:
                deployed = self.flagger.primary if track == "primary" else self.flagger.target
                self._serve(track, deployed.version, count)

    def _serve(self, track: str, version: str, count: int) -> None:
        pod = f"shots-{track}-{version}"
        failed = int(self.random.binomial(count, self.error_rate)) if track == "canary" else 0
        slow = int(self.random.binomial(count, self.slow_rate)) if track == "canary" else 0
        self._count("requests", track, pod, "200", count - failed)
        self._count("requests", track, pod, "500", failed)
        for bound in BUCKETS:
            self._count("bucket", track, pod, str(bound), count - slow * (bound < 1))
        answers = self.served.get(version, TRUTH)
        predictions: list[dict[str, Any]] = []
        outcomes: list[dict[str, Any]] = []
        for _ in range(count):
            number = len(self.store.batches) * 1000 + len(predictions)
            shot = {"player_id": 7, "period": 1, "clock_s": 9.0, "x_ft": 0.0}
            shot["y_ft"] = float(self.random.uniform(0, 28))
            at, id_ = instant(self.now), f"{number:032x}"
            predictions.append({"id": id_, "at": at, "p_made": answers.p(shot), "facts": shot})
            made = bool(self.random.random() < TRUTH.p(shot))
            outcomes.append({"key": id_, "made": made, "at": at})
        shared = {"model": "shots", "version": version, "track": track, "pod": pod}
        self._append(PREDICTIONS, pod, predictions, shared)
        if self.outcomes:
            self._append(OUTCOMES, pod, outcomes, {})

    def _append(self, kind: str, stream: str, records: Any, shared: Any) -> None:
        if not self.store.is_away:
            number = self.store.ends(kind).get(stream, 0)
            self.store.append(RecordBatch(kind, stream, number, records, shared))

    def _count(self, kind: str, track: str, pod: str, label: str, count: int) -> None:
        name = f"{kind}|{track}|{pod}|{label}"
        self.counters[name] = self.counters.get(name, 0) + count

    def read(self, at: float) -> CounterReading:
        """Prometheus."""
        if self.prometheus_is_away:
            raise ServiceError("Prometheus does not answer")
        return CounterReading(at, {PINNED: 0, **self.counters})

    @property
    def newest(self) -> Rollout:
        """The newest rollout, as it is stored."""
        newest: Rollout = self.rollouts.all()[-1]
        return newest

    def is_agreed(self) -> bool:
        """Whether alias and image say the same, and nothing is left to do."""
        canary = self.flagger.state()
        assert canary is not None
        is_done = all(rollout.is_settled for rollout in self.rollouts.all())
        holder = self.registry.champion()
        return canary.is_at_rest and is_done and holder.number == self.flagger.primary.version
