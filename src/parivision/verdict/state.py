"""Evidence as sums: what a verdict needs of a million shots, in a few thousand whole numbers.

Every quantity is rounded to a multiple of 2**-26 and added up as a whole number (fixed point). Sums
of floating-point numbers depend on their order, sums of whole numbers do not. So the state does not
depend on how the evidence was cut into batches, nor on the order in which shots came, and a state
that is read back from JSON goes on bit by bit as if it had never been stored. Only windows of
served requests have an order, that of time.

The caller keeps doubles out, and takes one state for one rollout.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from parivision.errors import DataError
from parivision.scoring.metrics import PROBABILITY_FLOOR
from parivision.shots.facts import Floats, Ints
from parivision.verdict.evidence import (
    SHAPE,
    LabelledShots,
    LoggedPredictions,
    ServedWindow,
    is_probability,
)
from parivision.verdict.rules import Rules
from parivision.verdict.traffic import UNIT, Latency, Traffic

ROWS_AT_ONCE: Final = 2**19
"""So many rows of the largest quantity (190, a quarter of the squared range of log odds) are added
up exactly in 53 bits."""
STATE_VERSION: Final = 1

LABELLED: Final = ("n", "loss", "variance", "made", "p_champion", "p_challenger")
SCORED: Final = ("n", "p_champion", "p_challenger", "distance", "squared")
BEARINGS: Final = ("level", "slope")
"""Two ways to be miscalibrated: all probabilities too high or low, or spread too wide or narrow."""
MOMENTS: Final = ("residual", "variance", "gap", "gap_squared", "weight")
CENTRE: Final = -0.2
"""Log odds about which probabilities spread: a make rate of 0.45."""
# How far from `CENTRE` log odds count at most, so that no single shot weighs much in the slope.
FARTHEST: Final = 3.0
BINS: Final = 20
"""Equal bins of the probability, for the stability index and the reliability table."""


@dataclass
class Side:
    """Parity of what one model's track served: counts of predictions and of what was wrong."""

    n: int = 0
    mismatches: int = 0
    other_version: int = 0
    largest: float = 0.0


class State:
    """All evidence of one rollout so far. `rules` are those that it is judged by."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.traffic = Traffic()
        self.latency = Latency()
        self.champion = Side()
        self.challenger = Side()
        cells = math.prod(SHAPE)
        self._labelled = np.zeros((len(LABELLED), cells), np.int64)
        self._scored = np.zeros((len(SCORED), cells), np.int64)
        self._bearings = np.zeros((len(BEARINGS), len(MOMENTS)), np.int64)
        self._squares = np.zeros(2, np.int64)
        self._histograms = np.zeros((2, BINS), np.int64)
        self._reliability = np.zeros((3, BINS), np.int64)
        self.unusable = [0, 0]
        """Labelled or logged shots without a probability: the champion's, the challenger's."""

    def add_served(self, served: ServedWindow) -> None:
        """Take in a window of served requests; windows must come in the order of time."""
        self.traffic.add(served, self.rules)
        self.latency.add(served, self.rules)

    def add_predictions(self, batch: LoggedPredictions) -> None:
        """Take in logged predictions; each must come once. O(n) time, no more memory."""
        for rows in _slices(len(batch)):
            # Parity is counted before unusable rows go: a missing probability is a mismatch.
            tolerance = self.rules.parity_tolerance
            _count_parity(self.champion, batch, rows, tolerance, is_challenger=False)
            _count_parity(self.challenger, batch, rows, tolerance, is_challenger=True)
            p, q = batch.p_champion[rows], batch.p_challenger[rows]
            usable = self._usable(p, q)
            self._add_scored(p[usable], q[usable], batch.segments.take(rows).cells()[usable])

    def add_labelled(self, batch: LabelledShots) -> None:
        """Take in labelled shots; each must come once. O(n) time, no more memory."""
        for rows in _slices(len(batch)):
            part = batch.take(rows)
            part = part.take(self._usable(part.p_champion, part.p_challenger))
            self._add_labelled(part)

    @property
    def shots_labelled(self) -> int:
        """How many labelled shots both models answered."""
        return int(self.labelled()[0].sum())

    def labelled(self) -> Floats:
        """Sums of `LABELLED` over labelled shots, by cell: shape (6, *SHAPE)."""
        return _in_cells(self._labelled, LABELLED)

    def scored(self) -> Floats:
        """Sums of `SCORED` over logged shots, by cell: shape (5, *SHAPE)."""
        return _in_cells(self._scored, SCORED)

    def squares(self) -> Floats:
        """Sums of the squared probability of champion and challenger over logged shots."""
        sums: Floats = self._squares / UNIT
        return sums

    def bearings(self) -> Floats:
        """Sums of `MOMENTS` for each of `BEARINGS` over labelled shots: shape (2, 5)."""
        sums: Floats = self._bearings / UNIT
        return sums

    def histograms(self) -> Ints:
        """Logged shots by the champion's and the challenger's probability: shape (2, BINS)."""
        return self._histograms.copy()

    def reliability(self) -> Floats:
        """Labelled shots by the challenger's probability: number, makes, log odds (3, BINS)."""
        sums: Floats = self._reliability / np.array([[1.0], [1.0], [UNIT]])
        return sums

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, from which `from_dict` makes the very same state."""
        return {
            "version": STATE_VERSION,
            "rules": self.rules.to_dict(),
            "traffic": self.traffic.to_dict(),
            "latency": self.latency.to_dict(),
            "champion": asdict(self.champion),
            "challenger": asdict(self.challenger),
            "unusable": list(self.unusable),
            "labelled": _filled_cells(self._labelled),
            "scored": _filled_cells(self._scored),
            **{name: getattr(self, f"_{name}").tolist() for name in _DENSE},
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave; DataError when it was written by another version."""
        if values.get("version") != STATE_VERSION:
            raise DataError(
                f"expected a verdict's state of version {STATE_VERSION}, got "
                f"{values.get('version')}: begin the rollout anew"
            )
        state = cls(Rules.from_dict(values["rules"]))
        state.traffic = Traffic.from_dict(values["traffic"])
        state.champion, state.challenger = Side(**values["champion"]), Side(**values["challenger"])
        state.latency = Latency.from_dict(values["latency"])
        state.unusable = list(values["unusable"])
        for name in ("labelled", "scored"):
            array = getattr(state, f"_{name}")
            for cell, sums in values[name].items():
                array[:, int(cell)] = sums
        for name in _DENSE:
            getattr(state, f"_{name}")[...] = values[name]
        return state

    def _usable(self, p: Floats, q: Floats) -> NDArray[np.bool_]:
        good_p, good_q = is_probability(p), is_probability(q)
        self.unusable[0] += len(p) - int(good_p.sum())
        self.unusable[1] += len(q) - int(good_q.sum())
        return good_p & good_q

    def _add_scored(self, p: Floats, q: Floats, cell: Ints) -> None:
        distance = q - p
        columns = (np.ones_like(p), _fixed(p), _fixed(q), _fixed(np.abs(distance)))
        _add_by_cell(self._scored, cell, (*columns, _fixed(distance * distance)))
        self._squares += _whole([_fixed(p * p).sum(), _fixed(q * q).sum()])
        for row, values in enumerate((p, q)):
            self._histograms[row] += np.bincount(_bin(values), minlength=BINS)

    def _add_labelled(self, part: LabelledShots) -> None:
        p, q, y = part.p_champion, part.p_challenger, part.made
        odds_p, odds_q = _log_odds(p), _log_odds(q)
        # The log loss of log odds o is softplus(o) - y o. Given p and q the difference is one of
        # two numbers |odds_q - odds_p| apart, which bounds its variance (see `quality`).
        loss = _softplus(odds_q) - _softplus(odds_p) - y * (odds_q - odds_p)
        variance = (odds_q - odds_p) ** 2 / 4
        columns = (np.ones_like(y), _fixed(loss), _fixed(variance), y, _fixed(p), _fixed(q))
        _add_by_cell(self._labelled, part.segments.cells(), columns)
        # One weight for both models: then the gap between them needs no outcomes to be known.
        tilt = np.clip((odds_p + odds_q) / 2 - CENTRE, -FARTHEST, FARTHEST)
        for row, weight in enumerate((np.ones_like(y), tilt)):
            self._bearings[row] += _moments(y - (p + q) / 2, p - q, weight)
        where = _bin(q)
        for row, values in enumerate((np.ones_like(y), y, _fixed(odds_q))):
            self._reliability[row] += _whole(np.bincount(where, values, minlength=BINS))


