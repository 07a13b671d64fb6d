"""Judge current shots against a champion's reference: per column, then the labelled part.

Verdicts hang on the size of an effect. The limits (`columns`) are raised to what the reference's
own weeks show (`reference`) and by twice the effect's standard error at the current number of
shots, so that a thin sample does not cry. The tests' p-values stand in the table: at the size of a
week, a Kolmogorov-Smirnov test at 0.05 flags the player in nine weeks of ten.
"""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from parivision.drift.columns import MONITORED, Effect, Monitored, monitored_values
from parivision.drift.performance import judge_performance
from parivision.drift.reference import (
    ColumnReference,
    DriftReference,
    category_codes,
    label_counts,
)
from parivision.drift.significance import (
    chi_square_upper,
    kolmogorov_smirnov,
    normal_two_sided,
)
from parivision.drift.sketch import (
    CategorySketch,
    FloatArray,
    NumericSketch,
    bin_of,
    jensen_shannon,
    jensen_shannon_error,
    quantiles_of,
    stability_index,
    wasserstein,
)
from parivision.drift.summary import (
    SUMMARY_VERSION,
    ColumnDrift,
    DriftSummary,
    TestResult,
    Verdict,
)

MIN_SHOTS: Final = 1000
"""With fewer shots nothing is judged: the answer is "no data"."""
ALLOWANCE_Z: Final = 2.0
_EFFECT_WORDS: Final = {
    "jensen_shannon": "Jensen-Shannon distance",
    "wasserstein": "Wasserstein distance in standard deviations",
    "unseen_share": "share never seen in training",
    "rate_change": "change of the make rate",
}


def detect(
    reference: DriftReference, current: pl.DataFrame, p_made: ArrayLike | None = None
) -> DriftSummary:
    """Compare current shots with the champion's training data.

    Where the shots' ends are known (`made`, null where they are not yet) the labelled part is
    judged; with `p_made`, the champion's probabilities for the same shots row by row, the champion
    is too. Raises
    SchemaError when columns are missing and ModelError when the probabilities do not fit.
    """
    values = monitored_values(current, "current shots")
    known = {column.name: column for column in reference.columns}
    return DriftSummary(
        version=SUMMARY_VERSION,
        champion=reference.champion,
        n_reference=reference.n_shots,
        n_current=current.height,
        columns=tuple(
            _judge_column(column, known[column.name], values[column.name])
            for column in MONITORED
            if column.name in known
        ),
        performance=judge_performance(
            values,
            p_made,
            rate=reference.make_rate,
            rates=reference.make_rates,
            reference=reference.performance,
        ),
    )


def _judge_column(column: Monitored, reference: ColumnReference, values: pl.Series) -> ColumnDrift:
    measured = _measure(reference, values)
    usual = {effect: reference.limit(effect, floor) for effect, floor in column.limits}
    thresholds = {
        effect: limit + ALLOWANCE_Z * measured.error(effect, limit)
        for effect, limit in usual.items()
    }
    verdict, reason = _verdict(measured, thresholds)
    return ColumnDrift(
        name=column.name,
        kind=column.kind,
        n_current=measured.n,
        tests=measured.tests,
        effects=measured.effects,
        usual=usual,
        thresholds=thresholds,
        verdict=verdict,
        reason=reason,
    )


class _Measured:
    """Tests and effects of one column, and the errors of the judged effects."""

    def __init__(
        self, reference_counts: FloatArray, current_counts: FloatArray, base_rate: float = 0.5
    ) -> None:
        self.n = int(current_counts.sum())
        n_reference = float(reference_counts.sum())
        self.effective = 1 / (1 / max(self.n, 1) + 1 / max(n_reference, 1.0))
        self.cells = int((reference_counts > 0).sum())
        self.base_rate = base_rate
        self.tests: dict[str, TestResult] = {}
        self.effects: dict[str, float] = {}
        if self.n and n_reference:
            self.effects["psi"] = stability_index(reference_counts, current_counts)
            self.effects["jensen_shannon"] = jensen_shannon(reference_counts, current_counts)

    def error(self, effect: Effect, limit: float) -> float:
        """Standard error of an effect that is about as large as its limit."""
        if effect == "jensen_shannon":
            return jensen_shannon_error(limit, self.cells, self.effective)
        if effect == "wasserstein":
            return float(1 / np.sqrt(self.effective))
        rate = limit if effect == "unseen_share" else self.base_rate
        return float(np.sqrt(max(rate * (1 - rate), 1e-4) / self.effective))


