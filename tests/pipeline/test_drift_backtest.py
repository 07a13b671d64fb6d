"""The weekly backtest of the drift monitor, on a synthetic league."""

import polars as pl
import pytest

from parivision.backtests.drift import weekly_backtest
from parivision.errors import DataError
from parivision.sources.synthetic import Drift, SyntheticConfig, generate


@pytest.fixture(scope="module")
def shots() -> pl.DataFrame:
    """Two quiet seasons, and a third in which the words change."""
    config = SyntheticConfig(
        seasons=(2021, 2022, 2023), games_a_season=250, drift=Drift(relabel_actions=2023)
    )
    return generate(config).drop("p_true")


def test_a_quiet_season_is_quiet_where_plain_tests_cry(shots: pl.DataFrame) -> None:
    """The table has a row a week, no drift in any, and what plain tests would have said."""
    told: list[tuple[int, int]] = []
    table = weekly_backtest(shots, [2021], 2022, progress=lambda done, of: told.append((done, of)))
    assert set(table["verdict"]) <= {"quiet", "no data"}
    assert (table["verdict"] == "quiet").mean() > 0.8  # type: ignore[operator]
    assert (table["severity"] < 1).all()
    assert (table["plain_tests"] != "").mean() > 0.8  # type: ignore[operator]
    assert table["week"].is_sorted()
    assert table["shots"].sum() == shots.filter(pl.col("season") == 2022).height
    assert table["log_loss"].null_count() == table.height
    assert told[-1] == (table.height, table.height)


def test_an_unconverted_season_is_found_in_every_week(shots: pl.DataFrame) -> None:
    """Fed in the frame of the files of 2020, no week passes."""
    table = weekly_backtest(shots, [2021], 2022, frame="tenfold")
    assert set(table["drifted_columns"]) == {"x_ft, y_ft, zone"}
    assert set(table["verdict"]) == {"drift"}


def test_a_champion_is_judged_when_it_is_asked_for(shots: pl.DataFrame) -> None:
    """With a family its log loss stands beside what it promises, and the change of words shows."""
    table = weekly_backtest(shots, [2021, 2022], 2023, family="lightgbm")
    judged = table.filter(pl.col("shots") > 1200)
    assert set(judged["labels"]) == {"drift"}
    assert set(judged["drifted_columns"]) == {""}
    assert judged["concept_columns"].str.contains("action_type").mean() > 0.8  # type: ignore[operator]
    assert (judged["log_loss"] > judged["promised_log_loss"] + 0.02).all()
    assert (judged["log_loss"] > judged["reference_log_loss"]).all()


@pytest.mark.parametrize(("past", "season"), [([2021], 1999), ([1999], 2023)])
def test_seasons_that_are_not_there_are_named(
    shots: pl.DataFrame, past: list[int], season: int
) -> None:
    """A season without shots is a clear error."""
    with pytest.raises(DataError, match="1999"):
        weekly_backtest(shots, past, season)
