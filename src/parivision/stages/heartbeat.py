"""Signs of life of what takes long: what is being done and since when, while nothing else is told.

A person at a terminal sees what moves; who reads a pipe, the log of a CI job or of a pod, sees a
line at the latest every `EVERY_S` seconds and knows that nothing hangs.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Final, ParamSpec, TypeVar

EVERY_S: Final = 10.0
# An activity may be overdue and yet have nothing to tell: the thread must not spin then.
_LEAST_WAIT_S: Final = 0.05

P = ParamSpec("P")
R = TypeVar("R")


@dataclass
class Activity:
    """Something that is being done: what, since when, and how much (of a total of 0: unknown)."""

    what: str
    began_s: float
    done: int = 0
    total: int = 0

    def words(self, now_s: float) -> str:
        """A line on it at the moment `now_s`."""
        amount = f", {self.done:,}" if self.done else ""
        if amount and self.total:
            amount += f" of {self.total:,}"
        return f"{self.what}{amount}, {elapsed(now_s - self.began_s)} so far"


def elapsed(seconds: float) -> str:
    """A duration as people say it: "42 s", "3 min 5 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class Alive:
    """Tells of the innermost activity whenever nothing was told for `every_s` seconds.

    `tell` takes a line; `clock` gives seconds. Activities are begun and ended by one thread.
    """

    def __init__(
        self,
        tell: Callable[[str], object],
        *,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is told before `watching`."""
        self._tell, self._every_s, self._clock = tell, every_s, clock
        self._activities: list[Activity] = []
        self._spoke_s = clock()
        self._stop: threading.Event | None = None

    @contextmanager
    def doing(self, what: str) -> Iterator[Activity]:
        """Say what is being done in the block; blocks may lie in each other."""
        activity = Activity(what, self._clock())
        self._activities.append(activity)
        try:
            yield activity
        finally:
            self._activities.remove(activity)

    def now_doing(self, activity: Activity, what: str) -> None:
        """Let an activity go on as another one, which begins now."""
        activity.what, activity.began_s = what, self._clock()
        activity.done = activity.total = 0

    def spoke(self) -> None:
        """Note that something else was told just now."""
        self._spoke_s = self._clock()

    def beat(self) -> None:
        """Tell of the innermost activity if it is time to."""
        # A slice, as the other thread may end the last activity between a test and an index.
        now_s, activities = self._clock(), self._activities[-1:]
        if activities and now_s - self._spoke_s >= self._every_s:
            self._spoke_s = now_s
            self._tell(activities[0].words(now_s))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Beat in a thread of its own for as long as the block takes, or until `rest`."""
        self.spoke()
        stop = self._stop = threading.Event()
        thread = threading.Thread(target=self._run, args=(stop,), name="alive", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def rest(self) -> None:
        """Tell no more: what goes on from here serves, and nobody waits for its end."""
        if self._stop is not None:
            self._stop.set()

    def _run(self, stop: threading.Event) -> None:
        while not stop.wait(max(self._due_s(), _LEAST_WAIT_S)):
            try:
                self.beat()
            except (OSError, ValueError):  # the reader of the pipe has gone, or it is closed
                return

    def _due_s(self) -> float:
        return self._spoke_s + self._every_s - self._clock()


def logs_heartbeat(step: Callable[P, R], *, every_s: float = EVERY_S) -> Callable[P, R]:
    """A pipeline's step that logs that it is still running: the line is in the pod's log."""

    @wraps(step)
    def watched(*args: P.args, **kwargs: P.kwargs) -> R:
        alive = Alive(logging.getLogger(step.__module__).info, every_s=every_s)
        with alive.watching(), alive.doing(step.__name__):
            return step(*args, **kwargs)

    return watched
