"""Trying again what may work the next time: a few times, slower each time."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from parivision.errors import SourceError

T = TypeVar("T")


class TransientError(Exception):
    """A failure that may pass; `wait_s` is how long the other side asked to wait."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


@dataclass(frozen=True)
class Retry:
    """How often and how patiently to try.

    Waits are 1, 2, 4, ... times `first_s`, each shortened by up to a half at random, and none is
    over `longest_s`.
    """

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """Gives numbers from 0 to 1."""

    def run(self, call: Callable[[], T], what: str) -> T:
        """The call's result; raises SourceError when it failed with TransientError each time.

        `what` names the thing for the message.
        """
        for attempt in range(1, self.attempts):
            try:
                return call()
            except TransientError as error:
                self.sleep(self.wait_s(attempt, error.wait_s))
        try:
            return call()
        except TransientError as error:
            raise SourceError(
                f"{what} failed {self.attempts} times, the last time with: {error}. Check that it "
                "can be reached from here and try again later; what was read is kept."
            ) from error

    def wait_s(self, attempt: int, asked_s: float = 0.0) -> float:
        """Seconds to wait after the attempt of that number (1 is the first)."""
        # At random, so that clients that failed together do not come back together.
        backoff = self.first_s * 2.0 ** (attempt - 1) * (1.0 - 0.5 * self.jitter())
        return min(max(backoff, asked_s), self.longest_s)
