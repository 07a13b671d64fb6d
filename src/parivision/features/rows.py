"""Features of many shots: as of now, or of past games as of the morning of each day.

Columns go through `features.kernel` in blocks. A block's columns stay in the processor's cache
while the next feature is made of them, and the memory beside the result is that of one block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parivision.errors import ModelError
from parivision.features import kernel
from parivision.features.form import ABOVE_ACTION, ABOVE_PLACE, COUNTED, MADE, Form
from parivision.features.inputs import InputsOfMany
from parivision.shots.facts import Facts, Floats, Ints

BLOCK: Final = 4096
"""Rows that are computed at a time; a day of the league has some 1,100 shots."""
_CELLS: Final = tuple(dict.fromkeys(cell for cell, _ in COUNTED.values()))
_EXPECTED: Final = ("rate_place", "rate_action")
Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class FeatureRows:
    """Features of n shots: `values` of shape (n, k), not to be written to, a name for each column.

    Numbers are float32: it takes half of the memory, and the tree libraries round to it or to bins.
    Players with ids above 2**24, far above the league's, may share a `Player_ID`; form tells them
    apart.
    """

    names: tuple[str, ...]
    values: Matrix

    def __post_init__(self) -> None:
        """Whoever wants other values makes a copy: `matrix` may give these very ones."""
        self.values.setflags(write=False)

    def __len__(self) -> int:
        """Number of shots."""
        return len(self.values)

    def __getitem__(self, name: str) -> Floats:
        """One feature, shape (n,)."""
        return self.matrix((name,))[:, 0].astype(np.float64)

    def matrix(self, names: Sequence[str]) -> Matrix:
        """The features `names`, shape (n, len(names)); raises ModelError where one is not here."""
        if tuple(names) == self.names:
            return self.values
        column = {name: index for index, name in enumerate(self.names)}
        wanted = [column.get(name, column.get(kernel.meant(name), -1)) for name in names]
        if -1 in wanted:
            missing = [name for name, index in zip(names, wanted, strict=True) if index < 0]
            raise ModelError(f"unknown features {missing}: expected some of {list(self.names)}")
        return self.values[:, wanted]

    def take(self, rows: slice | Ints | NDArray[np.bool_]) -> "FeatureRows":
        """The same features of some shots only."""
        return FeatureRows(self.names, self.values[rows])


def lookup(form: Form, facts: Facts, names: Sequence[str] = kernel.FEATURES) -> FeatureRows:
    """Features of shots as of now; raises ModelError for a name that is no feature."""
    row, tables = kernel.row(tuple(names)), form.tables()
    inputs_of = InputsOfMany(form, facts.actions)
    out = np.empty((len(facts), len(names)), np.float32)
    for start in range(0, len(facts), BLOCK):
        rows = slice(start, start + BLOCK)
        _fill(out[rows], row(inputs_of(facts.take(rows)), tables))
    return FeatureRows(tuple(names), out)


def walk(
    form: Form, facts: Facts, made: Floats, names: Sequence[str] = kernel.FEATURES
) -> FeatureRows:
    """Features of past shots, each as of the morning of its day; the form counts them all.

    `facts` must be sorted by day and begin after `as_of_day` (days already counted are only
    looked up, so that walking over the same games twice changes nothing).
    """
    form.learn_names(facts)
    row, tables = kernel.row((*names, *_CELLS, *_EXPECTED)), form.tables()
    inputs_of = InputsOfMany(form, facts.actions)
    out = np.empty((len(facts), len(names)), np.float32)
    # Days, not shots: the order within a day would leak outcomes of games that run at the same
    # time, and a request of today sees the state of last night, too.
    for day, rows in facts.by_day():
        is_new = form.as_of_day is None or day > form.as_of_day
        if is_new:
            form.decay_to(day)
        columns = row(inputs_of(facts.take(rows)), tables)
        _fill(out[rows], columns[: len(names)])
        if is_new:
            *cells, rate_place, rate_action = columns[len(names) :]
            # What is expected is what was known this morning, never the outcomes counted here.
            successes = {
                MADE: made[rows],
                ABOVE_PLACE: made[rows] - rate_place,
                ABOVE_ACTION: made[rows] - rate_action,
            }
            form.count(day, dict(zip(_CELLS, cells, strict=True)), successes)
    return FeatureRows(tuple(names), out)


def advance(form: Form, facts: Facts, made: Floats) -> None:
    """Let a form count past games, as `walk` does, and keep no features."""
    walk(form, facts, made, ())


def _fill(out: Matrix, columns: Sequence[Any]) -> None:
    for index, column in enumerate(columns):
        out[:, index] = column
