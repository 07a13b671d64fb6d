"""The record of one rollout: a document that a restart goes on from.

State, cursors and counts are written together, in one document. So what was taken in and how far
the sources were read can never differ.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self

from parivision import strict_json
from parivision.kubernetes.release import Release
from parivision.promotion.ends import SERVING_ENDS, End
from parivision.verdict import State

HISTORY: Final = 600
"""Points that are kept for the plots; older ones are thinned out."""


class RolloutStage(StrEnum):
    """Where a rollout is in its life."""

    JUDGING = "judging"
    WATCHING = "watching"
    """Promoted, and watched against the former champion."""
    ENDED = "ended"


class Order(StrEnum):
    """What a person wants done, whatever the evidence says."""

    NONE = ""
    PROMOTE = "promote"
    ABORT = "abort"
    RESTORE = "restore"
    """The watch brings a former champion back: nothing is judged."""
    RETURN = "return"
    """A person brings a former champion back: nothing is judged."""


@dataclass
class Rollout:
    """What is known of one rollout; times are seconds since 1970.

    `key` names the target's template, `id` tells two rollouts of one template apart. `counters` are
    Prometheus' as they were at `counted_at`. `seen` holds the labelled shots that were taken in, as
    8 bytes each. `condemned` is why it must be rolled back, once that is so; `trouble` is why its
    pods did not start. `revision` counts how often it was stored, `is_settled` tells whether
    it is reconciled: registry and cluster know how it ended.
    """

    id: str
    key: str
    release: Release
    former: Release
    state: State
    started_at: float
    stage: RolloutStage = RolloutStage.JUDGING
    end: End = End.NONE
    reason: str = ""
    order: Order = Order.NONE
    ordered_by: str = ""
    ordered_why: str = ""
    ended_at: float | None = None
    promoted_at: float | None = None
    is_settled: bool = True
    weight: float = 0.0
    weight_since: float = 0.0
    requests_at_weight: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    counted_at: float | None = None
    predictions_cursor: str = ""
    labelled_cursor: str = ""
    seen: bytes = b""
    stale_versions: tuple[str, ...] = ()
    was_running: bool = False
    condemned: str = ""
    trouble: str = ""
    verdict: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    revision: int = 0

    @property
    def version(self) -> str:
        """The challenger's version."""
        return self.release.version

    @property
    def is_same_model(self) -> bool:
        """Whether only the image or the pods' template changed, and no model is judged."""
        return self.release.version == self.former.version

    @property
    def was_champion(self) -> bool:
        """Whether users got its release, now or once."""
        return self.end in SERVING_ENDS or self.end is End.TAKEN_BACK

    @property
    def is_open(self) -> bool:
        """Whether it is still judged or watched."""
        return self.stage is not RolloutStage.ENDED

    def finish(self, end: End, reason: str, now: float) -> None:
        """The rollout has ended; its consequences are still to be carried out."""
        self.end, self.reason, self.is_settled = end, reason, False
        if end is End.PROMOTED:
            self.stage, self.promoted_at = RolloutStage.WATCHING, now
        else:
            self.stage, self.ended_at = RolloutStage.ENDED, now

    def forget(self) -> None:
        """Drop the evidence: a record is kept for ever, and an ended one needs it no more."""
        self.state = State(self.state.rules)
        self.seen, self.counters = b"", {}

    def remember(self, point: Mapping[str, Any]) -> None:
        """Add a point to the history; when there are too many, every other old one goes."""
        self.history.append(dict(point))
        if len(self.history) > HISTORY:
            # The older half loses every other point each time it is full. So the plot keeps its
            # beginning, and points lie the further apart the older they are.
            half = HISTORY // 2
            self.history = self.history[:half:2] + self.history[half:]

    def to_dict(self) -> dict[str, Any]:
        """As it is stored; the state as text, whose whole numbers no driver may round."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {"release": asdict(self.release), "former": asdict(self.former)}
        values |= {name: str(values[name].value) for name in ("stage", "end", "order")}
        values |= {"stale_versions": list(self.stale_versions), "history": list(self.history)}
        return values | {"state": strict_json.text(self.state.to_dict(), exact=True)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        # A record that an older program stored lacks newer fields: they get their defaults.
        read = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        read |= {"release": Release(**read["release"]), "former": Release(**read["former"])}
        read |= {"stage": RolloutStage(read["stage"]), "end": End(read["end"])}
        read |= {"order": Order(read["order"]), "stale_versions": tuple(read["stale_versions"])}
        return cls(**read | {"state": State.from_dict(json.loads(read["state"]))})
