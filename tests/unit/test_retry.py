"""Trying again: how often, how long, and what is said at the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import SourceError
from parivision.sources.retry import Retry, TransientError


def failing(times: int, wait_s: float = 0.0):
    """A call that fails so many times and then gives 'done'."""
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise TransientError("busy", wait_s)
        return "done"

    return call


def test_a_passing_failure_is_not_noticed() -> None:
    """Waits double from the first on; the result is the call's."""
    waits: list[float] = []
    retry = Retry(attempts=4, first_s=1.0, sleep=waits.append, jitter=lambda: 0.0)
    assert retry.run(failing(3), "The thing") == "done"
    assert waits == [1.0, 2.0, 4.0]


def test_a_lasting_failure_is_told() -> None:
    """After the last attempt the error names the thing, the number of attempts and the cause."""
    waits: list[float] = []
    retry = Retry(attempts=3, sleep=waits.append)
    with pytest.raises(SourceError, match="The thing failed 3 times, the last time with: busy"):
        retry.run(failing(3), "The thing")
    assert len(waits) == 2


def test_other_errors_are_not_tried_again() -> None:
    """Only what may pass is repeated."""

    def call() -> None:
        raise ValueError("for good")

    with pytest.raises(ValueError, match="for good"):
        Retry(sleep=lambda _: pytest.fail("waited")).run(call, "The thing")


@given(
    attempt=st.integers(1, 40),
    asked=st.floats(0, 1000),
    jitter=st.floats(0, 1),
    first=st.floats(0, 9),
)
def test_waits_are_bounded(attempt: int, asked: float, jitter: float, first: float) -> None:
    """No wait is over the longest, and none shorter than the other side asked for, up to that."""
    retry = Retry(first_s=first, longest_s=30.0, jitter=lambda: jitter)
    wait = retry.wait_s(attempt, asked)
    assert min(asked, 30.0) <= wait <= 30.0
    assert wait <= max(asked, first * 2.0 ** (attempt - 1))
