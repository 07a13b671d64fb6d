"""Shots by the values of one column: a mean for each, against what is usual for it."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from parivision.drift.significance import chi_square_upper, normal_two_sided
from parivision.drift.sketch import FloatArray
from parivision.drift.summary import DriftSegment, PerformanceCheck, TestResult

MIN_SEGMENT: Final = 100
SEGMENT_LIMIT: Final = 0.05
ALLOWANCE_Z: Final = 2.5


@dataclass(frozen=True)
class SegmentLevel:
    """What is usual in a segment: a mean, from `n` shots."""

    n: int
    mean: float


Levels = dict[str, dict[str, SegmentLevel]]
"""Column to value to level."""


def segment_levels(segments: pl.DataFrame, values: FloatArray) -> Levels:
    """The mean of `values`, one a shot, in each segment of at least `MIN_SEGMENT` shots."""
    table = segments.with_columns(pl.Series("_value", values))
    return {column: _levels(table, column) for column in segments.columns}


def _levels(table: pl.DataFrame, column: str) -> dict[str, SegmentLevel]:
    means = (
        table.group_by(column)
        .agg(pl.len().alias("n"), pl.col("_value").mean())
        .filter(pl.col("n") >= MIN_SEGMENT)
        .sort(column)
    )
    return {value: SegmentLevel(n, mean) for value, n, mean in means.iter_rows()}


@dataclass(frozen=True)
class SegmentedColumn:
    """One column's segments: a code a shot (-1: not in a judged segment), sizes, usual means."""

    column: str
    names: tuple[str, ...]
    codes: NDArray[np.int64]
    sizes: FloatArray
    usual: FloatArray
    usual_n: FloatArray

    @classmethod
    def of(
        cls, values: pl.Series, levels: dict[str, SegmentLevel], default: float | None = None
    ) -> Self:
        """Segments of at least `MIN_SEGMENT` shots.

        A value without a level takes `default` for usual; with None it is left out.
        """
        counted = values.value_counts(name="n").filter(pl.col("n") >= MIN_SEGMENT)
        if default is None:
            # A new action type has no usual make rate; that it is new shows in the column itself.
            counted = counted.filter(pl.col(values.name).is_in(list(levels)))
        table = counted.sort("n", values.name, descending=[True, False])
        names = tuple(table[values.name].to_list())
        codes = {name: code for code, name in enumerate(names)}
        usual = [levels.get(name, SegmentLevel(0, default or 0.0)) for name in names]
        return cls(
            column=values.name,
            names=names,
            codes=values.replace_strict(codes, default=-1, return_dtype=pl.Int64).to_numpy(),
            sizes=table["n"].to_numpy().astype(np.float64),
            usual=np.array([level.mean for level in usual], np.float64),
            # A mean that is taken for granted has no error, as one of infinitely many shots.
            usual_n=np.array([level.n or np.inf for level in usual], np.float64),
        )

    def deviations(self, values: FloatArray) -> FloatArray:
        """Each segment's mean minus its usual one; `values` has one entry a shot."""
        inside = self.codes >= 0
        sums = np.bincount(self.codes[inside], weights=values[inside], minlength=len(self.names))
        return np.asarray(sums / self.sizes - self.usual, np.float64)

    def size(
        self, values: FloatArray, limit: float = SEGMENT_LIMIT, z: float = ALLOWANCE_Z
    ) -> tuple[float, float]:
        """Root mean square of the deviations over the shots, less chance, and its threshold.

        Chance alone makes each squared deviation as large as its variance, so that is subtracted.
        The threshold is `limit` plus `z` standard errors of a size as large: those of its square,
        by the noncentral chi-square that squared normal deviations follow, over the slope 2 limit
        of the square (the delta method).
        """
        deviations, variances = self.deviations(values), self._variances(values)
        weights = self.sizes / len(values)
        square = float(np.sum(weights * (deviations**2 - variances)))
        noise = weights * variances
        spread = 2 * np.sum(noise**2) + 4 * limit**2 * noise.max(initial=0.0)
        return float(np.sqrt(max(square, 0.0))), limit + z * float(np.sqrt(spread)) / (2 * limit)

    def check(self, name: str, values: FloatArray) -> PerformanceCheck:
        """The column's deviations as one check called `name by COLUMN`, the worst segment named."""
        effect, threshold = self.size(values)
        segments = self._segments(values)
        # By its part of the effect: a small segment may be far off and matter little.
        worst = max(segments, key=lambda s: s.n * (s.mean - s.usual) ** 2, default=None)
        chi2 = float(sum(segment.z**2 for segment in segments))
        most = f", most in {_text(worst)}" if worst else ""
        return PerformanceCheck(
            name=f"{name} by {self.column}",
            column=self.column,
            current=effect,
            usual=0.0,
            effect=effect,
            threshold=threshold,
            test=TestResult(chi2, chi_square_upper(chi2, len(segments))),
            exceeded=effect > threshold,
            reason=f"{effect:.3f} off what is usual ({threshold:.3f} is normal){most}",
            segments=segments,
        )

    def _variances(self, values: FloatArray) -> FloatArray:
        # The mean now and the usual mean are both estimates.
        return np.asarray(values.var() * (1 / self.sizes + 1 / self.usual_n), np.float64)

    def _segments(self, values: FloatArray) -> tuple[DriftSegment, ...]:
        deviations = self.deviations(values)
        z = deviations / np.sqrt(np.maximum(self._variances(values), 1e-12))
        return tuple(
            DriftSegment(
                value=name,
                n=int(self.sizes[i]),
                mean=float(deviations[i] + self.usual[i]),
                usual=float(self.usual[i]),
                z=float(z[i]),
                p_adjusted=min(1.0, normal_two_sided(float(z[i])) * len(self.names)),
            )
            for i, name in enumerate(self.names)
        )


def _text(segment: DriftSegment) -> str:
    return f"{segment.value!r} ({segment.mean - segment.usual:+.3f}, {segment.n} shots)"
