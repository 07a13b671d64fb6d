"""What a watcher asks and tells: the cluster, the registry, the log, and Prometheus."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from parivision.canary.counters import CounterReading
from parivision.canary.store import Rollouts
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.release import Release
from parivision.models.bundle import Bundle
from parivision.prediction_log.join import Page
from parivision.prediction_log.records import LabelledPrediction, ServedPrediction
from parivision.registry.records import RegisteredVersion


class RolloutTargetLike(Protocol):
    """What is watched: `kubernetes.RolloutTarget`."""

    def state(self) -> CanaryState | None: ...  # noqa: D102
    def publish(self, status: Mapping[str, Any]) -> None: ...  # noqa: D102
    def serve(self, release: Release) -> None: ...  # noqa: D102
    def force(self, release: Release | None) -> None: ...  # noqa: D102
    def order(self, ordered: Mapping[str, Any]) -> None: ...  # noqa: D102
    def record_event(  # noqa: D102
        self, uid: str, name: str, reason: str, message: str
    ) -> None: ...
    def trouble(self) -> str: ...  # noqa: D102
    def warnings(self) -> list[str]: ...  # noqa: D102


class Models(Protocol):
    """The registry, as far as a rollout needs it."""

    def bundle(self, number: str) -> Bundle: ...  # noqa: D102
    def champion(self) -> RegisteredVersion | None: ...  # noqa: D102
    def version(self, number: str) -> RegisteredVersion | None: ...  # noqa: D102
    def point_alias(self, number: str) -> None: ...  # noqa: D102
    def tag_version(self, number: str, tags: Mapping[str, str]) -> None: ...  # noqa: D102
    def record_rollout(  # noqa: D102
        self,
        rollout: str,
        *,
        metrics: Mapping[str, float | int | None],
        tags: Mapping[str, str],
        document: Mapping[str, Any],
    ) -> None: ...


class PredictionSource(Protocol):
    """The prediction log: `ServedLog`."""

    def ends(self) -> tuple[str, str]: ...  # noqa: D102
    def predictions(self, cursor: str) -> Iterator[Page[ServedPrediction]]: ...  # noqa: D102
    def labelled(self, cursor: str) -> Iterator[Page[LabelledPrediction]]: ...  # noqa: D102


class CounterSource(Protocol):
    """Prometheus: `Prometheus`."""

    def read(self, at: float) -> CounterReading: ...  # noqa: D102


@dataclass(frozen=True)
class Sources:
    """Everything that is outside."""

    target: RolloutTargetLike
    rollouts: Rollouts
    models: Models
    log: PredictionSource
    counts: CounterSource
