"""The segments that evaluations, reports and verdicts look at, and the classes of each.

A code is the place of a class in `SEGMENTS`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from parivision.shots.court import Zone
from parivision.shots.facts import Ints
from parivision.shots.game_clock import LAST_REGULAR_PERIOD

OVERTIME: Final = "overtime"
"""The one class of all overtimes: there are too few of each to judge it alone."""
ZONE: Final = "zone"
PERIOD: Final = "period"
PLAYER_VOLUME: Final = "player volume"
SEGMENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        ZONE: tuple(zone.label for zone in Zone),
        PERIOD: (*(str(period + 1) for period in range(LAST_REGULAR_PERIOD)), OVERTIME),
        PLAYER_VOLUME: ("none", "1 to 99", "100 to 499", "500 to 1,999", "2,000 and more"),
    }
)
"""Segments and their classes."""
VOLUME_CUTS: Final = (1, 100, 500, 2000)
"""Earlier attempts of a shot's player from which the next class of player volume begins."""


def period_codes(period: ArrayLike) -> Ints:
    """The classes of periods, of any shape: 1 to 4, and overtimes from 5 on."""
    return np.clip(np.asarray(period, np.int64), 1, len(SEGMENTS[PERIOD])) - 1


def volume_codes(attempts: ArrayLike) -> Ints:
    """How well a shot's player is known: classes of his earlier attempts, one number a shot."""
    return np.searchsorted(VOLUME_CUTS, np.asarray(attempts), side="right")
