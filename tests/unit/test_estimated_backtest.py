"""Estimates held against past seasons, on a synthetic league whose probabilities hold."""

import json

import polars as pl
import pytest

from parivision.backtests import estimated
from parivision.errors import DataError
from parivision.models import families
from parivision.reports.backtests import estimates_figure
from scalars import number

SOURCE = "synthetic:?seed=2&seasons=2022-2023&games=120&scale=0.3"


@pytest.fixture(scope="module")
def few():
    """Weeks of a small league are short, and one thread is enough for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimated, "MIN_WEEK", 400)
        patch.setattr(families, "THREADS", 1)
        yield


@pytest.fixture(scope="module")
def weeks(few, league_shots, tmp_path_factory):
    """The weeks of the second season, and the folder of its model."""
    keep = tmp_path_factory.mktemp("models")
    done = []

    def progress(*step):
        done.append(step)

    found = list(estimated.by_week(league_shots, [2023], keep=keep, progress=progress))
    assert done == [(1, 1)]
    return found, keep


def test_every_shot_is_in_one_week(weeks, league_shots):
    """None twice, none left out, and no week too short to be estimated."""
    found, _ = weeks
    sizes = [one.log_loss.n_shots for one in found]
    assert sum(sizes) == league_shots.filter(pl.col("season") == 2023).height
    assert min(sizes) >= 400
    assert [one.week for one in found] == sorted({one.week for one in found})


def test_real_values_lie_about_the_estimates(weeks):
    """Both are what outcomes and probabilities say, near each other."""
    table = estimated.to_frame(weeks[0])
    assert number(table["inside"].mean()) >= 0.8
    assert number(table["roc_auc_inside"].mean()) >= 0.8
    assert (table["low"] < table["estimated"]).all()
    assert (table["estimated"] < table["high"]).all()


def test_a_season_is_summed_up(weeks):
    """Weeks, those inside, those whose labels moved, and how wide the intervals are."""
    table = estimated.to_frame(weeks[0])
    (row,) = estimated.by_season(table).iter_rows(named=True)
    assert row["weeks"] == table.height == row["moved"] + row["quiet"]
    assert row["inside"] == table["inside"].sum()
    assert row["quiet_inside"] <= row["quiet"]
    assert row["width"] == pytest.approx((table["high"] - table["low"]).mean())
    assert estimates_figure(table).axes


def test_a_kept_model_is_not_trained_again(weeks, few, league_shots, monkeypatch):
    """Run again, it goes on from there and says the same."""
    found, keep = weeks

    def refuse(*_arguments, **_options):
        raise AssertionError("it was trained again")

    monkeypatch.setattr(estimated, "train", refuse)
    again = list(estimated.by_week(league_shots, [2023], keep=keep))
    assert [one.log_loss for one in again] == [one.log_loss for one in found]


@pytest.mark.parametrize("seasons", [[], [2022], [1999]])
def test_what_cannot_be_estimated_is_refused(seasons, league_shots):
    """No season, the first one, and one that is not there."""
    with pytest.raises(DataError, match="season"):
        list(estimated.by_week(league_shots, seasons))


def test_the_command_tells_seasons_and_weeks(few, run, tmp_path):
    """A range means the seasons that are there; the picture is drawn."""
    words = ("backtest", "estimated", "--data", SOURCE, "--seasons", "2023-2030")
    code, out, err = run(*words, "--plot", tmp_path / "weeks.svg", "--keep", tmp_path, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [one["season"] for one in told["seasons"]] == [2023]
    assert {one["season"] for one in told["weeks"]} == {2023}
    assert (tmp_path / "weeks.svg").read_text().lstrip().startswith("<")
    code, out, _ = run(*words, "--keep", tmp_path)
    assert code == 0
    assert out.startswith("2023: log loss inside in ")
    assert run("backtest", "estimated", "--data", SOURCE, "--seasons", "soon")[0] == 2
