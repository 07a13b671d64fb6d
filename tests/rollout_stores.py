"""What a rollout reads and writes, in memory: models, their registry, predictions, records."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from parivision.canary.record import Rollout
from parivision.canary.store import ChangedError
from parivision.errors import RegistryError, StoreError
from parivision.features.form import Form
from parivision.prediction_log import RecordBatch
from parivision.registry.records import RegisteredVersion


@dataclass(frozen=True)
class Model:
    """A bundle as far as it is asked here: log odds fall with the distance."""

    level: float = 0.3
    slope: float = 0.06
    form: Form = field(default_factory=Form)

    def predict(self, facts: Any) -> Any:
        """Probabilities."""
        return 1 / (1 + np.exp(self.slope * np.abs(facts.y_ft) - self.level))

    def p(self, shot: Mapping[str, Any]) -> float:
        """The probability of one shot."""
        return float(1 / (1 + np.exp(self.slope * abs(shot["y_ft"]) - self.level)))


TRUTH = Model()
BAD = Model(level=-0.9)


class MemoryStore:
    """The prediction log's store."""

    def __init__(self) -> None:
        self.batches: dict[tuple[str, str, int], RecordBatch] = {}
        self.is_away = False

    def append(self, batch: RecordBatch) -> bool:
        """Keep it."""
        self._ask()
        key = (batch.kind, batch.stream, batch.number)
        return self.batches.setdefault(key, batch) is batch

    def ends(self, kind: str) -> dict[str, int]:
        """How far each stream is."""
        self._ask()
        ends: dict[str, int] = {}
        for stored_kind, stream, number in self.batches:
            if stored_kind == kind:
                ends[stream] = max(ends.get(stream, 0), number + 1)
        return ends

    def read(self, kind: str, stream: str, number: int) -> RecordBatch | None:
        """One batch."""
        self._ask()
        return self.batches.get((kind, stream, number))

    def games(self) -> set[int]:
        """Nobody asks."""
        return set()

    def close(self) -> None:
        """Nothing is open."""

    def _ask(self) -> None:
        if self.is_away:
            raise StoreError("MongoDB does not answer")


class MemoryRollouts:
    """Rollouts as text, as MongoDB keeps them."""

    def __init__(self) -> None:
        self.documents: dict[str, tuple[int, str, bytes]] = {}
        self.is_away = False

    def all(self) -> list[Rollout]:
        """Every rollout."""
        self._ask()
        rollouts = [
            Rollout.from_dict({**json.loads(text), "seen": seen})
            for _, text, seen in self.documents.values()
        ]
        return sorted(rollouts, key=lambda rollout: (rollout.started_at, rollout.id))

    def save(self, rollout: Rollout) -> None:
        """Keep it, unless another has changed it."""
        self._ask()
        if self.documents.get(rollout.id, (0, "", b""))[0] != rollout.revision:
            raise ChangedError(f"{rollout.id} was changed")
        rollout.revision += 1
        values = rollout.to_dict()
        seen = values.pop("seen")
        self.documents[rollout.id] = (rollout.revision, json.dumps(values), seen)

    def _ask(self) -> None:
        if self.is_away:
            raise StoreError("MongoDB does not answer")


class MemoryRegistry:
    """Versions, the alias and the runs of rollouts."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.models: dict[str, Model] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.made: dict[str, float] = {}
        self.alias = ""
        self.runs: dict[tuple[str, str], Mapping[str, str]] = {}
        self.is_away = False

    def register(self, model: Model) -> str:
        """What the step `promote` does: a new version, which gets the alias."""
        number = str(len(self.models) + 1)
        self.models[number], self.tags[number] = model, {}
        self.made[number], self.alias = self.clock(), number
        return number

    def bundle(self, number: str) -> Any:
        """A version's model."""
        self._ask()
        return self.models[number]

    def champion(self) -> RegisteredVersion | None:
        """Who has the alias."""
        self._ask()
        at = datetime.fromtimestamp(self.made[self.alias], UTC)
        return RegisteredVersion(self.alias, "", dict(self.tags[self.alias]), at)

    def version(self, number: str) -> RegisteredVersion | None:
        """A version, if there is one."""
        self._ask()
        known = number in self.models
        return RegisteredVersion(number, "", dict(self.tags[number])) if known else None

    def point_alias(self, number: str) -> None:
        """Give the alias."""
        self._ask()
        self.alias = number

    def tag_version(self, number: str, tags: Mapping[str, str]) -> None:
        """Tag it."""
        self._ask()
        self.tags[number] |= tags

    def record_rollout(self, rollout: str, *, tags: Mapping[str, str], **_: Any) -> None:
        """Once for each outcome."""
        self._ask()
        self.runs.setdefault((rollout, tags["outcome"]), tags)

    def _ask(self) -> None:
        if self.is_away:
            raise RegistryError("MLflow does not answer")
