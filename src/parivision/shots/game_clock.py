"""The game's clock: how long periods are, and the seconds played when something happens."""

from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from parivision.shots.elementwise import Code, Value, where

PERIOD_S: Final = 720
"""Four periods of twelve minutes, as the NBA and the G League play them."""
OVERTIME_S: Final = 300
LAST_REGULAR_PERIOD: Final = 4
LAST_PERIOD: Final = 14
"""The last one that is taken: the longest game yet had six overtimes."""
REGULATION_S: Final = LAST_REGULAR_PERIOD * PERIOD_S
LONGEST_GAME_S: Final = REGULATION_S + (LAST_PERIOD - LAST_REGULAR_PERIOD) * OVERTIME_S


@overload
def elapsed_s(period: int, clock_s: float) -> float: ...
@overload
def elapsed_s(period: NDArray[np.int64], clock_s: NDArray[np.float64]) -> NDArray[np.float64]: ...
def elapsed_s(period: Code, clock_s: Value) -> Value:
    """Seconds played over all periods, with `clock_s` left in this one."""
    in_regulation = period * PERIOD_S - clock_s
    in_overtime = REGULATION_S + (period - LAST_REGULAR_PERIOD) * OVERTIME_S - clock_s
    return where(period <= LAST_REGULAR_PERIOD, in_regulation, in_overtime)
