"""Requests that are refused at the connection: each is counted, and few of them are logged."""

import logging
import time
from collections.abc import Callable
from typing import Final

from parivision.serving.requests import Refusal

EVERY_S: Final = 60.0
"""How often a line is logged at most: who sends what is no request sends it again and again."""

_logger = logging.getLogger(__name__)


class Refused:
    """Logs the first refusal, and from then on how many there were and what the last one was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count = 0
        self._next_at = 0.0

    def note(self, refusal: Refusal) -> None:
        """Take one to the count, and log it if it is time."""
        self._count += 1
        now = self._clock()
        if now < self._next_at:
            return
        self._next_at = now + EVERY_S
        _logger.warning(
            "refused %d requests at the connection; the last one with %d: %s",
            self._count,
            refusal.status,
            refusal.sentence,
        )
        self._count = 0
