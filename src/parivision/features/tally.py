"""Decayed counts of attempts and successes, and the rates that are estimated from them.

A rate of few attempts is mostly luck. So it is shrunken: an empirical Bayes estimate, as Efron and
Morris made it of batting averages ("Data analysis using Stein's estimator and its generalizations",
JASA 70, 1975). With a beta prior of mean m and strength w attempts, the posterior mean of a rate is

    (successes + w * m) / (attempts + w)

A new cell answers m, one of many attempts its own rate. Successes may be any numbers, such as makes
above expectation; the formula is then that of a normal prior, with the same two numbers.
"""

from dataclasses import dataclass

import numpy as np

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

    def rate(self, at: tuple[Ints, ...], towards: Floats | float, weight: float) -> Floats:
        """Success rates at some cells, drawn towards `towards` as if by `weight` attempts.

        `towards` is one number, or one for each of the cells.
        """
        return (self.successes[at] + weight * towards) / (self.attempts[at] + weight)

    def count(self, at: tuple[Ints, ...], successes: Floats) -> None:
        """Count one attempt per row; rows may name the same cell."""
        # Not `attempts[at] += 1`, which counts a cell that is named twice once.
        np.add.at(self.attempts, at, 1.0)
        np.add.at(self.successes, at, successes)

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
