"""The page's password: compared in constant time, and tried only so often."""

import hmac
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

MAX_ATTEMPTS: Final = 5
WINDOW_S: Final = 60.0


class Door:
    """Lets in who knows the password; all sessions share one, so that none adds attempts.

    Of failed attempts `MAX_ATTEMPTS` are allowed in `WINDOW_S` seconds; further ones are refused
    unseen, right or wrong.
    """

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = password.encode()
        self._clock = clock
        self._failed: deque[float] = deque()
        self._lock = threading.Lock()

    def wait_s(self) -> float:
        """Seconds until another attempt is looked at; 0 when one is now."""
        with self._lock:
            return self._wait_s()

    def opens(self, attempt: str) -> bool:
        """Whether the attempt is the password, and is looked at."""
        with self._lock:
            # Not even compared: a guess beyond the limit must not be told whether it is right.
            if self._wait_s() > 0:
                return False
            if hmac.compare_digest(attempt.encode(), self._password):
                return True
            self._failed.append(self._clock())
            return False

    def _wait_s(self) -> float:
        now = self._clock()
        while self._failed and now - self._failed[0] >= WINDOW_S:
            self._failed.popleft()
        return WINDOW_S - (now - self._failed[0]) if len(self._failed) >= MAX_ATTEMPTS else 0.0
