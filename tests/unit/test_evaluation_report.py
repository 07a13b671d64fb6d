"""The evaluation's page."""

import re
from html import unescape

import numpy as np
import pytest

from parivision.errors import DataError
from parivision.reports import evaluation
from parivision.reports.numbers import NO_VALUE

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def case():
    """Outcomes, three models' probabilities and games of 2,000 shots."""
    rng = np.random.default_rng(0)
    p = rng.beta(3, 4, 2000)
    made = (rng.random(2000) < p).astype(int)
    models = {"mean": np.full(2000, made.mean()), "good": p, "too sure": p**2}
    return made, models, np.repeat(np.arange(40), 50)


def words_of(path):
    """The page's words without markup."""
    page = path.read_text("utf-8")
    words = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(words))


def test_report_shows_all_models_and_one_in_detail(case, tmp_path):
    """Every model is in the table, one is compared with the next and shown in detail."""
    made, models, games = case
    path = evaluation.write(
        tmp_path / "e.html", made, models, games, shown="good", resamples=50,
        segments={"half": np.arange(2000) // 1000}, importances={"r_ft": 3.0, "zone": 1.0},
    )  # fmt: skip
    words = words_of(path)
    assert "good has place 1 of 3 by log loss, ahead of mean" in words
    assert "leaves no doubt" in words
    assert "r_ft (75%)" in words
    for title in ("Models", "Calibration", "Ranking and decisions", "Importances", "Segments"):
        assert f" {title} " in words
    assert "< 0.0001" in words


def test_only_who_knows_calls_a_model_champion(case, tmp_path):
    """The tiles say what the caller says of the model; by itself a report names no champion."""
    made, models, games = case
    path = evaluation.write(tmp_path / "e.html", made, models, games, shown="good", resamples=20)
    assert " model good log loss " in words_of(path)
    assert "champion" not in words_of(path)
    tiles = {"best new model": "good", "champion": "version 3"}
    path = evaluation.write(
        tmp_path / "e.html", made, models, games, shown="good", tiles=tiles, resamples=20
    )
    assert " best new model good champion version 3 log loss " in words_of(path)


def test_a_model_behind_is_called_behind(case, tmp_path):
    """A shown model that is not best is told so, with the paired difference."""
    made, models, games = case
    path = evaluation.write(
        tmp_path / "e.html", made, models, games, shown="too sure", resamples=20
    )
    assert "too sure has place 3 of 3 by log loss, behind good" in words_of(path)


def test_equal_models_and_one_model(case, tmp_path):
    """Two equal models are not ranked by chance, and one model alone has a page too."""
    made, models, games = case
    twins = {"one": models["good"], "two": models["good"]}
    path = evaluation.write(tmp_path / "e.html", made, twins, games, shown="one", resamples=20)
    words = words_of(path)
    assert "cannot be compared: the two models predict the same" in words
    assert f" two {NO_VALUE} {NO_VALUE} {NO_VALUE} {NO_VALUE} " in words
    alone = evaluation.write(tmp_path / "a.html", made, {"one": models["good"]}, games,
                                    shown="one")  # fmt: skip
    assert "one was evaluated alone." in words_of(alone)


def test_chance_is_named(case, tmp_path):
    """A difference within chance is said to be one that chance could explain."""
    made, models, games = case
    lean = np.where(games % 2, 0.02, -0.02)
    rivals = {"one": models["good"], "two": np.clip(models["good"] + lean, 0, 1)}
    path = evaluation.write(
        tmp_path / "e.html", made[:200], {k: v[:200] for k, v in rivals.items()}, games[:200],
        shown="one",
    )  # fmt: skip
    assert "which chance could explain" in words_of(path)


def test_shots_that_all_missed_have_no_curve(tmp_path):
    """Without a make there is no ROC curve and no AUC, but a page."""
    path = evaluation.write(
        tmp_path / "e.html", [0, 0, 0, 0], {"m": [0.0, 0.0, 0.0, 0.0]}, [1, 1, 2, 2], shown="m",
        segments={"all": [1, 1, 1, 1]},
    )  # fmt: skip
    words = words_of(path)
    assert "ROC curves" not in words
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words)


def test_miscalibrated_segments_are_named(case, tmp_path):
    """Segments whose error chance cannot explain are named, the worst first."""
    made, models, games = case
    part = np.array(["left", "right"])[np.arange(2000) % 2]
    off = np.where(part == "left", np.clip(models["good"] + 0.2, 0, 1), models["good"])
    path = evaluation.write(
        tmp_path / "e.html", made, {"m": off}, games, shown="m", segments={"side": part}
    )
    assert re.search(r"beyond twice what chance shows: side 'left' \(0\.[12]", words_of(path))


def test_the_shown_model_must_be_among_the_models(case, tmp_path):
    """An unknown model is an error that lists those that are known."""
    made, models, games = case
    with pytest.raises(DataError, match=r"'good', 'mean', 'too sure'.*got 'other'"):
        evaluation.write(tmp_path / "e.html", made, models, games, shown="other")
