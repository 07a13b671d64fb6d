"""A source's last answer: fresh, overdue, lost, and found again."""

import logging

import pytest

from parivision.errors import StoreError
from parivision.exporter.cache import EVERY_S, PATIENCE_S, SHARE, Cached


@pytest.fixture
def source(clock):
    """A source whose next answers, errors and delays a test writes down."""

    class Script:
        def __init__(self):
            self.says, self.takes_s = 1, 0.0

        def __call__(self):
            clock.now_s += self.takes_s
            if isinstance(self.says, Exception):
                raise self.says
            return self.says

    return Script()


@pytest.fixture
def cached(source, clock):
    """The source, cached."""
    return Cached("lake", source, clock=clock)


def test_nothing_is_known_before_the_first_answer(cached):
    """A source is down until it has answered."""
    assert cached.value() is None


def test_an_answer_is_kept_until_it_is_overdue(cached, source, clock):
    """The next is due after the pause; what was said counts a while longer and then no more."""
    pause_s = cached.refresh()
    assert (cached.value(), pause_s) == (1, EVERY_S)
    source.says = 2
    clock.now_s += pause_s
    assert cached.value() == 1
    cached.refresh()
    assert cached.value() == 2
    clock.now_s += EVERY_S + PATIENCE_S
    assert cached.value() == 2
    clock.now_s += 0.001
    assert cached.value() is None


def test_a_slow_source_is_left_alone_for_longer(cached, source, clock):
    """It is asked a tenth of the time, and its answer counts until the next can be there."""
    cached.refresh()
    source.takes_s = 30.0
    pause_s = cached.refresh()
    assert pause_s == SHARE * 30.0
    clock.now_s += pause_s + 30.0
    assert cached.value() == 1


def test_only_a_slow_answer_is_a_reason_to_wait(cached, source):
    """Opening a source may take long, and waiting for one that is down; both are asked soon."""
    source.says, source.takes_s = StoreError("no answer within 30 s"), 30.0
    assert cached.refresh() == EVERY_S
    source.says = 1
    assert cached.refresh() == EVERY_S
    assert cached.refresh() == SHARE * 30.0


def test_an_answer_of_nothing_is_an_answer(clock):
    """An empty answer is not a source that is down."""
    cached: Cached[list[str]] = Cached("kfp", list, clock=clock)
    cached.refresh()
    assert cached.value() == []


@pytest.mark.parametrize("error", [StoreError("gone"), ZeroDivisionError("a fault of ours")])
def test_a_source_that_fails_keeps_nothing(cached, source, error):
    """What it said before is gone at once, whatever the error, and it is asked again."""
    cached.refresh()
    source.says = error
    assert cached.refresh() == EVERY_S
    assert cached.value() is None
    source.says = 3
    cached.refresh()
    assert cached.value() == 3


def test_what_changes_is_said_once(cached, source, caplog):
    """The log tells when a source goes and comes back, not every time that it is asked."""
    with caplog.at_level(logging.WARNING, "parivision.exporter.cache"):
        cached.refresh()
        source.says = StoreError("the server refused")
        cached.refresh()
        cached.refresh()
        source.says = 4
        cached.refresh()
        cached.refresh()
    assert [record.getMessage() for record in caplog.records] == [
        "lake is down: the server refused",
        "lake answers again",
    ]


def test_a_fault_of_ours_keeps_its_traceback(cached, source, caplog):
    """An error that is none of the project's is shown whole."""
    source.says = ZeroDivisionError("by zero")
    with caplog.at_level(logging.WARNING, "parivision.exporter.cache"):
        cached.refresh()
    assert "ZeroDivisionError: by zero" in caplog.text
