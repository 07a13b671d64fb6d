"""The backtest by season: decided on what was known then, and summed up."""

import polars as pl
import pytest

from parivision.backtests import seasons as backtest
from parivision.backtests.seasons import SeasonResult
from parivision.errors import DataError
from parivision.features import tables
from parivision.models import families
from parivision.promotion.decision import BLENDED, CHAMPION, RECALIBRATED, Decision
from parivision.reports.backtests import policies_figure
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate

RESULTS = [
    SeasonResult(2021, 2022, "lightgbm", "first", 0.65, 0.65, 0.65),
    SeasonResult(2022, 2023, "champion", "no better", 0.64, 0.66, 0.63),
]


@pytest.fixture(scope="module")
def three_seasons() -> pl.DataFrame:
    """Three short seasons of some 2,000 shots, in no order."""
    config = SyntheticConfig(seed=5, seasons=(2021, 2022, 2023), games_a_season=60, shots_scale=0.2)
    shots = generate(config).drop(P_TRUE)
    return shots.sample(fraction=1, shuffle=True, seed=0)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads that wait for each other on a busy machine take longer than one alone."""
    monkeypatch.setattr(families, "THREADS", 1)


def test_a_season_is_decided_without_the_ones_after_the_next(three_seasons):
    """The first result is the same whether the third season is known or not."""
    steps = []
    whole = list(
        backtest.by_season(
            three_seasons, ["lightgbm"], progress=lambda done, total: steps.append((done, total))
        )
    )
    short = list(backtest.by_season(three_seasons.filter(pl.col("season") < 2023), ["lightgbm"]))
    assert whole[:1] == short
    assert [(r.season, r.next_season) for r in whole] == [(2021, 2022), (2022, 2023)]
    assert steps == [(1, 2), (2, 2)]
    assert whole[0].promoted_loss == whole[0].never_loss
    assert all(0.5 < r.promoted_loss < 0.75 for r in whole)


def test_a_run_that_died_goes_on_with_the_models_it_kept(three_seasons, tmp_path, monkeypatch):
    """Models in the folder are not trained again, and the results are the same."""
    whole = list(backtest.by_season(three_seasons, ["lightgbm"], keep=tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"lightgbm_2021", "lightgbm_2022"}
    monkeypatch.setattr(backtest, "train", None)
    assert list(backtest.by_season(three_seasons, ["lightgbm"], keep=tmp_path)) == whole


@pytest.mark.parametrize(
    ("winner", "members"),
    [
        (CHAMPION, ["old"]),
        (RECALIBRATED, ["old"]),
        (BLENDED, ["new", "old"]),
        ("lightgbm", ["new"]),
        (None, ["old"]),
    ],
)
def test_the_season_is_played_with_who_won(winner, members, league_bundle, league_history):
    """The champion as it was, the newest, or both together, each with all games known."""
    old, new = (league_bundle.copy() for _ in range(2))
    old.family, new.family = "old", "new"
    decision = Decision(winner, True, "")
    crowned = backtest._crown(decision, new, old, league_history)
    partner = crowned.card.get("partner")
    assert [crowned.family, *([partner["family"]] if partner else [])] == members
    assert crowned.form.as_of_day == league_history.facts.day[-1]
    assert backtest._crown(decision, new, None, league_history).family == "new"


def test_results_become_a_table_and_a_summary():
    """The excess is against the better of the other policies, season by season."""
    frame = backtest.to_frame(RESULTS)
    assert frame["excess"].to_list() == pytest.approx([0.0, 0.01])
    assert backtest.summary(frame) == pytest.approx(
        {
            "promotion_rule": 0.645,
            "never_retraining": 0.655,
            "always_newest": 0.64,
            "largest_excess": 0.01,
        }
    )
    assert len(policies_figure(frame).axes) == 1


@pytest.mark.parametrize("seasons", [[], [2022]])
def test_less_than_two_seasons_are_refused(three_seasons, seasons):
    """There must be a season to learn from and one to be judged on."""
    shots = three_seasons.filter(pl.col("season").is_in(seasons))
    with pytest.raises(DataError, match=rf"at least two seasons.*got {len(seasons)}"):
        next(backtest.by_season(shots, ["lightgbm"]))


def test_a_season_of_one_day_is_too_short_to_learn_from(three_seasons):
    """The error says how many days there are and how many are needed."""
    ordered = tables.in_time_order(three_seasons)
    first = ordered.filter(
        (pl.col("season") > 2021) | (pl.col("game_date") == ordered["game_date"][0])
    )
    with pytest.raises(DataError, match="1 days of games are too few"):
        next(backtest.by_season(first, ["lightgbm"]))
