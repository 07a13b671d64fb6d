"""A clock that stands still until a test moves it."""

from dataclasses import dataclass


@dataclass
class HandClock:
    """A clock in seconds, moved by hand or by sleeping."""

    now_s: float = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds
