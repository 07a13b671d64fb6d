"""Recalibration on recent games: two numbers that keep a model calibrated while the league changes.

This is Platt scaling (Platt 1999): logit(q) = shift + slope * logit(p). It is neither isotonic
regression nor beta calibration: two numbers need few shots to be known. They are found by one
Newton step of the logistic log likelihood from the identity (shift 0, slope 1), with a Gaussian
prior around the identity. One step is enough since they stay near the identity, and then the
gradient (2,) and the information matrix (2, 2) at the identity are sums over shots: they can be
added up day by day, and older days fade exponentially.

A day's shots are predicted before they are counted. It is cheap enough to run every night, and the
"recalibrated champion" is made by it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from parivision.shots.elementwise import exp, log, where
from parivision.shots.facts import Floats

HALF_LIFE_DAYS = 20.0
# Prior precision of intercept and slope, in units of information of one shot at p = 0.5 (0.25):
# the identity weighs as much as some 800 and 2,400 shots.
PRIOR_PRECISION = (200.0, 600.0)
CLIP = 1e-6


_TOP = 1 - CLIP


@overload
def logit(p: float) -> float: ...
@overload
def logit(p: Floats) -> Floats: ...
def logit(p: Any) -> Any:
    """Log odds; p is clipped to [1e-6, 1 - 1e-6], and what is no number stays none."""
    inside = where(p < CLIP, CLIP, where(p > _TOP, _TOP, p))
    return log(inside / (1 - inside))


@overload
def sigmoid(eta: float) -> float: ...
@overload
def sigmoid(eta: Floats) -> Floats: ...
def sigmoid(eta: Any) -> Any:
    """Probability of log odds."""
    return 1.0 / (1.0 + exp(-eta))


@overload
def recalibrated(p: float, shift: float, slope: float) -> float: ...
@overload
def recalibrated(p: Floats, shift: float, slope: float) -> Floats: ...
def recalibrated(p: Any, shift: float, slope: float) -> Any:
    """Probabilities whose log odds are multiplied by `slope`, and `shift` added."""
    return sigmoid(shift + slope * logit(p))


@dataclass
class Recalibration:
    """Decayed gradient (2,) and information (2, 2) of intercept and slope at the identity."""

    as_of_day: int | None = None
    gradient: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    information: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))

    @property
    def shift_and_slope(self) -> tuple[float, float]:
        """What is added to the log odds, and the factor that they are multiplied by first."""
        prior = np.diag(PRIOR_PRECISION)
        # Newton: the identity plus (information + prior)^-1 times the gradient. The prior's own
        # gradient is zero at the identity.
        step = np.linalg.solve(self.information + prior, self.gradient)
        return float(step[0]), float(1.0 + step[1])

    def apply(self, p: Floats) -> Floats:
        """Recalibrated probabilities as of now."""
        return recalibrated(p, *self.shift_and_slope)

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
        """Add a day's shots: the derivatives of the log likelihood at the identity."""
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
