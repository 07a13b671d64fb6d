"""When an alert may start a retraining."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parivision.kubeflow.runs import ENDED, SUCCEEDED
from parivision.retraining.policy import AlertAnswer, RetrainingPolicy, decide
from parivision.retraining.runner import PastRun

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATES = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "RUNNING", "PENDING", "PAUSED")


def past(state, hours_ago, name="training"):
    """A run that began so long ago; its state is one of Kubeflow's."""
    began_at = NOW - hours_ago * HOUR
    return PastRun(name, name, began_at, state in ENDED, state == SUCCEEDED)


@pytest.mark.parametrize(
    ("runs", "outcome", "next_in_hours"),
    [
        ([], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 25)], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 24)], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 20)], AlertAnswer.TOO_SOON, 4),
        ([past("RUNNING", 100)], AlertAnswer.RUNNING, None),
        ([past("PENDING", 0), past("SUCCEEDED", 100)], AlertAnswer.RUNNING, None),
        # A run that somebody started by hand long ago still counts while it goes on.
        ([past("SUCCEEDED", 30), past("RUNNING", 90)], AlertAnswer.RUNNING, None),
        ([past("FAILED", 25)], AlertAnswer.BACKING_OFF, 23),
        ([past("FAILED", 49)], AlertAnswer.STARTED, None),
        ([past("FAILED", 60), past("CANCELED", 90)], AlertAnswer.BACKING_OFF, 36),
        (
            [past("FAILED", 25), past("SUCCEEDED", 60), past("FAILED", 90)],
            AlertAnswer.BACKING_OFF,
            23,
        ),
        ([past("FAILED", 50 + 10 * i) for i in range(20)], AlertAnswer.BACKING_OFF, 142),
        ([past("FAILED", 193 + 10 * i) for i in range(20)], AlertAnswer.STARTED, None),
    ],
)
def test_when_it_may_start(runs, outcome, next_in_hours):
    """Once a day, never beside a run, and twice as long after each failure, up to eight days."""
    decision = decide(runs, NOW, RetrainingPolicy())
    assert decision.outcome is outcome, decision.reason
    wanted = None if next_in_hours is None else NOW + next_in_hours * HOUR
    assert decision.next_at == wanted
    assert decision.may_start == (outcome is AlertAnswer.STARTED)


@example(past=[("SUCCEEDED", 0), ("FAILED", 0)], window_h=1, longest_h=1)
@given(
    past=st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 500)), max_size=8),
    window_h=st.integers(1, 48),
    longest_h=st.integers(1, 400),
)
def test_whatever_was_before_the_promises_hold(past, window_h, longest_h):
    """No second run in a window or beside another, and none is put off for ever."""
    runs = [
        PastRun(str(i), str(i), NOW - hours * HOUR, state in ENDED, state == SUCCEEDED)
        for i, (state, hours) in enumerate(past)
    ]
    policy = RetrainingPolicy(window_h * HOUR, longest_h * HOUR)
    decision = decide(runs, NOW, policy)
    if decision.may_start:
        assert all(run.has_ended for run in runs)
        starts = [run.began_at for run in runs if run.began_at is not None]
        assert len(starts) == len(runs)
        assert all(NOW - start >= policy.window for start in starts)
    elif decision.next_at is not None:
        assert decision.next_at - NOW <= max(policy.window, policy.longest)
        assert decide(runs, decision.next_at, policy).may_start
    assert decide(list(reversed(runs)), NOW, policy).outcome is decision.outcome
