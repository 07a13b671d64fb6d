"""One column against its sketch: the tests, the effects, and how exactly the effects are known."""

from typing import Final

import numpy as np
import polars as pl

from parivision.drift.columns import Effect
from parivision.drift.significance import chi_square_upper, kolmogorov_smirnov, normal_two_sided
from parivision.drift.sketch import (
    CategorySketch,
    FloatArray,
    NumericSketch,
    bin_of,
    category_codes,
    jensen_shannon,
    jensen_shannon_error,
    label_counts,
    quantiles_of,
    stability_index,
    wasserstein,
)
from parivision.drift.summary import Cells, TestResult

MAX_CELLS: Final = 40
UNSEEN: Final = "never seen"
OTHER: Final = "other"


class Measured:
    """Tests and effects of one column; both tables of counts have the same cells."""

    def __init__(self, names: tuple[str, ...], expected: FloatArray, counts: FloatArray) -> None:
        """Measure what every kind of column has: chi-square and two effects."""
        self.names, self.expected, self.counts = names, expected, counts
        self.n = int(counts.sum())
        self.tests: dict[str, TestResult] = {}
        self.effects: dict[str, float] = {}
        if self.is_measured:
            self.tests["chi_square"] = _chi_square(expected, counts)
            self.effects["psi"] = stability_index(expected, counts)
            self.effects["jensen_shannon"] = jensen_shannon(expected, counts)

    @property
    def is_measured(self) -> bool:
        """Whether both sides have shots."""
        return self.n > 0 and float(self.expected.sum()) > 0

    def error(self, effect: Effect, limit: float) -> float:
        """Standard error of an effect that is about as large as its limit."""
        effective = _effective(max(self.n, 1), max(float(self.expected.sum()), 1.0))
        if effect == "jensen_shannon":
            cells = int((self.expected > 0).sum())
            return jensen_shannon_error(limit, cells, effective)
        if effect == "wasserstein":
            # In standard deviations of the reference, of which a mean of n values has 1 / sqrt(n).
            return float(1 / np.sqrt(effective))
        # A make rate is near a half, where its error is largest.
        rate = limit if effect == "unseen_share" else 0.5
        return float(np.sqrt(rate * (1 - rate) / effective))

    def cells(self) -> Cells:
        """The shares to plot, at most `MAX_CELLS` of them; the smallest are put together."""
        reference = self.expected / max(float(self.expected.sum()), 1.0)
        current = self.counts / max(self.n, 1)
        names = np.asarray(self.names, object)
        if len(names) > MAX_CELLS:
            order = np.argsort(-(reference + current), kind="stable")
            kept, rest = np.sort(order[: MAX_CELLS - 1]), order[MAX_CELLS - 1 :]
            names = np.append(names[kept], OTHER)
            reference = np.append(reference[kept], reference[rest].sum())
            current = np.append(current[kept], current[rest].sum())
        filled = (reference > 0) | (current > 0)
        return Cells(
            tuple(names[filled].tolist()),
            tuple(reference[filled].tolist()),
            tuple(current[filled].tolist()),
        )


def measure_numbers(sketch: NumericSketch, values: FloatArray) -> Measured:
    """A numeric column, `values` of shape (n,): what `Measured` has, and three more.

    The Z of the means, the Kolmogorov-Smirnov statistic (the largest gap between the two cumulative
    distributions, compared at the sketch's edges), and the Wasserstein distance.
    """
    edges = sketch.bin_edges()
    counts = np.bincount(bin_of(values, edges), minlength=len(edges) + 2).astype(np.float64)
    names = (*(f"up to {edge:g}" for edge in edges), "above", "missing")
    measured = Measured(names, sketch.bin_counts(), counts)
    finite = np.sort(values[np.isfinite(values)])
    if not (len(finite) and sketch.n):
        return measured
    measured.effects["wasserstein"] = wasserstein(
        sketch.quantiles(), quantiles_of(finite), sketch.std
    )
    error = float(np.sqrt(sketch.std**2 / sketch.n + finite.var() / len(finite)))
    z = (float(finite.mean()) - sketch.mean) / error if error else 0.0
    measured.tests["z"] = TestResult(z, normal_two_sided(z))
    # Both distributions are compared where the sketch knows its own exactly.
    at_edges = np.searchsorted(finite, np.asarray(sketch.edges), side="right") / len(finite)
    gap = float(np.abs(at_edges - np.cumsum(sketch.counts) / sketch.n).max())
    measured.tests["kolmogorov_smirnov"] = TestResult(
        gap, kolmogorov_smirnov(gap, _effective(len(finite), sketch.n))
    )
    return measured


def measure_categories(
    sketch: CategorySketch, values: pl.Series, *, is_population: bool
) -> Measured:
    """A categorical column: Z of the share that moved most; of a population, who is new."""
    categories = tuple(sketch.counts)
    # The last cell is for values that the reference never had.
    expected = np.append(np.fromiter(sketch.counts.values(), np.float64), 0.0)
    codes = category_codes(values, categories)
    counts = np.bincount(codes, minlength=len(expected)).astype(np.float64)
    measured = Measured((*categories, UNSEEN), expected, counts)
    if measured.is_measured:
        measured.tests["z"] = _largest_z(expected, counts)
        if is_population:
            measured.effects["unseen_share"] = float(counts[-1] / measured.n)
    return measured


def measure_label(sketch: CategorySketch, made: FloatArray) -> Measured:
    """The make rate: Z of two proportions and their difference; `made` is 0, 1 or NaN."""
    expected = np.array([sketch.counts["0"], sketch.counts["1"]], np.float64)
    counts = np.array(list(label_counts(made).values()), np.float64)
    measured = Measured(("missed", "made"), expected, counts)
    if measured.is_measured:
        measured.tests["z"] = _largest_z(expected, counts)
        rates = counts[1] / counts.sum(), expected[1] / expected.sum()
        measured.effects["rate_change"] = abs(float(rates[0] - rates[1]))
    return measured


def _effective(n_current: float, n_reference: float) -> float:
    """The size of one sample whose mean varies as much as the difference of the two means."""
    return 1 / (1 / n_current + 1 / n_reference)


def _chi_square(expected: FloatArray, counts: FloatArray) -> TestResult:
    """Pearson's test that both rows of counts come from one distribution; empty cells are out."""
    table = np.stack([expected, counts])[:, expected + counts > 0]
    homogeneous = table.sum(axis=1, keepdims=True) * (table.sum(axis=0) / table.sum())
    statistic = float(((table - homogeneous) ** 2 / homogeneous).sum())
    return TestResult(statistic, chi_square_upper(statistic, table.shape[1] - 1))


def _largest_z(expected: FloatArray, counts: FloatArray) -> TestResult:
    """Z of the share that moved most; its p-value is Bonferroni's, for all the shares.

    Of two shares the last is meant: they move by the same.
    """
    n_reference, n_current = expected.sum(), counts.sum()
    pooled = (expected + counts) / (n_reference + n_current)
    # A share of 0 or 1 in both has no spread, and must not be divided by.
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) / _effective(n_current, n_reference))
    z = (counts / n_current - expected / n_reference) / error
    shares = len(z) - 1
    largest = float(z[-1] if shares == 1 else z[np.argmax(np.abs(z))])
    return TestResult(largest, min(1.0, normal_two_sided(largest) * shares))
