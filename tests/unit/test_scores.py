"""Scores as a whole, by segment, and the reliability table."""

import json

import numpy as np
import polars as pl
import pytest

from parivision.errors import DataError
from parivision.scoring import scores
from parivision.shots import court
from scalars import number

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def case():
    """Outcomes, true probabilities and games of 3,000 shots."""
    rng = np.random.default_rng(0)
    p = rng.beta(4, 5, 3000)
    return (rng.random(3000) < p).astype(int), p, np.repeat(np.arange(30), 100)


def test_scores_gather_every_number(case):
    """`scores` holds what the single functions say, and counts shots and games."""
    made, p, games = case
    found = scores.scores(made, p, games)
    for name in ("log_loss", "brier", "ece", "roc_auc", "accuracy", "precision", "recall", "f1"):
        assert getattr(found, name) == getattr(scores, name)(made, p)
    assert found.ece_noise == scores.ece_noise(p)
    assert (found.n_shots, found.n_games) == (3000, 30)
    assert (found.made_rate, found.mean_p_made) == pytest.approx((made.mean(), p.mean()))
    assert scores.scores(made, p).n_games == 0


def test_scores_become_plain_json(case):
    """`to_dict` is flat and fit for JSON; a score that is not defined is None."""
    made, p, games = case
    plain = scores.scores(made, p, games).to_dict()
    assert number(plain["true_made"]) + number(plain["false_missed"]) == made.sum()
    json.dumps(plain, allow_nan=False)
    assert scores.scores([1, 1], [0.4, 0.6]).to_dict()["roc_auc"] is None


def test_scores_row_brackets_each_score(case):
    """Each score of a row lies within its own interval; without games the ends are None."""
    row = scores.scores_row(*case)
    for name in scores.INTERVAL_SCORES:
        assert number(row[f"{name}_low"]) <= number(row[name]) <= number(row[f"{name}_high"])
    assert scores.scores_row(case[0], case[1])["ece_low"] is None


def test_segments_are_scored_on_their_own_shots(case):
    """Each label's row is what scoring only its shots gives, in the labels' order."""
    made, p, games = case
    period = np.arange(3000) % 12
    table = scores.by_segment(made, p, {"period": period}, games=games)
    assert table["label"].to_list() == [str(i) for i in range(12)]
    here = period == 3
    expected = scores.scores_row(made[here], p[here], games[here])
    assert table.row(3, named=True) == {"segment": "period", "label": "3", **expected}


def test_segments_keep_the_order_of_an_enum(case):
    """Labels with an order of their own come out in it, and missing labels are left out."""
    made, p, _ = case
    names = ["near", "far", "farther"]
    labels = pl.Series([names[i % 3] if i % 5 else None for i in range(3000)], dtype=pl.Enum(names))
    table = scores.by_segment(made, p, {"place": labels})
    assert table["label"].to_list() == names
    assert table["n_shots"].sum() == 2400
    assert table["log_loss_low"].null_count() == 3


def test_segment_with_one_game_has_scores_without_interval(case):
    """A label seen in one game only keeps its scores; its interval is missing."""
    made, p, games = case
    table = scores.by_segment(made, p, {"first": games == 0}, games=games)
    row = table.filter(pl.col("label") == "True").row(0, named=True)
    assert row["n_games"] == 1
    assert row["log_loss"] > 0
    assert row["log_loss_low"] is None


def test_no_segments_give_an_empty_table_of_the_same_columns(case):
    """Without segments the table is empty but has its columns."""
    made, p, _ = case
    empty = scores.by_segment(made, p, {})
    assert empty.height == 0
    assert empty.schema == scores.by_segment(made, p, {"all": np.zeros(3000)}).schema


def test_segment_labels_must_match_shots(case):
    """Too few labels are an error that names the segment."""
    with pytest.raises(DataError, match="segment 'zone': expected 3000 labels, got 2"):
        scores.by_segment(case[0], case[1], {"zone": [1, 2]})


@pytest.mark.parametrize(
    ("attempts", "label"),
    [
        (0, "none"),
        (1, "1 to 99"),
        (99, "1 to 99"),
        (100, "100 to 499"),
        (499, "100 to 499"),
        (500, "500 to 1,999"),
        (2000, "2,000 and more"),
    ],
)
def test_volume_classes_at_their_edges(attempts, label):
    """A player's class changes exactly at the number it names."""
    assert scores.volume_class([attempts]).to_list() == [label]


def test_segments_of_shots():
    """Zone and period come from the table; all overtimes are one; volume only when told."""
    shots = pl.DataFrame({"x_ft": [0.0, 23.0], "y_ft": [1.0, 0.0], "period": [1, 6]})
    found = scores.segments_of(shots, [0, 700])
    assert found["zone"].to_list() == [court.Zone.RESTRICTED_AREA.label, court.Zone.CORNER_3.label]
    assert found["period"].to_list() == ["1", "overtime"]
    assert found["player volume"].to_list() == ["none", "500 to 1,999"]
    assert set(scores.segments_of(shots)) == {"zone", "period"}


def test_reliability_bins_hold_all_shots_and_add_up_to_the_ece(case):
    """The table's gaps, weighted by shots, are the ECE; each rate lies in its interval."""
    made, p, _ = case
    table = scores.reliability(made, p)
    assert table.height == 15
    assert table["n_shots"].sum() == 3000
    assert table["mean_p_made"].is_sorted()
    gap = (table["mean_p_made"] - table["made_rate"]).abs() * table["n_shots"]
    assert gap.sum() / 3000 == pytest.approx(scores.ece(made, p))
    assert (table["low"] <= table["made_rate"]).all()
    assert (table["made_rate"] <= table["high"]).all()


def test_reliability_leaves_empty_bins_out():
    """A model that says two things has two bins."""
    assert scores.reliability([1, 0, 1, 0], [0.2, 0.2, 0.7, 0.7]).height == 2


def test_wilson_interval_by_hand():
    """8 of 10 has the textbook interval 0.490 to 0.943; none of none says nothing."""
    low, high = scores.wilson([0.8, 0.0], [10, 0])
    assert (low[0], high[0]) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert (low[1], high[1]) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_compare_puts_the_best_first(case):
    """Models are ranked by log loss, each with the row that `scores_row` gives."""
    made, p, games = case
    table = scores.compare(made, {"mean": np.full(3000, 0.4), "true": p}, games)
    assert table["model"].to_list() == ["true", "mean"]
    row = table.row(0, named=True)
    row.pop("model")
    assert row == scores.scores_row(made, p, games)
