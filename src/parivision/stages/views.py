"""What the Pipelines UI shows of a stage: Markdown tables, and points of a ROC curve."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from parivision.reports import numbers
from parivision.scoring.labels import LABELS, SHOWN
from parivision.shots.facts import Floats

if TYPE_CHECKING:
    from parivision.promotion.decision import Decision
    from parivision.promotion.holdout import Judgement
    from parivision.scoring.scores import Scores
    from parivision.stages.drift import DriftOutcome
    from parivision.stages.evaluate import Evaluation

NO_CHAMPION: Final = "There is no champion yet, so there is nothing to compare with."
ROC_POINTS: Final = 100


class Artifact(Protocol):
    """What is used of KFP's artifacts."""

    @property
    def path(self) -> str:
        """The file or folder that becomes the artifact."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What the UI shows beside it, and what other tasks read."""


class Curves(Protocol):
    """What is used of KFP's artifact `ClassificationMetrics`."""

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None:
        """Draw a curve of these points."""

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Draw these numbers of shots."""


@dataclass(frozen=True)
class RocPoints:
    """A ROC curve: rates and thresholds, from the strictest threshold to the laxest."""

    fpr: list[float]
    tpr: list[float]
    threshold: list[float]


@dataclass(frozen=True)
class ConfusionMatrix:
    """Numbers of shots, rows and columns both in the order of `categories`."""

    categories: list[str]
    matrix: list[list[int]]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers stand right, whatever a cell holds cannot break it."""
    cells = [[_cell(value) for value in row] for row in rows]
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(header), rule, *cells]) + "\n"


def models_table(scores: Mapping[str, "Scores"], best: str) -> str:
    """All models on the same later games, best log loss first; `best` stands in bold."""
    ranked = sorted(scores.items(), key=lambda item: item[1].log_loss)
    rows = [
        [f"**{name}**" if name == best else name]
        + [numbers.number(getattr(score, field), ".4f") for field in SHOWN]
        for name, score in ranked
    ]
    first = ranked[0][1]
    games = f"{first.n_shots:,} shots in {first.n_games:,} later games\n\n"
    return games + table(["model", *(LABELS[field] for field in SHOWN)], rows)


def decision_text(decision: "Decision", champion: str | None) -> str:
    """Who is champion now and why, and every contest that led there."""
    verb = "promoted" if decision.promoted else "not promoted"
    lead = f"**{verb}**: {decision.reason}\n\nchampion: version {champion or 'none yet'}\n\n"
    rows = [
        (
            contest.challenger,
            contest.incumbent,
            numbers.number(contest.test.gain, "+.4f"),
            numbers.number(contest.test.p_value, ".2g"),
            numbers.number(contest.challenger_ece, ".4f"),
            numbers.number(contest.ece_limit, ".4f"),
            "won" if contest.won else "lost",
        )
        for contest in decision.contests
    ]
    header = ("challenger", "against", "gain in log loss", "p", "ECE", "ECE limit", "outcome")
    return lead + table(header, rows)


def drift_text(outcome: "DriftOutcome") -> str:
    """What drifted and by how much, or that there is no champion yet."""
    summary = outcome.summary
    if summary is None:
        return NO_CHAMPION + "\n"
    lead = (
        f"**{summary.verdict}**: {summary.n_current:,} shots against champion version "
        f"{outcome.champion}\n\n"
    )
    reasons = "".join(f"- {reason}\n" for reason in summary.reasons)
    rows = [(c.name, c.verdict, f"{c.severity:.2f}", c.reason) for c in summary.columns]
    return lead + reasons + "\n" + table(("column", "verdict", "severity", "decided by"), rows)


def counts_text(counts: Mapping[str, int]) -> str:
    """Records by the reason why they could not become shots."""
    if not counts:
        return "No record was refused.\n"
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return table(("reason", "records"), [(reason, f"{n:,}") for reason, n in ranked])


def confusion(scores: "Scores") -> ConfusionMatrix:
    """Shots by what happened (rows) and what was predicted (columns)."""
    counts = scores.confusion
    matrix = [[counts.true_missed, counts.false_made], [counts.false_missed, counts.true_made]]
    return ConfusionMatrix(["missed", "made"], matrix)


def roc_points(judgement: "Judgement", model: str) -> RocPoints:
    """The ROC curve of one of the models judged."""
    made, p_made = judgement.made == 1, judgement.predictions[model]
    levels = np.quantile(p_made, np.linspace(0, 1, ROC_POINTS))
    # Quantiles, so that the points lie at equal numbers of shots; a picture shows no more of them.
    threshold = np.unique(np.append(levels, 1.0))[::-1]
    return RocPoints(
        fpr=_share_above(p_made[~made], threshold),
        tpr=_share_above(p_made[made], threshold),
        threshold=threshold.tolist(),
    )


def show_evaluation(
    evaluation: "Evaluation",
    *,
    best: Artifact,
    report: Artifact,
    table: Artifact,
    metrics: Artifact,
    curves: Curves,
) -> None:
    """Name the best model, and fill the artifacts that the UI shows of an evaluation."""
    best.metadata["name"] = evaluation.best
    Path(report.path).write_bytes(evaluation.report.read_bytes())
    Path(table.path).write_text(models_table(evaluation.scores, evaluation.best))
    metrics.metadata.update(evaluation.metrics)
    _log_curves(evaluation, curves)


def _log_curves(evaluation: "Evaluation", curves: Curves) -> None:
    """Give the best model's ROC curve and confusion matrix to the artifact that the UI draws."""
    roc = roc_points(evaluation.judgement, evaluation.best)
    curves.log_roc_curve(roc.fpr, roc.tpr, roc.threshold)
    matrix = confusion(evaluation.scores[evaluation.best])
    curves.log_confusion_matrix(matrix.categories, matrix.matrix)


def _share_above(p_made: Floats, threshold: Floats) -> list[float]:
    below = np.searchsorted(np.sort(p_made), threshold, "left")
    return [float(share) for share in 1 - below / max(len(p_made), 1)]


def _cell(value: object) -> str:
    # A line break or a bar would end the cell.
    return " ".join(str(value).split()).replace("|", "\\|")
