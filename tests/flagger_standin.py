"""Flagger in a few lines: what its 1.41 does with a Canary, tick by tick, in memory.

Only what the verdict service sees and changes of it: phases, weights, hooks and the two
Deployments. The cluster tests meet the real one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from parivision.kubernetes import AwayError, CanaryState, Release

Hook = Callable[[str], bool]
PATIENCE_TICKS = 5
WEIGHTS = (0.05, 0.25, 0.5)


def release(version: str) -> Release:
    """A release of a version."""
    return Release(f"localhost:30500/shots@sha256:{version:0>64}", version, f"bento-{version}")


@dataclass
class Flagger:
    """A Canary, its target and its primary; also the rollout target that a watcher is given."""

    primary: Release
    target: Release
    hook: Hook = lambda _: False
    is_mirrored: bool = False
    is_ready: bool = True
    is_away: bool = False
    phase: str = "Succeeded"
    weight: float = 0.0
    is_forced: bool = False
    forced_for: str = ""
    promoted: str = ""
    applied: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)
    ordered: Mapping[str, Any] = field(default_factory=dict)
    notes: dict[str, tuple[str, str]] = field(default_factory=dict)
    unready: int = 0

    def __post_init__(self) -> None:
        """What is served at the beginning was promoted."""
        self.promoted = self.applied = self.key

    @property
    def key(self) -> str:
        """The target's template."""
        return f"{self.target.version}-{hash_of(self.target)}"

    def tick(self) -> None:
        """One look of Flagger's."""
        if self.phase in {"Succeeded", "Failed", "Initialized"}:
            if self.key not in {self.promoted, self.applied}:
                self._begin()
        elif self.phase == "Waiting":
            self._begin()
        elif self.phase == "Promoting":
            self.weight, self.phase = 0.0, "Finalising"
        elif self.phase == "Finalising":
            self.phase, self.promoted = "Succeeded", self.applied
            self.hook("post-rollout")
        else:
            self._progress()

    def _progress(self) -> None:
        if self.key not in {self.promoted, self.applied}:
            self.weight, self.phase, self.applied = 0.0, "Progressing", self.key
        elif not self.is_ready:
            self.unready += 1
            if self.unready > PATIENCE_TICKS:
                self._fail()
        elif self.is_forced:
            self.primary, self.weight, self.phase = self.target, 0.0, "Succeeded"
            self.promoted = self.applied
        elif self.hook("rollback"):
            self._fail()
        else:
            self._advance()

    def _begin(self) -> None:
        if not self.hook("confirm-rollout"):
            self.phase = "Waiting"
            return
        self.phase, self.applied, self.weight = "Progressing", self.key, 0.0

    def _advance(self) -> None:
        steps = [weight for weight in WEIGHTS if weight > self.weight]
        if self.is_mirrored or not steps:
            if (self.is_mirrored or self.hook("confirm-traffic-increase")) and self.hook(
                "confirm-promotion"
            ):
                self.primary, self.phase = self.target, "Promoting"
        elif self.hook("confirm-traffic-increase"):
            self.weight = steps[0]

    def _fail(self) -> None:
        self.phase, self.weight = "Failed", 0.0
        self.hook("post-rollout")

    # The rollout target.

    def state(self) -> CanaryState | None:
        """How it stands."""
        if self.is_away:
            raise AwayError("the Kubernetes API does not answer")
        return CanaryState(
            phase=self.phase,
            weight=self.weight,
            is_suspended=False,
            is_forced=self.is_forced,
            is_mirrored=self.is_mirrored,
            uid="uid",
            target=self.target,
            primary=self.primary,
            key=self.key,
            status=self.status,
            ordered=self.ordered,
            forced_for=self.forced_for,
        )

    def publish(self, status: Mapping[str, Any]) -> None:
        """An annotation."""
        self.status = status

    def serve(self, wanted: Release) -> None:
        """Another target."""
        self.target = wanted

    def force(self, wanted: Release | None) -> None:
        """Skip the analysis of a release."""
        self.is_forced, self.forced_for = wanted is not None, wanted.name if wanted else ""

    def order(self, ordered: Mapping[str, Any]) -> None:
        """What a person ordered, and the answer to it."""
        self.ordered = ordered

    def record_event(self, uid: str, name: str, reason: str, message: str) -> None:
        """An event."""
        assert uid
        self.notes.setdefault(name, (reason, message))

    def trouble(self) -> str:
        """Why pods do not start."""
        return "" if self.is_ready else "its container ends again and again"

    def warnings(self) -> list[str]:
        """What Flagger said."""
        return []

    def deploy(self, wanted: Release, attempt: str) -> None:
        """What `parivision deploy` does."""
        if not wanted.is_same(self.target) or self.phase == "Failed":
            self.target = replace(wanted, attempt=attempt)


def hash_of(wanted: Release) -> str:
    """What tells templates apart."""
    return f"{wanted.image[-6:]}{wanted.attempt}".replace(":", "")
