"""What a fact of a shot may be: the ranges that tables and requests are held to.

Apart from `parivision.shots.schema` because the service checks requests without Polars.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final

from parivision.shots.game_clock import LAST_PERIOD, PERIOD_S

MIN_DATE: Final = date(1946, 11, 1)
"""The league's first game; nothing before it can be a shot."""
MAX_DATE: Final = date(2100, 12, 31)
SHOT_VALUES: Final = (2, 3)
LARGEST_ID: Final = 2**63 - 1
CONTROL_CHARACTERS: Final = r"[\x00-\x1f\x7f-\x9f\u2028\u2029]"
"""What no text of a record or request may hold (a pattern): controls, and breaks of a line."""


@dataclass(frozen=True)
class Range:
    """A closed range; None: no bound on that side."""

    low: float | None = None
    high: float | None = None


RANGES: Final[Mapping[str, Range]] = MappingProxyType(
    {
        "game_id": Range(low=1),
        "event_id": Range(low=0),
        "season": Range(low=1947, high=2100),
        "team_id": Range(low=1),
        "player_id": Range(low=1),
        "period": Range(low=1, high=LAST_PERIOD),
        "clock_s": Range(low=0, high=PERIOD_S),
        "x_ft": Range(low=-26.0, high=26.0),
        "y_ft": Range(low=-6.0, high=90.0),
        "distance_ft": Range(low=0, high=95),
    }
)
