"""The labelled part: does a shot still go in as often as the champion says, whatever its kind?

The features may look as ever while their meaning moves: between 2016 and 2018 scorers began to call
other shots "driving layup"; the column's stability index is 0.07 and a model trained before loses
0.09 of log loss. Only the shots' ends show it. Two things are measured on them: how much worse the
log loss is than the champion's own probabilities promise (that takes a change of the shots
themselves out of it), and its mean residual, overall and by segment. All are compared with what the
champion showed on its own later games.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from parivision.drift.columns import SEGMENT_COLUMNS
from parivision.drift.significance import chi_square_upper, normal_two_sided, normal_upper
from parivision.drift.sketch import FloatArray
from parivision.drift.summary import Performance, PerformanceCheck, Segment, TestResult
from parivision.errors import ModelError

MIN_LABELLED: Final = 1000
MIN_SEGMENT: Final = 100
EXCESS_LIMIT: Final = 0.010
RESIDUAL_LIMIT: Final = 0.015
SEGMENT_LIMIT: Final = 0.05
ALLOWANCE_Z: Final = 2.5
PARSIMONY: Final = 0.7
"""The make rate as a whole explains a finding if it accounts for that much of it."""
LABEL: Final = "made"
_P_EDGE: Final = 1e-6
_BLOCK_SHOTS: Final = 9000


@dataclass(frozen=True)
class Level:
    """What is normal: a mean, its standard error, and how much weeks differ beyond chance."""

    mean: float
    error: float
    between_weeks: float


@dataclass(frozen=True)
class SegmentLevel:
    """The champion's mean residual in a segment of its own later games, from `n` shots."""

    n: int
    residual: float


@dataclass(frozen=True)
class PerformanceReference:
    """How the champion did on labelled games after its training, before anything drifted."""

    n: int
    log_loss: float
    excess: Level
    residual: Level
    segments: dict[str, dict[str, SegmentLevel]]


@dataclass(frozen=True)
class _Labelled:
    """Shots whose end and probability are known: per shot, and the segments they belong to."""

    log_loss: FloatArray
    excess: FloatArray
    residual: FloatArray
    segments: pl.DataFrame

    @property
    def n(self) -> int:
        return len(self.residual)


def performance_reference(values: pl.DataFrame, p_made: ArrayLike) -> PerformanceReference | None:
    """The champion's level on labelled later games; None when fewer than `MIN_LABELLED`.

    `values` come from `monitored_values`; a shot without an end or a probability (NaN) is left out.
    """
    shots = _labelled(values, p_made)
    if shots.n < MIN_LABELLED:
        return None
    return PerformanceReference(
        n=shots.n,
        log_loss=float(shots.log_loss.mean()),
        excess=_level(shots.excess),
        residual=_level(shots.residual),
        segments={column: _segment_levels(shots, column) for column in SEGMENT_COLUMNS},
    )


def judge_performance(
    values: pl.DataFrame, p_made: ArrayLike | None, reference: PerformanceReference | None
) -> Performance:
    """Compare the champion's probabilities with how the current shots ended.

    "no data" without probabilities or with fewer than `MIN_LABELLED` labelled shots. Without a
    reference a calibrated champion is taken for granted.
    """
    if p_made is None:
        return _no_data(0, "no probabilities of the champion were given")
    shots = _labelled(values, p_made)
    if shots.n < MIN_LABELLED:
        return _no_data(shots.n, f"{shots.n} labelled shots, {MIN_LABELLED} are needed")
    groups = tuple(_Group.of(shots, column, reference) for column in SEGMENT_COLUMNS)
    overall = reference.residual if reference else Level(0.0, 0.0, 0.0)
    checks = (
        _log_loss_check(shots, reference),
        _residual_check(shots.residual, overall),
        *(group.check(shots.residual) for group in groups),
    )
    found = any(check.exceeded for check in checks)
    return Performance(
        n_labelled=shots.n,
        log_loss=float(shots.log_loss.mean()),
        reference_log_loss=reference.log_loss if reference else None,
        promised_log_loss=float((shots.log_loss - shots.excess).mean()),
        checks=checks,
        concept_columns=_attribute(shots.residual, overall, groups) if found else (),
        verdict="drift" if found else "quiet",
        reason="; ".join(check.reason for check in checks if check.exceeded) or "as usual",
    )


def _no_data(n: int, reason: str) -> Performance:
    return Performance(n, None, None, None, (), (), "no data", reason)


