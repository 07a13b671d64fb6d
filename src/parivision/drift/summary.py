"""The machine-readable result of drift detection: what alerts, retraining and reports read."""

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from parivision import strict_json
from parivision.drift.columns import Effect, Kind
from parivision.errors import SchemaError

SUMMARY_VERSION: Final = 1

Verdict = Literal["drift", "quiet", "no data"]
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may not be defined: NaN here, null in JSON."""


@dataclass(frozen=True)
class TestResult:
    """A significance test, for the table only: no verdict hangs on it."""

    __test__ = False  # not a pytest class

    statistic: Number
    p_value: Number


@dataclass(frozen=True)
class Cells:
    """Shares of the shots in the cells of a column, in the reference and now; to be plotted.

    Cells of a numeric column are the reference's bins of about equal mass, named by their upper
    edges.
    """

    names: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class ColumnDrift:
    """One watched column: its tests, its effects, the thresholds that decide, the answer and why.

    `thresholds` holds the judged effects only; they grow as the current sample shrinks. `usual` is
    the same without that allowance: what the column may do in the long run.
    """

    name: str
    kind: Kind
    n_current: int
    tests: dict[str, TestResult]
    effects: dict[str, float]
    usual: dict[Effect, float]
    thresholds: dict[Effect, float]
    verdict: Verdict
    reason: str
    cells: Cells

    @property
    def drifted(self) -> bool:
        """Whether the column's distribution moved further than it may."""
        return self.verdict == "drift"

    @property
    def severity(self) -> float:
        """The largest judged effect in thresholds: above 1 it drifted, a broken unit is near 5."""
        judged = [self.effects[e] / t for e, t in self.thresholds.items() if e in self.effects]
        return max(judged, default=0.0)


@dataclass(frozen=True)
class DriftSegment:
    """One part of the shots: its make rate or mean residual (made minus probability), as checked.

    `p_adjusted` is Bonferroni's, for the number of segments.
    """

    value: str
    n: int
    mean: float
    usual: float
    z: float
    p_adjusted: float


@dataclass(frozen=True)
class PerformanceCheck:
    """One comparison of outcomes with the training data or with the champion's probabilities.

    `effect` is what is compared with `threshold`; `column` is the one whose meaning is watched,
    "made" for all shots together.
    """

    name: str
    column: str
    current: float
    usual: float
    effect: float
    threshold: float
    test: TestResult
    exceeded: bool
    reason: str
    segments: tuple[DriftSegment, ...] = ()


@dataclass(frozen=True)
class Performance:
    """The labelled part: does a shot still go in as often as it did, and as the champion says?

    `promised_log_loss` is what the champion's probabilities, were they right, would give for these
    shots; `reference_log_loss` is what it had on its own later games. `concept_columns` are those
    given which the make rate moved, once a check is exceeded; "made" stands for shots of every
    kind. When it is empty then, the champion errs because its input moved.
    """

    n_labelled: int
    n_scored: int
    log_loss: float | None
    promised_log_loss: float | None
    reference_log_loss: float | None
    checks: tuple[PerformanceCheck, ...]
    concept_columns: tuple[str, ...]
    verdict: Verdict
    reason: str


@dataclass(frozen=True)
class DriftSummary:
    """How the current shots differ from the champion's reference."""

    version: int
    champion: str
    n_reference: int
    n_current: int
    columns: tuple[ColumnDrift, ...]
    performance: Performance

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """The columns whose distribution moved, in the order they are watched."""
        return tuple(column.name for column in self.columns if column.drifted)

    @property
    def data_drift(self) -> bool:
        """Whether any watched column moved."""
        return bool(self.drifted_columns)

    @property
    def concept_drift(self) -> bool:
        """Whether the shots ended otherwise than the champion's probabilities say."""
        return self.performance.verdict == "drift"

    @property
    def verdict(self) -> Verdict:
        """The whole answer; "no data" when there were too few shots to judge anything."""
        if self.data_drift or self.concept_drift:
            return "drift"
        return "quiet" if any(c.verdict == "quiet" for c in self.columns) else "no data"

    @property
    def reasons(self) -> tuple[str, ...]:
        """A line for each column that drifted and each check that was exceeded."""
        columns = [f"{column.name}: {column.reason}" for column in self.columns if column.drifted]
        checks = [f"{c.name}: {c.reason}" for c in self.performance.checks if c.exceeded]
        return tuple(columns + checks)

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON: the verdicts first, then the tables they come from."""
        table: dict[str, object] = _adapter().dump_python(self, mode="json")
        table["columns"] = [
            {**_column_adapter().dump_python(column, mode="json"), "drifted": column.drifted}
            for column in self.columns
        ]
        answers: dict[str, object] = {
            "verdict": self.verdict,
            "data_drift": self.data_drift,
            "drifted_columns": list(self.drifted_columns),
            "concept_drift": self.concept_drift,
            "concept_columns": list(self.performance.concept_columns),
            "reasons": list(self.reasons),
        }
        return answers | table

    def to_json(self) -> str:
        """The same as text; `from_json` reads it back."""
        return strict_json.text(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote; SchemaError when it is something else."""
        try:
            return _adapter().validate_json(text)  # type: ignore[return-value]
        except ValidationError as error:
            raise SchemaError(f"not a drift summary: {error}") from error

    def save(self, path: Path) -> None:
        """Write the summary as JSON."""
        path.write_text(self.to_json(), encoding="utf-8")


@cache
def _adapter() -> TypeAdapter[DriftSummary]:
    return TypeAdapter(DriftSummary)


@cache
def _column_adapter() -> TypeAdapter[ColumnDrift]:
    return TypeAdapter(ColumnDrift)
