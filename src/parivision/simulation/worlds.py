"""Shots with a known truth and two models of them: what the verdict's promises are tried on.

The truth is a league's: make rates by zone from 0.20 to 0.65, and within a zone a spread of 0.3 in
log odds. The champion is near it. A challenger is equal in expectation, worse by a stated log loss,
or bad in a way that a rollout must find and name.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from parivision.errors import DataError
from parivision.shots.court import Zone
from parivision.shots.facts import Floats, Ints
from parivision.verdict import LabelledShots, Segments

ZONE_SHARES: Final = (0.30, 0.17, 0.05, 0.08, 0.305, 0.09, 0.005)
ZONE_RATES: Final = (0.65, 0.43, 0.41, 0.41, 0.36, 0.385, 0.20)
PERIOD_SHARES: Final = (0.25, 0.25, 0.245, 0.245, 0.01)
VOLUME_SHARES: Final = (0.01, 0.04, 0.15, 0.30, 0.50)
SPREAD: Final = 0.3
"""Standard deviation of the true log odds within a zone."""
NOISE: Final = 0.2
"""Standard deviation of the champion's error in log odds: 0.005 nats from the truth."""
# Two models that are equally far from the truth are equal, however far: no rollout may fail.
LOUD: Final = 0.5
BIAS: Final = 0.3
_SIZING_SHOTS: Final = 40_000
# Each halves the interval from 0 to 8: the size is known to less than a millionth.
_HALVINGS: Final = 24

Draw = Callable[[np.random.Generator, Floats, Ints], tuple[Floats, Floats]]
"""Log odds of champion and challenger from a generator, true log odds and zones."""


@dataclass(frozen=True)
class World:
    """Where shots and the two models' answers come from; `excess` is what was asked for, in nats.

    None: the challenger is bad in some other way.
    """

    name: str
    excess: float | None
    draw: Draw

    def shots(self, rng: np.random.Generator, n: int) -> LabelledShots:
        """N shots in the order in which their ends come to be known."""
        truth, zone = _truth(rng, n)
        champion, challenger = self.draw(rng, truth, zone)
        return LabelledShots(
            p_champion=_p(champion),
            p_challenger=_p(challenger),
            made=(rng.random(n) < _p(truth)).astype(np.float64),
            segments=Segments.of(
                zone,
                rng.choice(len(PERIOD_SHARES), n, p=PERIOD_SHARES),
                rng.choice(len(VOLUME_SHARES), n, p=VOLUME_SHARES),
            ),
        )


def equal_worlds() -> tuple[World, ...]:
    """One model twice; independent errors; loud ones; a bias in both; half the facts each."""
    return tuple(World(name, 0.0, draw) for name, draw in _EQUAL.items())


def worse_world(excess: float, way: str = "noise") -> World:
    """A challenger whose expected log loss is worse than the champion's by `excess` nats a shot.

    `way`: "noise" (independent errors), "level" (log odds shifted) or "slope" (too sure: log odds
    stretched from their mean). Raises DataError for another way, and for what it cannot cost.
    """
    if way not in _WAYS:
        raise DataError(f"{way}: no such way to be worse; known: {', '.join(_WAYS)}")
    size = _size_for(excess, _WAYS[way])
    return World(f"worse by {way}", excess, _worse(_WAYS[way], size))


def bad_worlds() -> tuple[World, ...]:
    """Challengers that must be found and named."""
    return tuple(World(name, None, draw) for name, draw in _BAD.items())


def _p(log_odds: Floats) -> Floats:
    return 1 / (1 + np.exp(-log_odds))


def _odds(p: Floats) -> Floats:
    return np.log(p / (1 - p))


def _truth(rng: np.random.Generator, n: int) -> tuple[Floats, Ints]:
    zone = rng.choice(len(ZONE_SHARES), n, p=ZONE_SHARES)
    return _base()[zone] + rng.normal(0, SPREAD, n), zone


def _base() -> Floats:
    return _odds(np.array(ZONE_RATES))


def _near(rng: np.random.Generator, truth: Floats, noise: float = NOISE) -> Floats:
    return truth + rng.normal(0, noise, len(truth))


