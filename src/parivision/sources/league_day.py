"""The league's day: what `yesterday` means to who asks for a night's games.

A game belongs to the day on which it begins in New York, wherever it is played and wherever the
one who asks is. A schedule in UTC that means its own yesterday would ask for games that are still
played, or a day too late.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = "America/New_York"
_AGO: Final = re.compile(r"(\d{1,5})-days-ago")
_WORDS: Final = {"today": 0, "yesterday": 1}

Clock = Callable[[], datetime]


def now() -> datetime:
    """The moment, in UTC."""
    return datetime.now(tz=UTC)


def today(clock: Clock = now) -> date:
    """The day that it is in New York."""
    return clock().astimezone(ZoneInfo(ZONE)).date()


def is_relative(text: str) -> bool:
    """Whether a text names a day by how long ago it is."""
    return text in _WORDS or _AGO.fullmatch(text) is not None


def day(text: str, clock: Clock = now) -> date:
    """A day such as 2025-04-13, today, yesterday or 7-days-ago; raises ValueError."""
    if ago := _AGO.fullmatch(text):
        return today(clock) - timedelta(days=int(ago[1]))
    if text in _WORDS:
        return today(clock) - timedelta(days=_WORDS[text])
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{error}; expected a day such as 2025-04-13, today, yesterday or 7-days-ago"
        ) from error
