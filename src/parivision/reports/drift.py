"""The drift report as files: the summary as JSON and page, and Evidently's reports beside them.

Evidently draws each column in detail and the champion's performance now against its own later
games. It sees a bounded, seeded sample; the verdicts are those of the summary, which saw all.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from parivision import durable
from parivision.drift.columns import monitored_values
from parivision.drift.summary import DriftSummary
from parivision.errors import DataError, ModelError
from parivision.reports.drift_page import summary_page

if TYPE_CHECKING:
    import pandas as pd

MAX_ROWS: Final = 20_000
MIN_SCORED: Final = 100
NUMBERS: Final = ("x_ft", "y_ft", "distance_ft", "clock_s")
CATEGORIES: Final = ("zone", "shot_value", "action_type")
MAX_CATEGORIES: Final = 20
OTHER: Final = "other"
TASK: Final = "made"

SUMMARY_JSON: Final = "drift_summary.json"
SUMMARY_HTML: Final = "drift_summary.html"
EVIDENTLY_DRIFT: Final = "evidently_drift.html"
EVIDENTLY_PERFORMANCE: Final = "evidently_performance.html"
EVIDENTLY_JSON: Final = "evidently_drift.json"


@dataclass(frozen=True)
class Scored:
    """Labelled shots and the champion's probabilities for them, row by row."""

    shots: pl.DataFrame
    p_made: ArrayLike


