"""What the Pipelines UI shows: Markdown that cannot break, and a ROC curve of JSON's numbers."""

import json
from dataclasses import dataclass
from math import isfinite

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.promotion import decision as promotion
from parivision.promotion.holdout import Judgement
from parivision.reports.numbers import NO_VALUE
from parivision.scoring import scores as evaluate
from parivision.stages import views
from tiny_league import drawn

MADE = np.array([0, 1, 0, 1, 1, 0, 1, 0] * 40, np.float64)
GOOD = np.clip(0.46 + 0.2 * (MADE - 0.5), 0, 1)
FLAT = np.full(MADE.size, 0.5)
GAMES = np.repeat(np.arange(40), 8)


def judgement(**p_made: np.ndarray) -> Judgement:
    """A judgement of the shots above."""
    return Judgement(drawn(1, MADE.size), MADE, GAMES, np.zeros(MADE.size), p_made)


def cells(markdown: str) -> list[list[str]]:
    """The rows of a Markdown table."""
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_models_stand_best_first_with_all_their_scores() -> None:
    """The table of models ranks by log loss and marks the best."""
    scores = {"flat": evaluate.scores(MADE, FLAT, GAMES), "good": evaluate.scores(MADE, GOOD)}
    text = views.models_table(scores, "good")
    rows = cells(text)
    assert rows[0] == [
        "model",
        "log loss",
        "Brier",
        "ECE",
        "ROC-AUC",
        "accuracy",
        "precision",
        "recall",
        "F1",
    ]
    assert [row[0] for row in rows[2:]] == ["**good**", "flat"]
    assert rows[2][1] == f"{scores['good'].log_loss:.4f}"
    assert "320 shots" in text


def test_a_decision_says_who_why_and_by_which_numbers() -> None:
    """The winner, the reason and every contest are in the text."""
    decision = promotion.decide(MADE, GAMES, {"good": GOOD}, FLAT)
    text = views.decision_text(decision, "1")
    assert "champion: version 1" in text
    assert decision.reason in text
    assert cells(text)[2][:2] == ["good", "zone_rate"]


def test_equal_models_have_a_dash_for_each_number_of_their_contest() -> None:
    """Where two models say the same there is no gain and no p, and no "nan" is shown."""
    decision = promotion.decide(MADE, GAMES, {"good": GOOD}, None, champion=GOOD)
    text = views.decision_text(decision, "1")
    assert cells(text)[2][2:4] == [NO_VALUE, NO_VALUE]
    assert "nan" not in text
    assert "the two models predict the same" in text


def test_no_champion_is_said_in_words() -> None:
    """Before the first promotion there is no version to name."""
    decision = promotion.decide(MADE, GAMES, {"flat": FLAT}, FLAT)
    assert not decision.promoted
    text = views.decision_text(decision, None)
    assert "**not promoted**" in text
    assert "version none yet" in text


def test_refused_records_stand_by_reason() -> None:
    """The most frequent reason comes first; nothing refused is said in words."""
    text = views.counts_text({"made is missing": 2, "x | y": 1000})
    assert cells(text)[2:] == [["x \\| y", "1,000"], ["made is missing", "2"]]
    assert views.counts_text({}) == "No record was refused.\n"


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_no_cell_breaks_a_table(rows: list[list[str]]) -> None:
    """Whatever a cell holds, a table has as many lines as rows, each with as many cells."""
    lines = views.table(("a", "b"), rows).split("\n")
    assert len(lines) == len(rows) + 3
    for line in lines[:-1]:
        assert line.replace("\\|", "").count("|") == 3


@pytest.mark.parametrize("p_made", [GOOD, FLAT, 1 - GOOD, MADE])
def test_roc_points_go_from_nothing_to_everything(p_made: np.ndarray) -> None:
    """Rates rise as the threshold falls, up to 1, in plain numbers that JSON knows."""
    roc = views.roc_points(judgement(good=p_made), "good")
    assert json.loads(json.dumps(roc.threshold)) == roc.threshold
    assert all(isfinite(t) for t in roc.threshold)
    for rates in (roc.fpr, roc.tpr):
        assert rates == sorted(rates)
        assert rates[-1] == 1.0
    assert roc.threshold == sorted(roc.threshold, reverse=True)
    assert len(roc.fpr) == len(roc.tpr) == len(roc.threshold) <= views.ROC_POINTS + 1


def test_roc_points_are_those_of_the_roc_curve() -> None:
    """A point of the thinned curve is one of the whole one."""
    rng = np.random.default_rng(3)
    p_made = np.clip(GOOD + rng.normal(0, 0.2, MADE.size), 0.01, 0.99)
    roc = views.roc_points(judgement(good=p_made), "good")
    area = np.trapezoid([0, *roc.tpr], [0, *roc.fpr])
    assert area == pytest.approx(evaluate.roc_auc(MADE, p_made), abs=0.01)


def test_the_confusion_matrix_has_what_happened_in_its_rows() -> None:
    """Rows are outcomes, columns predictions, in the order of the categories."""
    made, p_made = np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.9, 0.1, 0.9, 0.1])
    found = views.confusion(evaluate.scores(made, p_made))
    assert found.categories == ["missed", "made"]
    assert found.matrix == [[1, 1], [1, 2]]


@dataclass(frozen=True)
class Outcome:
    """What the text needs of a drift stage's outcome."""

    summary: None = None
    champion: None = None


def test_drift_without_a_champion_is_said_in_words() -> None:
    """Nothing to compare with is no error."""
    assert views.drift_text(Outcome()) == f"{views.NO_CHAMPION}\n"  # type: ignore[arg-type]


def test_a_drift_table_has_a_row_a_column() -> None:
    """Every watched column stands with its verdict and its severity."""
    from parivision.drift import MONITORED_NAMES, build_reference, detect

    shots = drawn(5, 1500)
    summary = detect(build_reference(shots, champion="x"), shots.with_columns(pl.col("x_ft") * 10))

    @dataclass(frozen=True)
    class Drifted:
        summary: object
        champion: str = "4"

    text = views.drift_text(Drifted(summary))  # type: ignore[arg-type]
    assert "**drift**: 1,500 shots against champion version 4" in text
    assert {row[0] for row in cells(text)[2:]} <= set(MONITORED_NAMES)
    assert any(row[0] == "x_ft" and row[1] == "drift" for row in cells(text))
