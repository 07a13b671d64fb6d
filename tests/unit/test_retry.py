"""Asking again: how long, how patiently, and what is said meanwhile and at the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision import settings
from parivision.errors import ServiceError, SourceError, StoreError
from parivision.settings.retry import NEVER, Retry, TransientError, asks_again
from parivision.sources.retry import ask


def failing(times: int, wait_s: float = 0.0):
    """A call that fails so many times and then gives 'done'."""
    left = [times]

    def call() -> str:
        if left[0]:
            left[0] -= 1
            raise TransientError("busy", wait_s)
        return "done"

    return call


def test_a_passing_failure_is_told_once_an_attempt_and_costs_nothing_else() -> None:
    """Waits double from the first on; the result is the call's."""
    waits, told = list[float](), list[str]()
    retry = Retry(first_s=1.0, sleep=waits.append, jitter=lambda: 0.0, tell=told.append)
    assert retry.run(failing(3), "The thing") == "done"
    assert waits == [1.0, 2.0, 4.0]
    assert told == [
        f"The thing is away, attempt {number} (busy): asked again in {wait:.1f} s"
        for number, wait in enumerate(waits, 1)
    ]


def test_the_log_hears_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """A line an attempt, as a warning, which a pod's log shows."""
    Retry(sleep=lambda _: None).run(failing(2), "The thing")
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "parivision.settings.retry")
    ] * 2


def test_a_lasting_failure_is_asked_until_the_time_is_over() -> None:
    """The last wait is shortened to end with the time; then the last error is raised."""
    waits: list[float] = []
    retry = Retry(within_s=10.0, first_s=1.0, sleep=waits.append, jitter=lambda: 0.0)
    with pytest.raises(TransientError, match="busy"):
        retry.run(failing(100), "The thing")
    assert waits == pytest.approx([1.0, 2.0, 4.0, 3.0], abs=0.1)


def test_a_source_that_stays_away_is_a_source_error() -> None:
    """It names the source, the time and the cause."""
    retry = Retry(within_s=3.0, sleep=lambda _: None)
    with pytest.raises(SourceError, match=r"The thing gave nothing within 3 s.*because of: busy"):
        ask(retry, failing(100), "The thing")


def test_who_never_asks_again_asks_once() -> None:
    """One call, no wait."""
    with pytest.raises(TransientError):
        NEVER.run(failing(1), "The thing")


def test_other_errors_are_not_tried_again() -> None:
    """Only what may pass is repeated."""

    def call() -> None:
        raise ValueError("for good")

    with pytest.raises(ValueError, match="for good"):
        Retry(sleep=lambda _: pytest.fail("waited")).run(call, "The thing")


def test_an_error_that_follows_from_a_passing_one_passes() -> None:
    """The project's own errors name what passes as their cause; others are for good."""
    calls: list[int] = []

    def call() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise ServiceError("no answer") from TransientError("busy")
        raise ServiceError("refused")

    with pytest.raises(ServiceError, match="refused"):
        Retry(sleep=lambda _: None).run(call, "The thing")
    assert len(calls) == 2


def test_a_method_is_called_again_with_what_it_was_given() -> None:
    """And under its own name."""

    class Store:
        url = "mongodb://h"
        retry = Retry(sleep=lambda _: None)
        asked: list[str] = []  # noqa: RUF012

        @asks_again(lambda error: isinstance(error, StoreError))
        def cursor(self, source: str, *, limit: int) -> str:
            """The cursor."""
            self.asked.append(f"{source} {limit}")
            if len(self.asked) < 3:
                raise StoreError("away")
            return "c1"

    assert Store().cursor("feed", limit=5) == "c1"
    assert Store.asked == ["feed 5"] * 3
    assert Store.cursor.__doc__ == "The cursor."


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


def test_a_pod_is_more_patient_than_a_person() -> None:
    """A task's pod waits for a restart; in front of a screen the answer comes soon."""
    named = {"PARIVISION_POD": "pod-1", "PARIVISION_PATIENCE_S": "7"}
    assert settings.read({}).patience_s == 10
    assert settings.read({"PARIVISION_POD": "pod-1"}).patience_s == 300
    assert settings.read(named).patience_s == 7
