"""Asking again what is away for a moment: one policy, for sources, lake, MLflow and images.

A stage that ends because a server was restarted costs more than the minute that it would have had
to wait: upstream's Kubeflow Pipelines tries a task again whose pod was lost, but not one that
ended with an error. How long is a setting, PARIVISION_PATIENCE_S.
"""

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception

T = TypeVar("T")
P = ParamSpec("P")

_MOST_CHARACTERS: Final = 160
_logger = logging.getLogger(__name__)


class TransientError(Exception):
    """A failure that may pass; `wait_s` is how long the other side asked to wait."""

    def __init__(self, message: str, wait_s: float = 0.0) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def is_transient(error: BaseException) -> bool:
    """Whether a failure may pass: it is a TransientError, or follows from one."""
    return isinstance(error, TransientError) or isinstance(error.__cause__, TransientError)


@dataclass(frozen=True)
class Retry:
    """For how long to ask, and how patiently.

    Waits are 1, 2, 4, ... times `first_s`, each shortened by up to a half at random, and none is
    over `longest_s`. The last one ends `within_s` seconds after the first call began; with 0 there
    is one call. `tell` hears of every failure that is followed by another call.
    """

    within_s: float = 10.0
    first_s: float = 0.5
    longest_s: float = 20.0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    """Gives numbers from 0 to 1."""
    tell: Callable[[str], object] = _logger.warning

    def run(
        self,
        call: Callable[[], T],
        what: str,
        is_passing: Callable[[BaseException], bool] = is_transient,
    ) -> T:
        """The call's result; raises its last error when the time is over, others at once.

        `what` names the thing that is asked, and `is_passing` says which errors may pass.
        """

        def tell(state: RetryCallState) -> None:
            self.tell(
                f"{what} is away, attempt {state.attempt_number} ({_short(_error(state))}): asked "
                f"again in {state.upcoming_sleep:.1f} s"
            )

        retrying = Retrying(
            sleep=self.sleep,
            wait=lambda state: min(self._wait_s(state), max(0.0, self.within_s - _passed_s(state))),
            stop=lambda state: _passed_s(state) >= self.within_s,
            retry=retry_if_exception(is_passing),
            before_sleep=tell,
            reraise=True,
        )
        return retrying(call)

    def wait_s(self, attempt: int, asked_s: float = 0.0) -> float:
        """Seconds to wait after the attempt of that number (1 is the first)."""
        # At random, so that clients that failed together do not come back together.
        backoff = self.first_s * 2.0 ** (attempt - 1) * (1.0 - 0.5 * self.jitter())
        return min(max(backoff, asked_s), self.longest_s)

    def _wait_s(self, state: RetryCallState) -> float:
        error = _error(state)
        asked_s = getattr(error, "wait_s", 0.0) or getattr(error.__cause__, "wait_s", 0.0)
        return self.wait_s(state.attempt_number, asked_s)


NEVER = Retry(within_s=0)
"""For those who ask again by themselves."""


class OnServer(Protocol):
    """What has a server that may be away, and how patiently it is asked."""

    retry: Retry

    @property
    def url(self) -> str:
        """The server's address, without credentials."""


S = TypeVar("S", bound=OnServer)


def asks_again(
    is_passing: Callable[[BaseException], bool],
) -> Callable[[Callable[Concatenate[S, P], T]], Callable[Concatenate[S, P], T]]:
    """Makes a method be called again while its server is away.

    For methods that may be called twice, and give nothing before they are done. What a call that
    was broken off has written counts as there already.
    """

    def decorated(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
        @wraps(method)
        def asked(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return self.retry.run(lambda: method(self, *args, **kwargs), self.url, is_passing)

        return asked

    return decorated


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    return error or RuntimeError("no outcome")


def _short(error: BaseException) -> str:
    """Its beginning on one line: what to do about it is told at the end, if it does not pass."""
    return " ".join(str(error).split())[:_MOST_CHARACTERS]


def _passed_s(state: RetryCallState) -> float:
    """Since the first call began; what was slept counts where a test sleeps in no time."""
    return max(state.seconds_since_start or 0.0, state.idle_for)
