"""Decayed counts of attempts and successes, and the rates that are estimated from them.

A rate of few attempts is mostly luck. So it is shrunken: an empirical Bayes estimate, as Efron and
Morris made it of batting averages ("Data analysis using Stein's estimator and its generalizations",
JASA 70, 1975). With a beta prior of mean m and strength w attempts, the posterior mean of a rate is

    (successes + w * m) / (attempts + w)

A new cell answers m, one of many attempts its own rate. Successes may be any numbers, such as makes
above expectation; the formula is then that of a normal prior, with the same two numbers.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from parivision.shots.elementwise import Code, Value
from parivision.shots.facts import Floats, Ints


@dataclass
class Tally:
    """Decayed attempts and successes, arrays of one shape: an entry for each cell."""

    attempts: Floats
    successes: Floats

    @classmethod
    def empty(cls, *shape: int) -> "Tally":
        """A tally that has counted nothing."""
        return cls(np.zeros(shape), np.zeros(shape))

    def count(self, cells: Ints, successes: Floats) -> None:
        """Count one attempt per row; rows may name the same cell, by its place in a flat table."""
        # Not `attempts[cells] += 1`, which counts a cell that is named twice once.
        np.add.at(self.attempts.reshape(-1), cells, 1.0)
        np.add.at(self.successes.reshape(-1), cells, successes)

    def decay(self, factor: float) -> None:
        """Let everything counted so far count less."""
        self.attempts *= factor
        self.successes *= factor

    def grow(self, order: Ints, rows: int) -> None:
        """Move the first axis to a longer index: old row i becomes row `order[i]`."""
        for name in ("attempts", "successes"):
            old = getattr(self, name)
            new = np.zeros((rows, *old.shape[1:]))
            new[order] = old
            setattr(self, name, new)

    def table(self, weight: float, *, is_for_one: bool) -> "Table":
        """The counts to look up in: as they are now for one shot, and as they will be for many."""
        attempts, successes = self.attempts.reshape(-1), self.successes.reshape(-1)
        if is_for_one:
            # A list answers with a plain number, in a fifth of an array's time.
            return Table(attempts.tolist(), successes.tolist(), weight)
        return Table(attempts, successes, weight)


class Table(NamedTuple):
    """A flat tally to look up in: cells of one shot, or of many.

    `weight` is the number of attempts that the broader rate counts for.
    """

    attempts: Any
    successes: Any
    weight: float

    def rate(self, cell: Code, towards: Value) -> Value:
        """The success rate at a cell, drawn towards `towards` as if by `weight` attempts."""
        attempts, successes, weight = self
        return (successes[cell] + weight * towards) / (attempts[cell] + weight)


class Tables(NamedTuple):
    """The tables of form (`features.form.TALLIES`)."""

    zone: Table
    place: Table
    action: Table
    action_distance: Table
    player: Table
    player_recent: Table
    player_zone: Table
    player_zone_action: Table
    player_family: Table
    team_zone: Table
    opponent_zone: Table
