"""Recalibration on recent games: two numbers that keep a model level while the league moves.

One Newton step of Platt scaling, from the identity, on exponentially decayed sums over the games
played so far. A day's shots are answered before they are counted. Cheap enough to run every night,
and what a "recalibrated champion" is made of.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from parivision.shots.facts import Floats

HALF_LIFE_DAYS = 20.0
# Prior precision of intercept and slope, in units of information of one shot at p = 0.5 (0.25):
# the identity weighs as much as some 800 and 2,400 shots.
PRIOR_PRECISION = (200.0, 600.0)
CLIP = 1e-6


def logit(p: Floats) -> Floats:
    """Log odds; p is clipped to [1e-6, 1 - 1e-6]."""
    inside = np.clip(p, CLIP, 1 - CLIP)
    return np.log(inside / (1 - inside))


def sigmoid(eta: Floats) -> Floats:
    """Probability of log odds."""
    return 1.0 / (1.0 + np.exp(-eta))


@dataclass
class Recalibration:
    """Decayed gradient (2,) and information (2, 2) of intercept and slope at the identity."""

    as_of_day: int | None = None
    gradient: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    information: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def shift_and_slope(self) -> tuple[float, float]:
        """What is added to the log odds, and what they are multiplied by."""
        prior = np.diag(PRIOR_PRECISION)
        step = np.linalg.solve(self.information + prior, self.gradient)
        return float(step[0]), float(1.0 + step[1])

    def apply(self, p: Floats) -> Floats:
        """Recalibrated probabilities as of now."""
        shift, slope = self.shift_and_slope
        return sigmoid(shift + slope * logit(p))

    def walk(self, p: Floats, made: Floats, days: Iterable[tuple[int, slice]]) -> Floats:
        """Recalibrated probabilities of past shots, each as of the morning of its day.

        Days already counted are answered but not counted again.
        """
        out = np.empty_like(p)
        for day, rows in days:
            is_new = self.as_of_day is None or day > self.as_of_day
            if is_new and self.as_of_day is not None:
                factor = 0.5 ** ((day - self.as_of_day) / HALF_LIFE_DAYS)
                self.gradient *= factor
                self.information *= factor
            out[rows] = self.apply(p[rows])
            if is_new:
                self._count(p[rows], made[rows])
                self.as_of_day = day
        return out

    def _count(self, p: Floats, made: Floats) -> None:
        basis = np.column_stack([np.ones_like(p), logit(p)])
        self.gradient += basis.T @ (made - p)
        self.information += (basis * (p * (1 - p))[:, None]).T @ basis

    def copy(self) -> "Recalibration":
        """An independent copy."""
        return Recalibration(self.as_of_day, self.gradient.copy(), self.information.copy())

    def to_dict(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return {
            "as_of_day": self.as_of_day,
            "gradient": self.gradient.tolist(),
            "information": self.information.tolist(),
        }

    @classmethod
    def from_dict(cls, values: dict[str, object]) -> "Recalibration":
        """What `to_dict` gave."""
        day = values["as_of_day"]
        return cls(
            as_of_day=day if isinstance(day, int) else None,
            gradient=np.array(values["gradient"], np.float64).reshape(2),
            information=np.array(values["information"], np.float64).reshape(2, 2),
        )
