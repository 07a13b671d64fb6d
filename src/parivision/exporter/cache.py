"""The last answer of a source that is asked again and again, while it can be believed."""

import logging
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from parivision.errors import PariVisionError

EVERY_S: Final = 15.0
"""How often a source is asked."""
SHARE: Final = 10.0
"""A source that takes long is left alone for so many times as long, so that we are no burden."""
PATIENCE_S: Final = 60.0
"""How long an answer may be overdue until what was said before does not count any more."""

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class Cached(Generic[T]):
    """A source's last answer, for as long as it is fresh."""

    def __init__(
        self,
        name: str,
        ask: Callable[[], T],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`ask` gets the answer, and raises when the source is down."""
        self.name = name
        self._ask = ask
        self._every_s = every_s
        self._clock = clock
        self._answer: tuple[T, float] | None = None
        self._is_down = False
        self._is_open = False

    def value(self) -> T | None:
        """The answer; None when the source is down, has not answered yet, or not for too long."""
        answer = self._answer
        if answer is None or self._clock() > answer[1]:
            return None
        return answer[0]

    def refresh(self) -> float:
        """Ask once, whatever comes of it; returns the seconds to leave the source alone for."""
        began_s = self._clock()
        try:
            answer = self._ask()
        except PariVisionError as error:
            return self._lost(str(error))
        except Exception:  # a fault of ours; the source is asked again all the same
            _logger.exception("%s could not be read", self.name)
            return self._lost("see above")
        return self._found(answer, took_s=self._clock() - began_s)

    def _found(self, answer: T, took_s: float) -> float:
        # The first time a source is opened too, and that time says nothing about the next.
        pause_s = max(self._every_s, SHARE * took_s) if self._is_open else self._every_s
        # One tuple, put there at once: scrapes read it in other threads, without a lock.
        self._answer = answer, self._clock() + pause_s + PATIENCE_S
        if self._is_down:
            _logger.warning("%s answers again", self.name)
        self._is_down, self._is_open = False, True
        return pause_s

    def _lost(self, why: str) -> float:
        self._answer = None
        if not self._is_down:  # said once, not every few seconds
            _logger.warning("%s is down: %s", self.name, why)
        self._is_down = True
        return self._every_s
