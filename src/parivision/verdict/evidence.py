"""What a verdict is made from: served requests, logged predictions and labelled shots.

The challenger is the model that is judged: the canary's in a rollout, the new champion's in the
watch after it. The champion is what it is held against: the former champion in that watch.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parivision.errors import DataError
from parivision.shots import court
from parivision.shots.facts import Floats, Ints
from parivision.shots.segments import SEGMENTS, period_codes, volume_codes

UNKNOWN: Final = -1
SHAPE: Final = tuple(len(classes) + 1 for classes in SEGMENTS.values())
"""Cells that shots are counted in; the first class of each segment stands for "unknown"."""


@dataclass(frozen=True)
class Track:
    """Requests that one track answered in a window: how many, how many with 5xx, how fast.

    `latency` counts requests in each bucket (not cumulative): one entry more than there are
    bounds, the last for those above all bounds; empty when it is not known.
    """

    requests: int
    errors: int
    latency: tuple[int, ...] = ()


@dataclass(frozen=True)
class ServedWindow:
    """A window of time in which both tracks were served; windows come in the order of time.

    `weight` is the share of requests meant for the canary during the whole of the window, or None
    when there was none (mirrored traffic, or the weight changed): the sample ratio is not judged
    on it then. `bounds_s` are the upper bounds of the latency buckets, ascending.
    """

    primary: Track
    canary: Track
    weight: float | None
    bounds_s: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse counts that cannot be, with DataError."""
        if self.weight is not None and not 0 <= self.weight <= 1:
            raise DataError(f"expected a weight from 0 to 1, got {self.weight}")
        for name, track in (("primary", self.primary), ("canary", self.canary)):
            if not 0 <= track.errors <= track.requests:
                raise DataError(
                    f"expected 0 <= errors <= requests on the {name}, got {track.errors} errors "
                    f"in {track.requests} requests"
                )
            if track.latency and len(track.latency) != len(self.bounds_s) + 1:
                raise DataError(
                    f"expected {len(self.bounds_s) + 1} latency buckets on the {name}, got "
                    f"{len(track.latency)}"
                )


@dataclass(frozen=True)
class Segments:
    """Classes of n shots, each of shape (n,): places in `SEGMENTS`, or -1 when not known."""

    zone: Ints
    period: Ints
    volume: Ints

    @classmethod
    def of(cls, zone: ArrayLike, period: ArrayLike, volume: ArrayLike) -> Self:
        """From lists or arrays of codes."""
        return cls(*(np.asarray(codes, np.int64) for codes in (zone, period, volume)))

    @classmethod
    def of_facts(
        cls, x_ft: ArrayLike, y_ft: ArrayLike, period: ArrayLike, attempts: ArrayLike
    ) -> Self:
        """From a shot's facts and its player's earlier attempts; NaN attempts are not known."""
        tried = np.asarray(attempts, np.float64)
        return cls.of(
            court.zone(np.asarray(x_ft, np.float64), np.asarray(y_ft, np.float64)) - 1,
            period_codes(period),
            np.where(np.isnan(tried), UNKNOWN, volume_codes(tried)),
        )

    @classmethod
    def unknown(cls, n: int) -> Self:
        """Shots of which no segment is known."""
        return cls(*(np.full(n, UNKNOWN) for _ in SHAPE))

    def take(self, rows: slice | NDArray[np.bool_] | Ints) -> Self:
        """Some of the rows."""
        return type(self)(self.zone[rows], self.period[rows], self.volume[rows])

    def cells(self) -> Ints:
        """The cell of each shot in an array of `SHAPE`, flat; DataError for a class not known."""
        # The cell is a number whose digits are the classes, each in a base of its own. One is added
        # to each, since -1 (not known) is a class as well.
        codes = (self.zone, self.period, self.volume)
        cell = np.zeros(len(self.zone), np.int64)
        for name, size, code in zip(SEGMENTS, SHAPE, codes, strict=True):
            if len(code) and not (code.min() >= UNKNOWN and code.max() < size - 1):
                raise DataError(f"expected a {name} code from -1 to {size - 2}, got others")
            cell = cell * size + code + 1
        return cell


@dataclass(frozen=True)
class LoggedPredictions:
    """Logged predictions, arrays of shape (n,), each prediction once: the caller drops doubles.

    `p_served` is what was answered; `p_champion` and `p_challenger` are what the registry's models
    say to the same raw facts. `by_challenger` tells who answered (canary or shadow: True; primary:
    False; after a promotion the new primary: True). `same_version` is False where the answer
    names another model version than the one it was scored with here.
    """

    p_served: Floats
    p_champion: Floats
    p_challenger: Floats
    by_challenger: NDArray[np.bool_]
    same_version: NDArray[np.bool_]
    segments: Segments

    def __post_init__(self) -> None:
        """Refuse arrays of unequal length, with DataError."""
        _require_equal(
            self.p_served,
            self.p_champion,
            self.p_challenger,
            self.by_challenger,
            self.same_version,
            self.segments.zone,
        )

    def __len__(self) -> int:
        """How many predictions."""
        return len(self.p_served)


@dataclass(frozen=True)
class LabelledShots:
    """Shots whose end is known, arrays of shape (n,), each shot once whoever answered it.

    Both models are scored on each shot, as the registry's models say to its raw facts; `made` is 1
    or 0. The caller drops doubles: a shot that comes twice would count twice. When a shot's end
    comes to be known must not depend on how it ended.
    """

    p_champion: Floats
    p_challenger: Floats
    made: Floats
    segments: Segments

    def __post_init__(self) -> None:
        """Refuse arrays of unequal length and impossible outcomes, with DataError."""
        _require_equal(self.p_champion, self.p_challenger, self.made, self.segments.zone)
        if not ((self.made == 0) | (self.made == 1)).all():
            raise DataError("expected outcomes of 0 or 1, got others: drop shots without outcome")

    def __len__(self) -> int:
        """How many shots."""
        return len(self.made)

    def take(self, rows: slice | NDArray[np.bool_] | Ints) -> Self:
        """Some of the shots."""
        return type(self)(
            self.p_champion[rows],
            self.p_challenger[rows],
            self.made[rows],
            self.segments.take(rows),
        )


def is_probability(p: Floats) -> NDArray[np.bool_]:
    """Where there is a number from 0 to 1."""
    return (p >= 0) & (p <= 1)


def _require_equal(*arrays: NDArray[np.generic]) -> None:
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or len(arrays[0].shape) != 1:
        raise DataError(f"expected flat arrays of one length, got the shapes {sorted(shapes)}")