def _verdict(measured: _Measured, thresholds: dict[Effect, float]) -> tuple[Verdict, str]:
    if measured.n < MIN_SHOTS:
        return "no data", f"{measured.n} shots, {MIN_SHOTS} are needed"
    judged = [(e, measured.effects[e], t) for e, t in thresholds.items() if e in measured.effects]
    if not judged:
        return "no data", "the reference has no values of this column"
    effect, value, threshold = max(judged, key=lambda item: item[1] / item[2])
    side = "above" if value > threshold else "within"
    text = f"{_EFFECT_WORDS[effect]} {value:.3f}, {side} {threshold:.3f}"
    return ("drift" if value > threshold else "quiet"), text


def _measure(reference: ColumnReference, values: pl.Series) -> _Measured:
    sketch = reference.sketch
    if isinstance(sketch, NumericSketch):
        return _measure_numbers(sketch, values.to_numpy())
    if reference.kind == "label":
        return _measure_label(sketch, values.to_numpy())
    return _measure_categories(sketch, values, is_population=reference.kind == "population")


def _measure_numbers(sketch: NumericSketch, values: FloatArray) -> _Measured:
    edges = sketch.bin_edges()
    counts = np.bincount(bin_of(values, edges), minlength=len(edges) + 2).astype(np.float64)
    measured = _Measured(sketch.bin_counts(), counts)
    known = np.sort(values[np.isfinite(values)])
    if not (len(known) and sketch.n):
        return measured
    measured.effects["wasserstein"] = wasserstein(
        sketch.quantiles(), quantiles_of(known), sketch.std
    )
    measured.tests["z"] = _mean_test(sketch, known)
    at_edges = np.searchsorted(known, np.asarray(sketch.edges), side="right") / len(known)
    gap = float(np.abs(at_edges - np.cumsum(sketch.counts) / sketch.n).max())
    effective = 1 / (1 / len(known) + 1 / sketch.n)
    measured.tests["kolmogorov_smirnov"] = TestResult(gap, kolmogorov_smirnov(gap, effective))
    return measured


def _measure_categories(
    sketch: CategorySketch, values: pl.Series, *, is_population: bool
) -> _Measured:
    codes: NDArray[np.int64] = category_codes(values, tuple(sketch.counts))
    expected = np.append(np.fromiter(sketch.counts.values(), np.float64), 0.0)
    counts = np.bincount(codes, minlength=len(expected)).astype(np.float64)
    measured = _Measured(expected, counts)
    if measured.n:
        _table_tests(measured, expected, counts)
        if is_population:
            measured.effects["unseen_share"] = float(counts[-1] / measured.n)
    return measured


def _measure_label(sketch: CategorySketch, made: FloatArray) -> _Measured:
    expected = np.array([sketch.counts["0"], sketch.counts["1"]], np.float64)
    counts = np.array(list(label_counts(made).values()), np.float64)
    rate = float(expected[1] / max(expected.sum(), 1.0))
    measured = _Measured(expected, counts, rate)
    if measured.n and sketch.n:
        _table_tests(measured, expected, counts)
        measured.effects["rate_change"] = abs(float(counts[1] / counts.sum()) - rate)
    return measured


def _table_tests(measured: _Measured, expected: FloatArray, counts: FloatArray) -> None:
    """Chi-square of the two rows of counts, and Z of the share that moved most, Bonferroni."""
    table = np.stack([expected, counts])[:, expected + counts > 0]
    rows, pooled = table.sum(axis=1, keepdims=True), table.sum(axis=0) / table.sum()
    chi2 = float(((table - rows * pooled) ** 2 / (rows * pooled)).sum())
    measured.tests["chi_square"] = TestResult(chi2, chi_square_upper(chi2, table.shape[1] - 1))
    change = table[1] / rows[1] - table[0] / rows[0]
    error = np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * (1 / rows).sum())
    z = change / error
    largest = float(z[np.argmax(np.abs(z))])
    p_value = normal_two_sided(largest) * (1 if len(z) == 2 else len(z))
    measured.tests["z"] = TestResult(largest, min(1.0, p_value))


def _mean_test(sketch: NumericSketch, values: FloatArray) -> TestResult:
    error = float(np.sqrt(sketch.std**2 / sketch.n + values.var() / len(values)))
    z = (float(values.mean()) - sketch.mean) / error if error else 0.0
    return TestResult(z, normal_two_sided(z))
