"""Intervals of a proportion hold it, at both ends, and of nothing say that nothing is known."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import DataError
from parivision.models import explanation
from parivision.scoring import bootstrap, metrics, scores
from parivision.scoring.proportions import clopper_pearson, wilson
from parivision.simulation.study import Share
from scalars import number

pytestmark = pytest.mark.unit


def _holds(low, rate, high):
    return (low >= 0).all() and (low <= rate).all() and (rate <= high).all() and (high <= 1).all()


@pytest.mark.parametrize("n", range(1, 401))
def test_wilson_holds_every_rate_up_to_400_shots(n):
    """No rounding puts an end beside the rate, and the ends of the ends are exact."""
    rate = np.arange(n + 1) / n
    low, high = wilson(rate, np.full(n + 1, n))
    assert _holds(low, rate, high)
    assert (low[0], high[-1]) == (0, 1)
    assert low[-1] < 1
    assert high[0] > 0


@given(n=st.integers(1, 10**15), data=st.data())
def test_wilson_holds_rates_of_many_shots(n, data):
    """Of millions of shots as of few."""
    hits = data.draw(st.one_of(st.integers(0, n), st.sampled_from([0, 1, n - 1, n])))
    low, high = wilson(hits / n, n)
    assert 0 <= low <= hits / n <= high <= 1


@given(n=st.integers(1, 400), data=st.data())
def test_clopper_pearson_holds_every_rate(n, data):
    """The exact interval too, and it is never narrower than its promise."""
    hits = data.draw(st.integers(0, n))
    low, high = clopper_pearson(hits, n)
    assert 0 <= low <= hits / n <= high <= 1
    assert Share.of(hits, n).low == low
    # The other side's count mirrors it.
    mirrored = clopper_pearson(n - hits, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_nothing_seen_is_nothing_known():
    """No shots: from 0 to 1 without a division by zero, whatever the rate."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rate in (0.0, 1.0, float("nan")):
            low, high = wilson([rate, 0.5], [0, 10])
            assert (low[0], high[0]) == (0, 1)
        assert clopper_pearson(0, 0) == (0, 1)
    with pytest.raises(DataError, match="expected from 0 to 3 hits"):
        clopper_pearson(4, 3)


OUTCOMES = {
    "all made": lambda rng, n: np.ones(n),
    "none made": lambda rng, n: np.zeros(n),
    "one made": lambda rng, n: np.arange(n) == 0,
    "half made": lambda rng, n: rng.random(n) < 0.5,
}
PROBABILITIES = {
    "sure of a make": lambda rng, n: np.ones(n),
    "sure of a miss": lambda rng, n: np.zeros(n),
    "always the same": lambda rng, n: np.full(n, 0.45),
    "any": lambda rng, n: rng.random(n),
}


@pytest.mark.parametrize("outcomes", OUTCOMES)
@pytest.mark.parametrize("said", PROBABILITIES)
@pytest.mark.parametrize("games", [2, 3, 30])
def test_bootstrap_intervals_hold_their_scores(outcomes, said, games):
    """Percentiles of resampled games never leave the score outside, on degenerate shots either."""
    rng = np.random.default_rng(games)
    n = 4 * games
    made = OUTCOMES[outcomes](rng, n).astype(float)
    p = PROBABILITIES[said](rng, n)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = bootstrap.intervals(made, p, np.arange(n) // 4, resamples=50)
    for name, interval in found.items():
        score = getattr(metrics, name)(made, p)
        if np.isfinite(score):
            assert interval.low <= score <= interval.high, name


@given(seed=st.integers(0, 2**32), games=st.integers(2, 12))
def test_bootstrap_intervals_hold_the_scores_of_few_games(seed, games):
    """Nor do few games, of which all resamples may lie on one side."""
    rng = np.random.default_rng(seed)
    n = 5 * games
    made, p = (rng.random(n) < rng.random()).astype(float), rng.random(n) ** rng.integers(1, 6)
    row = scores.scores_row(made, p, np.arange(n) // 5, resamples=20)
    for name in bootstrap.INTERVAL_SCORES:
        if row[name] is not None:
            low, high = number(row[f"{name}_low"]), number(row[f"{name}_high"])
            assert low <= number(row[name]) <= high, name


@given(seed=st.integers(0, 2**32), n=st.integers(1, 200))
def test_calibration_bins_hold_their_rates(seed, n):
    """Each bar of the reliability plot holds the rate that it is drawn through."""
    rng = np.random.default_rng(seed)
    made = (rng.random(n) < rng.choice([0.0, 0.1, 0.9, 1.0])).astype(float)
    table = scores.reliability(made, rng.random(n))
    rate = table["made_rate"].to_numpy()
    assert _holds(table["low"].to_numpy(), rate, table["high"].to_numpy())


@given(seed=st.integers(0, 2**32), p_made=st.floats(0, 1))
def test_the_band_around_a_prediction_holds_the_rate_of_such_shots(seed, p_made):
    """What is shown beside a probability: the made rate carried over to it, and its interval."""
    rng = np.random.default_rng(seed)
    made = (rng.random(60) < rng.choice([0.0, 0.5, 1.0])).astype(float)
    bins = scores.reliability(made, rng.random(60)).to_dicts()
    said, seen = (np.array([row[name] for row in bins]) for name in ("mean_p_made", "made_rate"))
    rate = np.clip(p_made + np.interp(p_made, said, seen - said), 0, 1)
    band = explanation.band(bins, p_made)
    assert band is not None
    assert 0 <= band.low <= rate <= band.high <= 1
