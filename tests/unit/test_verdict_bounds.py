"""Tests that may be looked at all the time: bounds, mixtures of odds, many hypotheses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.verdict import bounds

SCALES = st.sampled_from([(10.0,), (0.25, 4.0, 64.0)])


@given(
    variance=st.floats(0, 1e5),
    alpha=st.floats(1e-6, 0.5),
    scales=SCALES,
    centre=st.sampled_from([0.0, 0.3]),
)
def test_a_bound_is_where_the_mixture_reaches_its_level(variance, alpha, scales, centre):
    """A sum on its bound has an e-value of 1 / alpha, just above it more, just below it less."""
    at = bounds.deviation(variance, alpha, scales, centre)
    level = math.log(1 / alpha)
    assert bounds.log_e_above(at, variance, scales, centre) == pytest.approx(level, abs=1e-6)
    assert bounds.log_e_above(1.01 * at, variance, scales, centre) > level
    assert bounds.log_e_above(0.99 * at, variance, scales, centre) < level


@pytest.mark.parametrize("centre", [0.0, 0.3, 2.0])
@pytest.mark.parametrize(("total", "variance"), [(12.0, 40.0), (-12.0, 40.0), (0.0, 0.0), (-90, 4)])
def test_the_mixture_is_the_integral_it_stands_for(total, variance, centre):
    """The closed form is the mixture of exp(lambda S - lambda^2 V / 2) over lambda > 0."""
    scale = 4.0
    steps = np.linspace(0, 12, 400_001)
    density = np.exp(-scale * (steps - centre) ** 2 / 2)
    density /= np.trapezoid(density, steps)
    integral = np.trapezoid(density * np.exp(steps * total - steps**2 * variance / 2), steps)
    found = bounds.log_e_above(total, variance, (scale,), centre)
    assert found == pytest.approx(math.log(integral), abs=0.02)


@pytest.mark.parametrize(("scales", "centre"), [((10.0,), 0.0), ((50.0,), 0.3)])
def test_a_walk_without_drift_seldom_crosses_its_bound(scales, centre):
    """Looked at after every step, fair walks cross a 10 % bound in less than 10 % of cases."""
    rng = np.random.default_rng(3)
    runs, steps, alpha = 1500, 1500, 0.1
    edge = [bounds.deviation(n / 4, alpha, scales, centre) for n in range(1, steps + 1)]
    walks = np.cumsum(rng.random((runs, steps)) < 0.5, axis=1) - np.arange(1, steps + 1) / 2
    crossed = (walks > edge).any(axis=1).mean()
    assert 0.01 < crossed < alpha


@given(
    first=st.integers(1, 40),
    second=st.integers(1, 40),
    errors=st.integers(0, 12),
    odds=st.sampled_from([0.5, 1.5, 16.0]),
)
def test_errors_that_fall_by_chance_are_no_evidence(first, second, errors, odds):
    """Errors drawn from all requests of a window have an expected likelihood ratio of at most 1."""
    errors = min(errors, first + second)
    on, off = bounds.log_odds_ratios(first / (first + second), [odds])
    ways = math.comb(first + second, errors)
    expected = sum(
        math.comb(first, k)
        * math.comb(second, errors - k)
        / ways
        * math.exp(k * on[0] + (errors - k) * off[0])
        for k in range(errors + 1)
    )
    assert expected <= 1 + 1e-9


def test_many_hypotheses_are_held_to_one_level():
    """Of ten, one needs ten times the e-value; two that are alike strong need half of it each."""
    alone = np.full(10, -5.0)
    alone[3] = math.log(10 / 0.05)
    assert bounds.rejected(alone, 0.05) == [3]
    alone[3] -= 0.01
    assert bounds.rejected(alone, 0.05) == []
    alone[[3, 7]] = math.log(5 / 0.05)
    assert bounds.rejected(alone, 0.05) == [3, 7]
    assert bounds.rejected(np.full(10, -math.inf), 0.05) == []


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=12))
def test_a_late_start_is_found_without_memory(ratios):
    """The one-number recursion is the mixture over all starts, each with its weight."""
    log_e = -math.inf
    for step, ratio in enumerate(ratios, start=1):
        log_e = bounds.detector_step(log_e, step, ratio)
    mixture = sum(math.exp(sum(ratios[k - 1 :])) / (k * (k + 1)) for k in range(1, len(ratios) + 1))
    assert log_e == pytest.approx(math.log(mixture))


def test_the_mean_of_e_values():
    """Logs of e-values are averaged as e-values, far beyond what a float holds."""
    assert bounds.log_mean([math.log(1), math.log(3)]) == pytest.approx(math.log(2))
    assert bounds.log_mean([5000.0, 0.0]) == pytest.approx(5000 - math.log(2))
