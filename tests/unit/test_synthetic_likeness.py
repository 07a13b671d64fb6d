"""The synthetic league looks like the real archive."""

import json
from importlib import resources
from typing import Any

import numpy as np
import polars as pl
import pytest

from parivision.shots import court
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate
from parivision.sources.synthetic.measure import measure
from scalars import number


@pytest.fixture(scope="module")
def measured(default_league: pl.DataFrame) -> dict[str, Any]:
    """The facts of the synthetic league, measured as those of the real one were."""
    return measure(default_league)


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """The facts of the real archive."""
    package = resources.files("parivision.sources.synthetic")
    read: dict[str, Any] = json.loads(package.joinpath("facts.json").read_text("utf-8"))
    return read


class TestLikeness:
    """The league looks like the real one, by the facts measured on 3.6 million real shots."""

    def test_outcomes_follow_the_true_probability(self, default_league: pl.DataFrame) -> None:
        """In every slice of p_true the make rate is p_true, within chance."""
        slices = default_league.group_by((pl.col(P_TRUE) * 20).floor().alias("slice")).agg(
            pl.len(),
            pl.col("made").mean(),
            pl.col(P_TRUE).mean(),
            error=(pl.col(P_TRUE) * (1 - pl.col(P_TRUE))).sum().sqrt() / pl.len(),
        )
        gap = (slices["made"] - slices[P_TRUE]).abs() / slices["error"]
        assert number(gap.max()) < 4.0

    def test_is_as_hard_to_predict_as_the_real_one(self, default_season: pl.DataFrame) -> None:
        """Who knows the truth scores a log loss of 0.62 to 0.64, as the best models on 2023."""
        p, made = default_season[P_TRUE].to_numpy(), default_season["made"].to_numpy()
        assert 0.62 < -np.mean(np.where(made == 1, np.log(p), np.log1p(-p))) < 0.64
        rank = np.argsort(np.argsort(p)) + 1
        hits = made.sum()
        area = (rank[made == 1].sum() - hits * (hits + 1) / 2) / (hits * (len(made) - hits))
        assert 0.665 < area < 0.685

    @pytest.mark.parametrize("season", ["2023"])
    def test_zones_shares_and_rates(
        self, facts: dict[str, Any], measured: dict[str, Any], season: str
    ) -> None:
        """Zone shares agree to 0.006, make rates to 0.012, shots a game to 2."""
        real, ours = facts["seasons"][season], measured["seasons"][season]
        assert ours["share"] == pytest.approx(real["share"], abs=0.006)
        assert ours["rate"][:6] == pytest.approx(real["rate"][:6], abs=0.012)
        assert ours["shots_a_game"] == pytest.approx(real["shots_a_game"], abs=2.0)

    def test_threes_grow_as_they_did(self, facts: dict[str, Any]) -> None:
        """Shares of zones follow the real seasons from 2004 on, and are flat after the last."""
        seasons = (2004, 2013, 2023, 2040)
        ours = generate(SyntheticConfig(seasons=seasons, games_a_season=200))
        x, y = ours["x_ft"].to_numpy(), ours["y_ft"].to_numpy()
        zone = court.zone(x, y)
        for season in seasons:
            rows = (ours["season"] == season).to_numpy()
            share = np.bincount(zone[rows], minlength=8)[1:] / rows.sum()
            real = facts["seasons"][str(min(season, 2023))]["share"]
            assert share == pytest.approx(real, abs=0.015)

    def test_clock_and_periods(self, facts: dict[str, Any], measured: dict[str, Any]) -> None:
        """Late shots are worse by as much as in reality; periods have their shares."""
        assert measured["period_share"] == pytest.approx(facts["period_share"], abs=0.004)
        assert measured["period_effect"][:4] == pytest.approx(facts["period_effect"][:4], abs=0.025)
        assert measured["overtime_share"] == pytest.approx(facts["overtime_share"], abs=0.02)
        for group in (1, 2):
            last_second = measured["clock_effect"][group][0]
            assert last_second == pytest.approx(facts["clock_effect"][group][0], abs=0.2)
            assert measured["clock_effect"][group][5:] == pytest.approx(
                facts["clock_effect"][group][5:], abs=0.08
            )
            cumulated = np.cumsum(measured["clock"][group]) - np.cumsum(facts["clock"][group])
            assert np.abs(cumulated).max() < 0.01

    def test_places_within_zones(self, facts: dict[str, Any], measured: dict[str, Any]) -> None:
        """By foot of distance from the hoop no zone's places differ by more than 0.02."""
        for real, ours in zip(facts["places"][:6], measured["places"][:6], strict=True):
            assert np.abs(_by_distance(ours) - _by_distance(real)).max() < 0.02
            assert ours["at_origin"] == pytest.approx(real["at_origin"], abs=0.01)

    def test_actions(self, facts: dict[str, Any], measured: dict[str, Any]) -> None:
        """The modern words have their shares of a band and make rates, to 0.02 on average."""
        real, ours = _actions(facts), _actions(measured)
        assert len(facts["actions"]["names"]) == 48
        common = [key for key, (share, _) in real.items() if share > 0.03 and key[0] < 16]
        assert len(common) > 80
        off = np.array([np.subtract(ours[key], real[key]) for key in common])
        assert np.abs(off).mean(axis=0) == pytest.approx([0.0, 0.0], abs=0.02)
        assert np.abs(off).max() < 0.1

    def test_players_differ_as_much(self, facts: dict[str, Any], measured: dict[str, Any]) -> None:
        """Spread of skill agrees to 0.05 log odds, of tastes to 40 %."""
        assert measured["skill_sd"] == pytest.approx(facts["skill_sd"], abs=0.05)
        ours, real = (np.diag(f["preference_covariance"]) for f in (measured, facts))
        assert (np.abs(ours / real - 1) < 0.4).all()

    def test_usage(self, default_season: pl.DataFrame) -> None:
        """Quantiles of a season's shots by player are within 25 % of those of 2023."""
        shots = default_season["player_id"].value_counts()["count"]
        assert 520 <= len(shots) <= 540
        real = {0.25: 95, 0.5: 303, 0.75: 602, 0.9: 962, 0.95: 1148, 0.99: 1390}
        for quantile, count in real.items():
            assert shots.quantile(quantile) == pytest.approx(count, rel=0.25)

    def test_home_teams_shoot_a_little_better(self) -> None:
        """The true probability is higher by 0.005 to 0.015 at home (0.009 in reality)."""
        shots = generate(SyntheticConfig(seasons=(2023,), facts_of=2020))
        by_side = shots.group_by(pl.col("home_team") == _shooters_team(shots)).agg(
            pl.col(P_TRUE).mean()
        )
        home, away = by_side.sort("home_team", descending=True)[P_TRUE]
        assert 0.005 < home - away < 0.015


def _by_distance(zone: dict[str, Any]) -> np.ndarray[Any, Any]:
    half = np.array(zone["size"]) / 2
    radius = np.hypot(np.array(zone["x"]) + half, np.array(zone["y"]) + half)
    weight = np.array(zone["weight"])
    counts = np.bincount(radius.astype(int), weight, minlength=95)[:95]
    return np.asarray(counts / weight.sum())


def _actions(facts: dict[str, Any]) -> dict[tuple[int, str], tuple[float, float]]:
    """Band and word to share in 2023 and make rate."""
    found = {}
    at = facts["actions"]["seasons"].index(2023)
    for band, cells in enumerate(facts["actions"]["bands"]):
        for place, action in enumerate(cells["action"]):
            name = facts["actions"]["names"][action]
            found[band, name] = (cells["share"][at][place], cells["rate"][place])
    return found


def _shooters_team(default_league: pl.DataFrame) -> pl.Series:
    from parivision.shots.league import TEAM_ABBREVIATIONS

    names = {team: names[0] for team, names in TEAM_ABBREVIATIONS.items()}
    return default_league["team_id"].replace_strict(names)
