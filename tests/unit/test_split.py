"""Splits by time: no day is cut, and nothing is judged on days it was fitted on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import DataError
from parivision.shots.split import LATER_DAYS, MIN_DAYS, STOP_DAYS, time_split

days_of_shots = st.dictionaries(
    st.integers(-9000, 20000), st.integers(1, 3), min_size=MIN_DAYS, max_size=300
).map(lambda days: np.repeat(sorted(days), [days[day] for day in sorted(days)]))


@given(days_of_shots)
def test_every_day_is_in_exactly_one_part(day):
    """The parts follow each other without gap, none is empty, and no day is cut in two."""
    split = time_split(day)
    fit, stop, later = split.fit(day), split.stop(day), split.later(day)
    assert (fit.start, fit.stop, stop.stop, later.stop) == (0, stop.start, later.start, len(day))
    assert day[fit].max() < day[stop].min() <= day[stop].max() < day[later].min()


@given(days_of_shots)
def test_most_days_are_fitted_on(day):
    """The parts to stop and to judge on are bounded, in days and as a share."""
    split = time_split(day)
    n = len(np.unique(day))
    assert 1 <= len(np.unique(day[split.later(day)])) <= max(1, min(LATER_DAYS, n // 5))
    assert 1 <= len(np.unique(day[split.stop(day)])) <= max(1, min(STOP_DAYS, n // 10))
    assert len(np.unique(day[split.fit(day)])) >= 3


def test_a_long_history_keeps_forty_days_to_judge_on():
    """With enough days the parts are 40 and 25 days of games."""
    day = np.arange(1000)
    split = time_split(day)
    assert (split.fit_through, split.stop_through, split.last_day) == (934, 959, 999)


@pytest.mark.parametrize("days", [0, 1, MIN_DAYS - 1])
def test_too_few_days_are_refused(days):
    """Fewer days than can be split are an error that says how many there are and are needed."""
    with pytest.raises(DataError, match=rf"{days} days .* at least {MIN_DAYS}"):
        time_split(np.repeat(np.arange(days), 50))
