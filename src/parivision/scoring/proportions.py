"""Intervals of a proportion: so many of so many, and what the true share may be.

Both hold the share they are of, at both ends too: with none or all of n, the end is exactly 0 or 1
and not what rounding makes of it. Without a trial the interval runs from 0 to 1.
"""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from parivision.errors import DataError

LEVEL: Final = 0.95
# Of a normal distribution 95 % lies within so many standard deviations.
_Z: Final = 1.959964

FloatArray = NDArray[np.float64]


def wilson(rate: ArrayLike, n: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """95 % intervals of Wilson (1927) of rates seen on `n` trials each, for tables and figures.

    On average over all true rates it misses one in twenty. Where `n` is 0 the interval runs from
    0 to 1, whatever the rate, which may be NaN there.
    """
    trials = np.asarray(n, np.float64)
    # Without a trial any numbers do that can be divided by: their interval is replaced below.
    share, count = np.where(trials > 0, rate, 0.5), np.maximum(trials, 1.0)
    scale = 1 + _Z**2 / count
    middle = (share + _Z**2 / (2 * count)) / scale
    half = _Z / scale * np.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    # In exact arithmetic the rate lies inside, and one end is reached at 0 and at 1; rounding
    # would put it a few 1e-16 beside, which is a negative length to whoever draws it.
    low = np.where((share == 0) | (trials <= 0), 0.0, np.minimum(middle - half, share))
    high = np.where((share == 1) | (trials <= 0), 1.0, np.maximum(middle + half, share))
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def clopper_pearson(hits: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval of Clopper and Pearson (1934), for shares that a promise is held to.

    It misses no more often than it says, whatever the true share. DataError unless
    0 <= hits <= n.
    """
    from scipy.special import betaincinv

    if not 0 <= hits <= n:
        raise DataError(f"expected from 0 to {n} hits in {n} trials, got {hits}.")
    if n == 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    # A binomial tail is an incomplete beta function of the true share, so its inverse is the end.
    low = float(betaincinv(hits, n - hits + 1, tail)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1 - tail)) if hits < n else 1.0
    return min(low, hits / n), max(high, hits / n)
