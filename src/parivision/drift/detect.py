"""Judge current shots against a champion's reference: per column, then the labelled part.

Verdicts hang on the size of an effect. The limits (`columns`) are raised to what the reference's
own weeks show (`reference`) and by twice the effect's standard error at the current number of
shots, so that a small sample raises no alarm. The tests' p-values stand in the table only: at the
size of a week, a Kolmogorov-Smirnov test at 0.05 flags the player in nine weeks of ten.
"""

from typing import Final

import polars as pl
from numpy.typing import ArrayLike

from parivision.drift.columns import MONITORED, Effect, Monitored, monitored_values
from parivision.drift.measure import Measured, measure_categories, measure_label, measure_numbers
from parivision.drift.performance import judge_performance
from parivision.drift.reference import ColumnReference, DriftReference
from parivision.drift.sketch import NumericSketch
from parivision.drift.summary import SUMMARY_VERSION, ColumnDrift, DriftSummary, Verdict

MIN_SHOTS: Final = 2000
"""Fewer shots, a dozen games, are too much alike to say "quiet", ..."""
FEWEST_SHOTS: Final = 200
THIN_FACTOR: Final = 2.0
"""... but so many suffice for an alarm at an effect of so many thresholds, as a broken unit's."""
ALLOWANCE_Z: Final = 2.0
_EFFECT_WORDS: Final = {
    "jensen_shannon": "Jensen-Shannon",
    "wasserstein": "Wasserstein",
    "unseen_share": "share never seen",
    "rate_change": "change of make rate",
}


def detect(
    reference: DriftReference, current: pl.DataFrame, p_made: ArrayLike | None = None
) -> DriftSummary:
    """Compare current shots with the champion's training data.

    Where the outcomes are known (`made`, null where they are not yet) the labelled part is judged.
    With `p_made`, the champion's probabilities for the same shots row by row, the champion is too.
    Raises SchemaError when columns are missing and ModelError when the probabilities do not fit.
    """
    values = monitored_values(current, "current shots")
    references = {column.name: column for column in reference.columns}
    columns = tuple(
        _judge_column(column, references[column.name], values[column.name])
        for column in MONITORED
        if column.name in references
    )
    return DriftSummary(
        version=SUMMARY_VERSION,
        champion=reference.champion,
        n_reference=reference.n_shots,
        n_current=current.height,
        columns=columns,
        performance=judge_performance(
            values,
            p_made,
            rate=reference.make_rate,
            rates=reference.make_rates,
            reference=reference.performance,
            drifted=[column.name for column in columns if column.drifted],
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
        cells=measured.cells(),
    )


def _verdict(measured: Measured, thresholds: dict[Effect, float]) -> tuple[Verdict, str]:
    """The verdict and its reason: the effect that is the most of its threshold decides."""
    judged = [(e, measured.effects[e], t) for e, t in thresholds.items() if e in measured.effects]
    if measured.n and not judged:
        return "no data", "the reference has no values of this column"
    if measured.n < FEWEST_SHOTS:
        return "no data", f"{measured.n} shots, {MIN_SHOTS} are needed"
    # Effects have units of their own; as parts of their thresholds they can be compared.
    effect, value, threshold = max(judged, key=lambda item: item[1] / item[2])
    is_thin = measured.n < MIN_SHOTS
    # The shots of a dozen games are too much alike: they may raise an alarm, but are never quiet.
    drifted = value > threshold * (THIN_FACTOR if is_thin else 1.0)
    if is_thin and not drifted:
        return "no data", f"{measured.n} shots, {MIN_SHOTS} are needed"
    side = "above" if drifted else "within"
    text = f"{_EFFECT_WORDS[effect]} {value:.3f} {side} {threshold:.3f}"
    return ("drift" if drifted else "quiet"), text


def _measure(reference: ColumnReference, values: pl.Series) -> Measured:
    sketch = reference.sketch
    if isinstance(sketch, NumericSketch):
        return measure_numbers(sketch, values.to_numpy())
    if reference.kind == "label":
        return measure_label(sketch, values.to_numpy())
    return measure_categories(sketch, values, is_population=reference.kind == "population")
