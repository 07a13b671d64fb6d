"""Functions of one number that take columns: both give the same, to the last bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots import elementwise
from parivision.shots.game_clock import elapsed_s

ANY = st.floats(allow_nan=True, allow_infinity=True)
PLACE = st.floats(-100, 100)


def _column(*numbers: float) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array(numbers, np.float64)


def _same(one: float, many: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> bool:
    return np.array([one]).tobytes() == many.tobytes()


@given(x=ANY, y=ANY)
def test_lengths_are_the_same_for_one_and_for_many(x, y):
    """Any numbers have a length, infinite ones and those that are too large included."""
    with np.errstate(all="ignore"):
        many = elementwise.hypot(_column(x), _column(y))
    one = elementwise.hypot(x, y)
    assert _same(one, many) or (math.isnan(one) and np.isnan(many[0]))


@given(x=PLACE, y=PLACE, limit=st.floats(1, 50))
def test_numbers_and_columns_agree(x, y, limit):
    """Angle, limit, whole number and choice."""
    xs, ys = _column(x), _column(y)
    assert _same(elementwise.atan2(x, y), elementwise.atan2(xs, ys))
    assert _same(elementwise.at_most(x, limit), elementwise.at_most(xs, limit))
    assert elementwise.whole(x) == elementwise.whole(xs)[0]
    assert elementwise.where(x < y, 1, 2) == elementwise.where(xs < ys, 1, 2)[0]


def test_what_is_no_number_counts_as_the_limit():
    """So a place that is none has a cell in every table."""
    assert elementwise.at_most(math.nan, 3.5) == 3.5
    assert elementwise.at_most(_column(math.nan, 1.0, 9.0), 3.5).tolist() == [3.5, 1.0, 3.5]


def test_columns_keep_their_shape():
    """Angles of a grid are a grid."""
    x, y = np.meshgrid(np.linspace(-25, 25, 3), np.linspace(0, 40, 5))
    assert elementwise.atan2(x, y).shape == x.shape
    np.testing.assert_allclose(elementwise.atan2(x, y), np.arctan2(x, y), rtol=1e-15, atol=1e-15)


@pytest.mark.parametrize("p", [1e-6, 0.3, 0.999])
def test_logarithms_agree_but_for_the_last_digit(p):
    """NumPy has its own for some processors."""
    assert elementwise.log(p) == pytest.approx(elementwise.log(_column(p))[0], rel=1e-15)
    assert elementwise.exp(-p) == pytest.approx(elementwise.exp(_column(-p))[0], rel=1e-15)


@given(period=st.integers(1, 14), clock_s=st.floats(0, 720))
def test_the_clock_is_the_same_for_one_and_for_many(period, clock_s):
    """In regulation and in overtime."""
    many = elapsed_s(np.array([period]), _column(clock_s))
    assert _same(elapsed_s(period, clock_s), many)
