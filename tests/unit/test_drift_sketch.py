"""Sketches of columns, and the distances between them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from parivision.drift import significance, sketch
from parivision.drift.sketch import CategorySketch, NumericSketch

VALUES = hnp.arrays(
    np.float64,
    st.integers(1, 300),
    elements=st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6), st.just(float("nan"))),
)


@settings(max_examples=30)
@given(VALUES)
def test_a_sketch_accounts_for_every_value(values: np.ndarray) -> None:
    """Counts at the edges, in the bins and of the missing all add up to the column."""
    made = NumericSketch.of(values)
    assert made.n + made.n_missing == len(values)
    assert sum(made.counts) == made.n
    assert made.bin_counts().sum() == len(values)


@settings(max_examples=30)
@given(VALUES)
def test_a_column_counted_into_its_own_bins_gives_the_sketch_s_counts(values: np.ndarray) -> None:
    """Values at hand and the sketch of them fall into the same bins."""
    made = NumericSketch.of(values)
    edges = made.bin_edges()
    counts = np.bincount(sketch.bin_of(values, edges), minlength=len(edges) + 2)
    np.testing.assert_array_equal(counts, made.bin_counts())


@settings(max_examples=30)
@given(VALUES.filter(lambda values: bool(np.isfinite(values).any())))
def test_quantiles_of_a_sketch_are_those_of_its_column(values: np.ndarray) -> None:
    """As long as a column fits into a sketch nothing of its shape is lost."""
    known = values[np.isfinite(values)]
    np.testing.assert_array_equal(NumericSketch.of(values).quantiles(), sketch.quantiles_of(known))


def test_a_large_column_is_cut_to_a_bounded_size_and_keeps_its_shape() -> None:
    """A hundred thousand different values leave a thousand edges and the same distribution."""
    values = np.random.default_rng(1).normal(size=100_000)
    made = NumericSketch.of(values)
    assert len(made.edges) <= sketch.MAX_EDGES
    assert made.edges[-1] == values.max()
    gap = np.cumsum(made.counts) / made.n - stats.norm.cdf(made.edges)
    assert np.abs(gap).max() < 0.01
    assert sketch.wasserstein(made.quantiles(), sketch.quantiles_of(values), made.std) < 0.005


def test_a_value_that_fills_half_a_bin_gets_its_own() -> None:
    """The shots logged at exactly (0, 0) are told from those around them."""
    values = np.concatenate([np.zeros(100), np.linspace(-10, 10, 1900)])
    made = NumericSketch.of(values)
    edges = made.bin_edges()
    counts = made.bin_counts()
    assert counts[np.flatnonzero(edges == 0.0)[0]] == 100


def test_a_column_without_values_has_an_empty_sketch() -> None:
    """Nothing but missing values is no error."""
    made = NumericSketch.of(np.array([np.nan, np.inf]))
    assert (made.n, made.n_missing, made.edges) == (0, 2, ())
    assert made.bin_counts().tolist() == [0.0, 2.0]


def test_only_the_commonest_categories_are_kept() -> None:
    """A column of endlessly many values cannot blow up the reference."""
    made = CategorySketch.of({f"player {i}": i + 1 for i in range(sketch.MAX_CATEGORIES + 3)})
    assert len(made.counts) == sketch.MAX_CATEGORIES
    assert "player 2" not in made.counts
    assert made.n == sum(range(1, sketch.MAX_CATEGORIES + 4))


def test_category_codes_put_what_is_not_known_last() -> None:
    """A category that the reference lacks gets the number behind the last."""
    codes = sketch.category_codes(pl.Series("zone", ["b", "c", "a"]), ("a", "b"))
    assert codes.tolist() == [1, 2, 0]
    assert sketch.category_codes(pl.Series("zone", ["b"]), ()).tolist() == [0]


@settings(max_examples=60)
@given(
    hnp.arrays(np.int64, st.shared(st.integers(2, 12), key="k"), elements=st.integers(0, 10_000)),
    hnp.arrays(np.int64, st.shared(st.integers(2, 12), key="k"), elements=st.integers(0, 10_000)),
)
def test_distances_are_bounded_and_symmetric_up_to_their_bias(p: np.ndarray, q: np.ndarray) -> None:
    """Jensen-Shannon stays within 0 and 1, the stability index is not negative."""
    p_counts, q_counts = p.astype(float), q.astype(float)
    assert 0 <= sketch.jensen_shannon(p_counts, q_counts) <= 1
    assert sketch.stability_index(p_counts, q_counts) >= 0
    assert sketch.jensen_shannon(p_counts, p_counts) == 0


def test_distributions_with_nothing_in_common_are_one_apart() -> None:
    """The far end of the Jensen-Shannon distance is 1."""
    far = sketch.jensen_shannon(np.array([1e6, 0.0]), np.array([0.0, 1e6]))
    assert far == pytest.approx(1, abs=1e-5)


def _drawn(rng: np.random.Generator, count: int, p: sketch.FloatArray) -> sketch.FloatArray:
    """How many of so many fall into each bin, as floats."""
    return rng.multinomial(count, p).astype(np.float64)


def test_samples_of_one_population_lie_nowhere_apart_on_average() -> None:
    """The bias taken off is the one that sampling adds, at whatever size."""
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(20))
    squares = [sketch.jensen_shannon(_drawn(rng, 5000, p), _drawn(rng, 800, p)) for _ in range(400)]
    assert np.mean([value == 0 for value in squares]) > 0.45
    assert np.mean(squares) < 0.02


def test_the_stated_error_of_the_distance_is_the_one_it_has() -> None:
    """The standard error behind the thresholds agrees with a simulation."""
    rng = np.random.default_rng(3)
    p, q = np.full(20, 0.05), np.linspace(0.02, 0.08, 20)
    n = 4000
    found = [sketch.jensen_shannon(p * 1e9, _drawn(rng, n, q)) for _ in range(600)]
    stated = sketch.jensen_shannon_error(float(np.mean(found)), 20, n)
    assert np.std(found) == pytest.approx(stated, rel=0.15)


def test_a_shift_by_a_standard_deviation_is_a_distance_of_one() -> None:
    """The Wasserstein distance is counted in standard deviations of the reference."""
    values = np.random.default_rng(4).normal(size=20_000)
    quantiles = sketch.quantiles_of(values)
    assert sketch.wasserstein(quantiles, quantiles + values.std(), values.std()) == pytest.approx(1)
    assert sketch.wasserstein(np.zeros(3), np.ones(3), 0.0) == 1


@given(st.floats(-8, 8))
def test_normal_probabilities_agree_with_scipy(z: float) -> None:
    """The table's p-values are those of the normal distribution."""
    assert significance.normal_upper(z) == pytest.approx(stats.norm.sf(z))
    assert significance.normal_two_sided(z) == pytest.approx(2 * stats.norm.sf(abs(z)))


def test_the_other_probabilities_agree_with_scipy() -> None:
    """The table's p-values are those of the chi-square and Kolmogorov distributions."""
    assert significance.chi_square_upper(12.3, 7) == pytest.approx(stats.chi2.sf(12.3, 7))
    assert significance.chi_square_upper(0.0, 0) == 1
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=4000), rng.normal(0.05, size=3000)
    known = stats.ks_2samp(a, b, method="asymp")
    found = significance.kolmogorov_smirnov(float(known.statistic), 1 / (1 / 4000 + 1 / 3000))
    assert found == pytest.approx(known.pvalue, rel=0.02)