@dataclass(frozen=True)
class DriftFiles:
    """What was written; `evidently_performance` is None where it could not be judged."""

    summary_json: Path
    summary_html: Path
    evidently_drift: Path
    evidently_json: Path
    evidently_performance: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, to be archived with a run."""
        written = (
            self.summary_json,
            self.summary_html,
            self.evidently_drift,
            self.evidently_json,
            self.evidently_performance,
        )
        return tuple(path for path in written if path is not None)


def sample(shots: pl.DataFrame, seed: int, rows: int = MAX_ROWS) -> pl.DataFrame:
    """At most `rows` shots by chance, in their order: what is kept of training for the report."""
    if shots.height <= rows:
        return shots
    drawn = np.random.default_rng(seed).choice(shots.height, rows, replace=False)
    return shots[np.sort(drawn)]


def write(
    reference_sample: pl.DataFrame,
    current: pl.DataFrame,
    summary: DriftSummary,
    out_dir: Path,
    *,
    later: Scored | None = None,
    p_current: ArrayLike | None = None,
    seed: int = 0,
) -> DriftFiles:
    """Write all of the report into `out_dir`; files of an earlier report are replaced.

    `reference_sample` are training shots (see `sample`). `later` (the champion's later games) and
    `p_current` are needed for the performance report; it is left out when a side has fewer than
    `MIN_SCORED` labelled shots or only makes or only misses. A number that is missing in all shots
    of a side is left out of Evidently's reports. DataError when a side has no shots.
    """
    if reference_sample.is_empty() or current.is_empty():
        raise DataError(
            f"expected shots to compare, got {reference_sample.height} of the training data and "
            f"{current.height} current ones. Give games of both."
        )
    out_dir.mkdir(parents=True, exist_ok=True)
    summary_json = _replace(out_dir / SUMMARY_JSON, summary.to_json())
    summary_html = _replace(out_dir / SUMMARY_HTML, summary_page(summary))
    reference, now = _frame(reference_sample, seed), _frame(current, seed)
    _pool_rare_categories(reference, now)
    with _quiet_third_parties():
        numbers = [name for name in NUMBERS if _is_known(name, reference, now)]
        drift = _run(_drift_metrics(summary, numbers), reference, now, is_scored=False)
        html, table = drift.get_html_str(as_iframe=False), json.loads(drift.json())
    evidently_drift = _replace(out_dir / EVIDENTLY_DRIFT, html)
    # Evidently itself writes a bare NaN where a test or a correlation is not defined.
    evidently_json = durable.put_json(out_dir / EVIDENTLY_JSON, table)
    performance = None
    if later is not None and p_current is not None:
        sides = _scored(later, seed), _scored(Scored(current, p_current), seed)
        if all(_can_be_scored(side) for side in sides):
            performance = _write_performance(out_dir / EVIDENTLY_PERFORMANCE, *sides)
    if performance is None:
        (out_dir / EVIDENTLY_PERFORMANCE).unlink(missing_ok=True)
    return DriftFiles(summary_json, summary_html, evidently_drift, evidently_json, performance)


def _write_performance(path: Path, later: "pd.DataFrame", now: "pd.DataFrame") -> Path:
    with _quiet_third_parties():
        from evidently.presets import ClassificationPreset

        metrics = [ClassificationPreset(classification_name=TASK)]
        html = _run(metrics, later, now, is_scored=True).get_html_str(as_iframe=False)
    return _replace(path, html)


def _frame(shots: pl.DataFrame, seed: int) -> "pd.DataFrame":
    values = monitored_values(sample(shots, seed), "drift report")
    return values.select(*NUMBERS, *CATEGORIES).to_pandas()


def _scored(scored: Scored, seed: int) -> "pd.DataFrame":
    p = np.asarray(scored.p_made, np.float64)
    if p.shape != (scored.shots.height,):
        raise ModelError(
            f"expected one probability a shot, {scored.shots.height}; "
            f"an array of shape {p.shape} came"
        )
    values = monitored_values(scored.shots, "performance report").select(
        *NUMBERS, *CATEGORIES, TASK, pl.Series("p_made", p)
    )
    labelled = values.filter(pl.col(TASK).is_finite() & pl.col("p_made").is_finite())
    return sample(labelled, seed).with_columns(pl.col(TASK).cast(pl.Int64)).to_pandas()


def _can_be_scored(frame: "pd.DataFrame") -> bool:
    return len(frame) >= MIN_SCORED and frame[TASK].nunique() == 2


def _pool_rare_categories(reference: "pd.DataFrame", now: "pd.DataFrame") -> None:
    """In both frames, put all but the reference's `MAX_CATEGORIES` commonest under `OTHER`."""
    for column in CATEGORIES:
        # By the reference's counts in both, so that the same categories are compared.
        common = reference[column].value_counts().index[:MAX_CATEGORIES]
        for frame in (reference, now):
            frame[column] = frame[column].where(frame[column].isin(common), OTHER)


def _is_known(name: str, *frames: "pd.DataFrame") -> bool:
    return all(frame[name].notna().any() for frame in frames)


def _drift_metrics(summary: DriftSummary, numbers: Sequence[str]) -> list[Any]:
    from evidently.metrics import ValueDrift
    from evidently.presets import DataDriftPreset

    methods = {
        **dict.fromkeys(numbers, "wasserstein"),
        **dict.fromkeys(CATEGORIES, "jensenshannon"),
    }
    preset = DataDriftPreset(
        columns=list(methods),
        per_column_method=methods,
        per_column_threshold=_evidently_thresholds(summary),
        # One column that drifts is enough, as in the summary.
        drift_share=1 / len(methods),
        include_tests=False,
    )
    of_numbers = [(c, m) for c in numbers for m in ("ks", "psi", "jensenshannon")]
    of_categories = [(c, m) for c in CATEGORIES for m in ("chisquare", "psi")]
    # Evidently's Z compares two shares, so it takes a column of two values.
    pairs = [*of_numbers, *of_categories, ("shot_value", "z")]
    return [preset, *(ValueDrift(column=column, method=method) for column, method in pairs)]


def _evidently_thresholds(summary: DriftSummary) -> dict[str, float]:
    """The summary's own thresholds in Evidently's units: its Jensen-Shannon distance is in nats."""
    # A divergence in nats is ln 2 times that in bits, and the distance is its root.
    in_nats = float(np.sqrt(np.log(2.0)))
    thresholds: dict[str, float] = {}
    for column in summary.columns:
        if column.name in NUMBERS:
            thresholds[column.name] = column.thresholds["wasserstein"]
        elif column.name in CATEGORIES:
            thresholds[column.name] = column.thresholds["jensen_shannon"] * in_nats
    return thresholds


def _run(
    metrics: list[Any], reference: "pd.DataFrame", now: "pd.DataFrame", *, is_scored: bool
) -> Any:
    from evidently import BinaryClassification, DataDefinition, Dataset, Report

    task = BinaryClassification(
        name=TASK, target=TASK, prediction_probas="p_made", prediction_labels=None, pos_label=1
    )
    definition = DataDefinition(
        numerical_columns=list(NUMBERS),
        categorical_columns=list(CATEGORIES),
        classification=[task] if is_scored else None,
    )
    # Evidently takes the current data first.
    sides = [Dataset.from_pandas(f, data_definition=definition) for f in (now, reference)]
    return Report(metrics).run(*sides)


@contextmanager
def _quiet_third_parties() -> Iterator[None]:
    """Silence warnings that Evidently 0.7.23 and the web framework that it imports cause.

    They use deprecated names. Evidently also divides by a spread that a single shot does not have,
    and scores models that call no shot a make: where that gives no number, its report shows none.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)
        for category in (DeprecationWarning, SyntaxWarning):
            warnings.filterwarnings(
                "ignore", category=category, module=r".*\b(evidently|litestar)\b"
            )
        yield


def _replace(path: Path, text: str) -> Path:
    half = path.with_name(f".{path.name}.part")
    half.write_text(text, encoding="utf-8")
    return half.replace(path)