def _labelled(values: pl.DataFrame, p_made: ArrayLike) -> _Labelled:
    p = np.asarray(p_made, np.float64)
    if p.shape != (values.height,):
        raise ModelError(
            f"expected one probability a shot, {values.height}; an array of shape {p.shape} came"
        )
    if np.any((p < 0) | (p > 1)):
        raise ModelError(
            "expected probabilities between 0 and 1; pass p_made, not scores or logits"
        )
    made = values[LABEL].to_numpy()
    known = np.isfinite(made) & np.isfinite(p)
    made, p = made[known], np.clip(p[known], _P_EDGE, 1 - _P_EDGE)
    log_loss = -np.where(made == 1, np.log(p), np.log1p(-p))
    promised = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    segments = values.select(SEGMENT_COLUMNS).filter(pl.Series(known))
    return _Labelled(log_loss, log_loss - promised, made - p, segments)


def _level(values: FloatArray) -> Level:
    blocks = np.arange(len(values)) * max(len(values) // _BLOCK_SHOTS, 1) // len(values)
    sizes = np.bincount(blocks)
    error = float(values.std() / np.sqrt(len(values)))
    if len(sizes) < 3:
        return Level(float(values.mean()), error, 0.0)
    means = np.bincount(blocks, weights=values) / sizes
    beyond_chance = means.var(ddof=1) - values.var() * (1 / sizes).mean()
    return Level(float(values.mean()), error, float(np.sqrt(max(beyond_chance, 0.0))))


def _segment_levels(shots: _Labelled, column: str) -> dict[str, SegmentLevel]:
    table = (
        shots.segments.select(column)
        .with_columns(residual=pl.Series(shots.residual))
        .group_by(column)
        .agg(pl.len().alias("n"), pl.col("residual").mean())
        .filter(pl.col("n") >= MIN_SEGMENT)
        .sort(column)
    )
    return {value: SegmentLevel(n, residual) for value, n, residual in table.iter_rows()}


def _standard_error(values: FloatArray, usual: Level) -> float:
    chance = values.var() / len(values) + usual.error**2 + usual.between_weeks**2
    return float(np.sqrt(chance)) or 1.0


def _log_loss_check(shots: _Labelled, reference: PerformanceReference | None) -> PerformanceCheck:
    usual = reference.excess if reference else Level(0.0, 0.0, 0.0)
    error = _standard_error(shots.excess, usual)
    effect = float(shots.excess.mean()) - usual.mean
    current = float(shots.log_loss.mean())
    threshold = EXCESS_LIMIT + ALLOWANCE_Z * error
    return PerformanceCheck(
        name="log_loss",
        column=LABEL,
        current=current,
        usual=current - effect,
        effect=effect,
        threshold=threshold,
        test=TestResult(effect / error, normal_upper(effect / error)),
        exceeded=effect > threshold,
        reason=f"log loss {current:.4f}, {effect:+.4f} against what the champion promises and "
        f"usually keeps for these shots (up to {threshold:+.4f} is normal)",
    )


def _residual_check(residual: FloatArray, usual: Level) -> PerformanceCheck:
    error = _standard_error(residual, usual)
    current = float(residual.mean())
    effect = abs(current - usual.mean)
    threshold = RESIDUAL_LIMIT + ALLOWANCE_Z * error
    z = (current - usual.mean) / error
    return PerformanceCheck(
        name="calibration",
        column=LABEL,
        current=current,
        usual=usual.mean,
        effect=effect,
        threshold=threshold,
        test=TestResult(z, normal_two_sided(z)),
        exceeded=effect > threshold,
        reason=f"shots go in {current:+.3f} more often than the champion says, usually "
        f"{usual.mean:+.3f} (a difference of {threshold:.3f} is normal)",
    )


@dataclass(frozen=True)
class _Group:
    """The shots by one column's values: a code a shot (-1: segment too small) and what is usual."""

    column: str
    names: tuple[str, ...]
    codes: NDArray[np.int64]
    sizes: FloatArray
    usual: FloatArray
    usual_n: FloatArray

    @classmethod
    def of(cls, shots: _Labelled, column: str, reference: PerformanceReference | None) -> "_Group":
        counted = shots.segments[column].value_counts(name="n").filter(pl.col("n") >= MIN_SEGMENT)
        table = counted.sort("n", column, descending=[True, False])
        names = tuple(table[column].to_list())
        places = {name: place for place, name in enumerate(names)}
        codes = shots.segments[column].replace_strict(places, default=-1, return_dtype=pl.Int64)
        known = reference.segments.get(column, {}) if reference else {}
        levels = [known.get(name, SegmentLevel(0, 0.0)) for name in names]
        return cls(
            column=column,
            names=names,
            codes=codes.to_numpy(),
            sizes=table["n"].to_numpy().astype(np.float64),
            usual=np.array([level.residual for level in levels]),
            usual_n=np.array([level.n or np.inf for level in levels], np.float64),
        )

    def deviations(self, residual: FloatArray) -> FloatArray:
        """Each segment's mean residual beyond its usual one."""
        inside = self.codes >= 0
        sums = np.bincount(self.codes[inside], weights=residual[inside], minlength=len(self.names))
        return sums / self.sizes - self.usual

    def explained(self, residual: FloatArray) -> FloatArray:
        """The residual that the segments' deviations account for, shot by shot."""
        explained: FloatArray = np.append(self.deviations(residual), 0.0)[self.codes]
        return explained

    def variances(self, residual: FloatArray) -> FloatArray:
        """Sampling variance of each deviation."""
        return residual.var() * (1 / self.sizes + 1 / self.usual_n)

    def size(self, residual: FloatArray) -> tuple[float, float]:
        """Root mean square of the deviations over the shots, freed of chance, and its threshold."""
        weights = self.sizes / len(residual)
        deviations, variances = self.deviations(residual), self.variances(residual)
        square = float(np.sum(weights * (deviations**2 - variances)))
        noise = weights * variances
        spread = 2 * np.sum(noise**2) + 4 * SEGMENT_LIMIT**2 * noise.max(initial=0.0)
        allowance = ALLOWANCE_Z * float(np.sqrt(spread)) / (2 * SEGMENT_LIMIT)
        return float(np.sqrt(max(square, 0.0))), SEGMENT_LIMIT + allowance

    def check(self, residual: FloatArray) -> PerformanceCheck:
        """The calibration by this column, with its segments, the worst one named."""
        effect, threshold = self.size(residual)
        deviations = self.deviations(residual)
        z = deviations / np.sqrt(self.variances(residual))
        chi2 = float(np.sum(z**2))
        segments = tuple(
            Segment(
                value=name,
                n=int(self.sizes[i]),
                residual=float(deviations[i] + self.usual[i]),
                usual_residual=float(self.usual[i]),
                z=float(z[i]),
                p_adjusted=min(1.0, normal_two_sided(float(z[i])) * len(self.names)),
            )
            for i, name in enumerate(self.names)
        )
        worst = max(
            segments, key=lambda s: s.n * (s.residual - s.usual_residual) ** 2, default=None
        )
        return PerformanceCheck(
            name=f"calibration by {self.column}",
            column=self.column,
            current=effect,
            usual=0.0,
            effect=effect,
            threshold=threshold,
            test=TestResult(chi2, chi_square_upper(chi2, len(segments))),
            exceeded=effect > threshold,
            reason=f"by {self.column} the probabilities are {effect:.3f} off what is usual "
            f"({threshold:.3f} is normal), most in {_segment_text(worst)}",
            segments=segments,
        )


def _segment_text(segment: Segment | None) -> str:
    if segment is None:
        return "no segment"
    return (
        f"{segment.value!r} ({segment.residual - segment.usual_residual:+.3f}, {segment.n} shots)"
    )


def _attribute(residual: FloatArray, usual: Level, groups: tuple[_Group, ...]) -> tuple[str, ...]:
    """The fewest columns that account for what was found, the most telling first.

    The strongest finding is explained away, then the rest is judged again; so a change in the
    meaning of the action types does not name the zones in which those shots are taken.
    """
    found: list[str] = []
    left = residual
    while True:
        sizes = {g.column: g.size(left) for g in groups if g.column not in found}
        exceeded = {name: size for name, (size, threshold) in sizes.items() if size > threshold}
        strongest = max(exceeded, key=lambda name: exceeded[name], default=None)
        overall = _residual_check(left, usual)
        most = exceeded[strongest] if strongest else 0.0
        if LABEL not in found and overall.exceeded and overall.effect**2 >= PARSIMONY * most**2:
            found.append(LABEL)
            left = left - (overall.current - overall.usual)
        elif strongest:
            found.append(strongest)
            left = left - next(g for g in groups if g.column == strongest).explained(left)
        else:
            return tuple(found) or (LABEL,)