def _identical(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
    champion = _near(rng, truth)
    return champion, champion


def _noisy(noise: float, bias: float = 0.0) -> Draw:
    def draw(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
        return _near(rng, truth + bias, noise), _near(rng, truth + bias, noise)

    return draw


def _halves(rng: np.random.Generator, truth: Floats, zone: Ints) -> tuple[Floats, Floats]:
    """Each knows one of two equal parts of what sets a shot apart in its zone, and the zone.

    A normal variable is the sum of two independent ones of half its variance. Here `first` is one
    of these, drawn given their sum: half the sum plus noise of half the sum's deviation.
    """
    apart = truth - _base()[zone]
    first = apart / 2 + rng.normal(0, SPREAD / 2, len(truth))
    return _base()[zone] + first, _base()[zone] + apart - first


_EQUAL: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        "identical": _identical,
        "independent errors": _noisy(NOISE),
        "loud errors": _noisy(LOUD),
        "biased alike": _noisy(NOISE, BIAS),
        "half the facts": _halves,
    }
)


def _by_noise(rng: np.random.Generator, _champion: Floats, truth: Floats, size: float) -> Floats:
    # Independent errors add up in squares: one as large as the champion's, and `size` on top.
    return _near(rng, truth, math.hypot(NOISE, size))


def _by_level(_: np.random.Generator, champion: Floats, _truth: Floats, size: float) -> Floats:
    return champion + size


def _by_slope(_: np.random.Generator, champion: Floats, _truth: Floats, size: float) -> Floats:
    mean = float(champion.mean())
    return (champion - mean) * (1 + size) + mean


Way = Callable[[np.random.Generator, Floats, Floats, float], Floats]
_WAYS: Final[Mapping[str, Way]] = MappingProxyType(
    {"noise": _by_noise, "level": _by_level, "slope": _by_slope}
)


def _worse(way: Way, size: float) -> Draw:
    def draw(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
        champion = _near(rng, truth)
        return champion, way(rng, champion, truth, size)

    return draw


def _size_for(excess: float, way: Way) -> float:
    """How strong a fault costs `excess` nats, by bisection; the cost rises with the fault."""
    low, high = 0.0, 8.0
    if _cost(way, high) < excess:
        raise DataError(f"expected an excess that this fault can make, got {excess:g}: give less")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _cost(way, middle) < excess else (low, middle)
    return (low + high) / 2


def _cost(way: Way, size: float) -> float:
    """Expected log loss of a faulty challenger minus the champion's, in nats a shot.

    The same random numbers for each size, so that the cost rises smoothly with it. Outcomes are not
    drawn: their expectation is the true probability.
    """
    rng = np.random.default_rng(0)
    truth, _ = _truth(rng, _SIZING_SHOTS)
    champion = _near(rng, truth)
    challenger = way(rng, champion, truth, size)
    p = _p(truth)
    gap = np.logaddexp(0, challenger) - np.logaddexp(0, champion) - p * (challenger - champion)
    return float(gap.mean())


def _squared(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
    champion = _near(rng, truth)
    return champion, _odds(_p(champion) ** 2)


def _constant(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
    champion = _near(rng, truth)
    mean = float(np.dot(ZONE_SHARES, ZONE_RATES))
    return champion, np.full(len(truth), np.log(mean / (1 - mean)))


def _corner(rng: np.random.Generator, truth: Floats, zone: Ints) -> tuple[Floats, Floats]:
    """Far too sure of corner threes, fine elsewhere."""
    champion = _near(rng, truth)
    return champion, champion + np.where(zone == Zone.CORNER_3 - 1, 0.9, 0.0)


def _outdated(rng: np.random.Generator, truth: Floats, _zone: Ints) -> tuple[Floats, Floats]:
    """Trusts a fact that once told makes from misses and now tells nothing."""
    champion = _near(rng, truth)
    return champion, truth + rng.choice([-0.7, 0.7], len(truth))


_BAD: Final[Mapping[str, Draw]] = MappingProxyType(
    {
        "probabilities squared": _squared,
        "answers the mean": _constant,
        "bad in corner threes": _corner,
        "outdated action types": _outdated,
    }
)
