"""Splits by game and date: a model is fitted on games, stopped on later and judged on still later.

No day is ever cut in two, so no game is either.
"""

from dataclasses import dataclass

import numpy as np

from parivision.errors import DataError
from parivision.shots.facts import Ints


@dataclass(frozen=True)
class TimeSplit:
    """Days since 1970-01-01: fit up to `fit_through`, stop up to `stop_through`, judge the rest."""

    fit_through: int
    stop_through: int
    last_day: int

    def fit(self, day: Ints) -> slice:
        """Rows to fit on; `day` is sorted."""
        return slice(0, int(np.searchsorted(day, self.fit_through, "right")))

    def stop(self, day: Ints) -> slice:
        """Rows to stop early on."""
        start = int(np.searchsorted(day, self.fit_through, "right"))
        return slice(start, int(np.searchsorted(day, self.stop_through, "right")))

    def later(self, day: Ints) -> slice:
        """Rows to judge on."""
        start = int(np.searchsorted(day, self.stop_through, "right"))
        return slice(start, int(np.searchsorted(day, self.last_day, "right")))


MIN_DAYS = 5
STOP_DAYS, LATER_DAYS = 25, 40
STOP_SHARE, LATER_SHARE = 0.1, 0.2


def time_split(day: Ints) -> TimeSplit:
    """Split sorted shot days: the last 40 days of games to judge on, the 25 before to stop on.

    Forty days are some 50,000 shots of the league, enough to see a difference of 0.001 in log loss.
    When there are few days the parts shrink to a fifth and a tenth of them. Raises DataError for
    fewer than five days of games.
    """
    days = np.unique(day)
    if len(days) < MIN_DAYS:
        raise DataError(
            f"{len(days)} days of games are too few to split by time: expected at least "
            f"{MIN_DAYS}; ingest more games"
        )
    later = min(LATER_DAYS, max(1, int(len(days) * LATER_SHARE)))
    stop = min(STOP_DAYS, max(1, int(len(days) * STOP_SHARE)))
    return TimeSplit(int(days[-later - stop - 1]), int(days[-later - 1]), int(days[-1]))
