"""What the Pipelines UI shows of a stage: Markdown tables, and points of a ROC curve."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from parivision.drift_stage import NO_CHAMPION, DriftOutcome
from parivision.evaluate import Scores
from parivision.facts import Floats
from parivision.judge import Judgement
from parivision.promotion import Decision
from parivision.stages import JUDGEMENT

ROC_POINTS: Final = 100
CATEGORIES: Final = ("missed", "made")
_SCORES: Final = {
    "log_loss": "log loss",
    "brier": "Brier",
    "ece": "ECE",
    "roc_auc": "ROC-AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
}


@dataclass(frozen=True)
class RocPoints:
    """A ROC curve: rates and thresholds, from the strictest threshold to the laxest."""

    false_made_rate: list[float]
    true_made_rate: list[float]
    threshold: list[float]


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; numbers stand right, whatever a cell holds cannot break it."""
    cells = [[_cell(value) for value in row] for row in rows]
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [list(header), rule, *cells]) + "\n"


def models_table(scores: Mapping[str, Scores], best: str) -> str:
    """All models on the same later games, best log loss first; `best` stands in bold."""
    ranked = sorted(scores.items(), key=lambda item: item[1].log_loss)
    rows = [
        [f"**{name}**" if name == best else name]
        + [f"{getattr(score, field):.4f}" for field in _SCORES]
        for name, score in ranked
    ]
    first = ranked[0][1]
    games = f"{first.n_shots:,} shots in {first.n_games:,} later games\n\n"
    return games + table(["model", *_SCORES.values()], rows)


def decision_text(decision: Decision, champion: str | None) -> str:
    """Who is champion now and why, and every contest that led there."""
    verb = "promoted" if decision.promoted else "not promoted"
    lead = f"**{verb}**: {decision.reason}\n\nchampion: version {champion or 'none yet'}\n\n"
    rows = [
        (
            contest.challenger,
            contest.incumbent,
            f"{contest.test.gain:+.4f}",
            f"{contest.test.p_value:.2g}",
            f"{contest.challenger_ece:.4f}",
            f"{contest.ece_limit:.4f}",
            "won" if contest.won else "lost",
        )
        for contest in decision.contests
    ]
    header = ("challenger", "against", "gain in log loss", "p", "ECE", "ECE limit", "outcome")
    return lead + table(header, rows)


def drift_text(outcome: DriftOutcome) -> str:
    """What drifted and by how much, or that there is no champion yet."""
    summary = outcome.summary
    if summary is None:
        return NO_CHAMPION + "\n"
    lead = (
        f"**{summary.verdict}**: {summary.n_current:,} shots against champion version "
        f"{outcome.champion}\n\n"
    )
    found = "".join(f"- {reason}\n" for reason in summary.reasons)
    rows = [(c.name, c.verdict, f"{c.severity:.2f}", c.reason) for c in summary.columns]
    return lead + found + "\n" + table(("column", "verdict", "severity", "decided by"), rows)


def counts_text(counts: Mapping[str, int]) -> str:
    """Records by the reason why they could not become shots."""
    if not counts:
        return "No record was refused.\n"
    ranked = sorted(counts.items(), key=lambda item: -item[1])
    return table(("reason", "records"), [(reason, f"{n:,}") for reason, n in ranked])


def confusion_matrix(scores: Scores) -> list[list[int]]:
    """Shots by what happened (rows) and what was said (columns), both in CATEGORIES' order."""
    counts = scores.confusion
    return [
        [counts.true_missed, counts.false_made],
        [counts.false_missed, counts.true_made],
    ]


def roc_points(judged: Path, model: str) -> RocPoints:
    """The ROC curve of one of the models that `stages.evaluate_models` judged."""
    judgement = Judgement.from_frame(pl.read_parquet(judged / JUDGEMENT))
    made, p_made = judgement.made == 1, judgement.predictions[model]
    levels = np.quantile(p_made, np.linspace(0, 1, ROC_POINTS))
    threshold = np.unique(np.append(levels, 1.0))[::-1]
    return RocPoints(
        false_made_rate=_share_above(p_made[~made], threshold),
        true_made_rate=_share_above(p_made[made], threshold),
        threshold=threshold.tolist(),
    )


def _share_above(p_made: Floats, threshold: Floats) -> list[float]:
    below = np.searchsorted(np.sort(p_made), threshold, "left")
    return [float(share) for share in 1 - below / max(len(p_made), 1)]


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