_DENSE: Final = ("bearings", "squares", "histograms", "reliability")


def _slices(n: int) -> Iterator[slice]:
    return (slice(at, at + ROWS_AT_ONCE) for at in range(0, n, ROWS_AT_ONCE))


def _fixed(values: Floats) -> Floats:
    """Whole numbers of units, which 64-bit floats add up exactly."""
    return np.rint(values * UNIT)


def _whole(values: object) -> Ints:
    return np.asarray(values).astype(np.int64)


def _in_cells(array: Ints, names: Sequence[str]) -> Floats:
    """Sums as numbers in an array of cells; counts are no multiples of a unit."""
    units = [1.0 if name in {"n", "made"} else UNIT for name in names]
    sums: Floats = array.reshape(len(names), *SHAPE) / np.reshape(units, (-1, 1, 1, 1))
    return sums


def _add_by_cell(array: Ints, cell: Ints, columns: Sequence[Floats]) -> None:
    for row, values in enumerate(columns):
        array[row] += _whole(np.bincount(cell, values, minlength=array.shape[1]))


def _log_odds(p: Floats) -> Floats:
    held = np.clip(p, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return np.log(held / (1 - held))


def _softplus(odds: Floats) -> Floats:
    # `_log_odds` clips at 13.8, so exp cannot overflow here.
    return np.log1p(np.exp(odds))


def _bin(p: Floats) -> Ints:
    return np.minimum((p * BINS).astype(np.int64), BINS - 1)


def _moments(residual: Floats, gap: Floats, weight: Floats) -> Ints:
    """Sums of `MOMENTS`; a weighted outcome has a conditional range of |weight|."""
    gap = gap * weight
    # So it is sub-Gaussian with a quarter of the squared weight (Hoeffding 1963, see `quality`).
    columns = (residual * weight, weight * weight / 4, gap, gap * gap, np.abs(weight))
    return _whole([_fixed(column).sum() for column in columns])


def _count_parity(
    side: Side, batch: LoggedPredictions, rows: slice, tolerance: float, *, is_challenger: bool
) -> None:
    mine = batch.by_challenger[rows] == is_challenger
    other = mine & ~batch.same_version[rows]
    mine &= batch.same_version[rows]
    registry = (batch.p_challenger if is_challenger else batch.p_champion)[rows][mine]
    apart = np.abs(batch.p_served[rows][mine] - registry)
    side.n += len(apart)
    side.other_version += int(other.sum())
    # A probability that is missing on either side is no agreement.
    side.mismatches += len(apart) - int((apart <= tolerance).sum())
    known = apart[np.isfinite(apart)]
    side.largest = max(side.largest, float(known.max(initial=0.0)))


def _filled_cells(array: Ints) -> dict[str, list[int]]:
    # Most of the cells stay empty: without them the state takes less room.
    return {str(cell): array[:, cell].tolist() for cell in np.flatnonzero(array[0])}
