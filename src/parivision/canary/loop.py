"""Steps that are taken again and again, whatever goes wrong in one of them."""

import logging
import threading
import time
from collections.abc import Callable

from parivision.errors import PariVisionError

_logger = logging.getLogger(__name__)


class Loop:
    """Takes all steps one after the other, then waits."""

    def __init__(self, *steps: Callable[[], object], every_s: float) -> None:
        self._steps = steps
        self._every_s = every_s
        self._ended_at = time.monotonic()
        self._woken = threading.Event()

    def run(self, stop: threading.Event) -> None:
        """Go round until `stop` is set; `wake` lets it see that at once."""
        while not stop.is_set():
            for step in self._steps:
                _try(step)
            self._ended_at = time.monotonic()
            self._woken.wait(self._every_s)
            self._woken.clear()

    def wake(self) -> None:
        """Let `run` go round now."""
        self._woken.set()

    def idle_s(self) -> float:
        """Seconds since `run` last went round."""
        return time.monotonic() - self._ended_at


def _try(step: Callable[[], object]) -> None:
    try:
        step()
    except PariVisionError as error:
        _logger.warning("%s", error)
    except Exception:  # a fault of ours; the next step may do better
        _logger.exception("a step failed")
