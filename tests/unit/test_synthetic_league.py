"""The synthetic league: its shape, its players, its repeatability."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.errors import SettingsError
from parivision.shots import court, schema
from parivision.sources.synthetic import P_TRUE, Drift, SyntheticConfig, generate, season_players
from parivision.sources.synthetic.players import player_name
from parivision.sources.synthetic.shots import pick, season_size
from scalars import day, number

SMALL = SyntheticConfig(seasons=(2023,), games_a_season=12)


class TestTable:
    """The table's form."""

    def test_has_the_canonical_columns_and_the_true_probability(
        self, default_league: pl.DataFrame
    ) -> None:
        """Columns are the canonical ones in order, then p_true, and every row is valid."""
        assert default_league.columns == [*schema.NAMES, P_TRUE]
        assert schema.split_valid(default_league.drop(P_TRUE), "test").bad.is_empty()
        assert default_league[P_TRUE].is_between(0.0, 1.0, closed="none").all()

    def test_keys_are_unique_and_in_the_order_of_play(self, default_league: pl.DataFrame) -> None:
        """Rows come by date, game, period and falling clock, with growing event numbers."""
        assert default_league.select(schema.KEY).is_unique().all()
        assert default_league["game_date"].is_sorted()
        ordered = default_league.sort(
            "game_id", "period", "clock_s", descending=[False, False, True]
        )
        assert ordered["game_id"].equals(default_league["game_id"])
        assert ordered["clock_s"].equals(default_league["clock_s"])
        steps = default_league.select(pl.col("event_id").diff().over("game_id"))["event_id"]
        assert (steps.drop_nulls() > 0).all()

    def test_words_for_places_agree_with_the_court(self, default_season: pl.DataFrame) -> None:
        """Zone names, shot values and distances are those of the place."""
        x, y = default_season["x_ft"].to_numpy(), default_season["y_ft"].to_numpy()
        assert (court.shot_value(x, y) == default_season["shot_value"].to_numpy()).all()
        assert (
            np.floor(court.distance_ft(x, y) + 1e-9) == default_season["distance_ft"].to_numpy()
        ).all()
        pairs = set(zip(court.zone(x, y).tolist(), default_season["zone_basic"], strict=True))
        assert pairs == {
            (1, "Restricted Area"),
            (2, "In The Paint (Non-RA)"),
            (3, "Mid-Range"),
            (4, "Mid-Range"),
            (5, "Above the Break 3"),
            (6, "Left Corner 3"),
            (6, "Right Corner 3"),
            (7, "Backcourt"),
        }
        assert number(default_season.filter(zone_basic="Left Corner 3")["x_ft"].min()) > 0
        assert set(default_season.filter(zone_basic="Mid-Range")["zone_area"]) == {
            "Center",
            "Left Side",
            "Right Side",
            "Left Side Center",
            "Right Side Center",
        }

    def test_schedule_is_a_season_of_the_league(self, default_season: pl.DataFrame) -> None:
        """1230 games from October to April, 82 a team, half at home, at most one a day."""
        games = default_season.unique("game_id").select(
            "game_id", "game_date", "home_team", "away_team"
        )
        assert games["game_id"].sort().to_list() == list(range(22200001, 22201231))
        assert day(games["game_date"].min()).isoformat() == "2022-10-18"
        assert day(games["game_date"].max()).month == 4
        home, away = games["home_team"].value_counts(), games["away_team"].value_counts()
        assert home["count"].is_between(40, 42).all()
        assert (home.join(away, left_on="home_team", right_on="away_team").height) == 30
        played = pl.concat(
            [games.select("game_date", team=side) for side in ("home_team", "away_team")]
        )
        assert played["team"].value_counts()["count"].to_list() == [82] * 30
        assert played.is_unique().all()

    def test_a_team_shoots_only_in_its_own_games(self, default_season: pl.DataFrame) -> None:
        """Both teams of a game shoot, nobody else, and a player shoots for one team."""
        per_game = default_season.group_by("game_id").agg(pl.col("team_id").n_unique())
        assert per_game["team_id"].to_list() == [2] * 1230
        assert (
            default_season.group_by("player_id").agg(pl.col("team_id").n_unique())["team_id"].max()
            == 1
        )

    def test_few_games_spread_over_the_whole_season(self) -> None:
        """A short league still runs from October to spring."""
        shots = generate(SyntheticConfig(seasons=(2023,), games_a_season=60))
        assert shots["game_id"].n_unique() == 60
        assert day(shots["game_date"].min()).month == 10
        assert day(shots["game_date"].max()).isoformat() > "2023-02-20"

    def test_the_scale_multiplies_the_shots(self) -> None:
        """Half the scale gives about half the shots."""
        whole = generate(SMALL).height
        half = generate(SyntheticConfig(seasons=(2023,), games_a_season=12, shots_scale=0.5)).height
        assert 0.44 < half / whole < 0.56


class TestRepeatability:
    """The same config gives the same bytes."""

    def test_same_config_same_bytes(self) -> None:
        """Two runs write the same file."""
        assert generate(SMALL).write_csv() == generate(SMALL).write_csv()

    def test_another_seed_is_another_league(self) -> None:
        """Seeds differ in shots and in names."""
        other = generate(SyntheticConfig(seed=2, seasons=(2023,), games_a_season=12))
        assert not set(other["player_name"]) >= set(generate(SMALL)["player_name"])

    def test_a_season_does_not_depend_on_the_others(self) -> None:
        """A longer run extends a shorter one."""
        longer = generate(SyntheticConfig(seasons=(2021, 2023), games_a_season=12))
        assert longer.filter(pl.col("season") == 2023).equals(generate(SMALL))

    @settings(max_examples=12, deadline=None)
    @given(
        seed=st.integers(0, 2**40),
        season=st.integers(2001, 2100),
        games=st.integers(1, 20),
        scale=st.floats(0.05, 1.5),
    )
    def test_any_league_is_valid(self, seed: int, season: int, games: int, scale: float) -> None:
        """Whatever the config, rows are valid, keys unique and probabilities inside (0, 1)."""
        config = SyntheticConfig(
            seed=seed, seasons=(season,), games_a_season=games, shots_scale=scale
        )
        shots = generate(config)
        assert shots.height == season_size(config, season)
        assert schema.split_valid(shots.drop(P_TRUE), "test").bad.is_empty()
        assert shots.select(schema.KEY).is_unique().all()
        assert shots[P_TRUE].is_between(0, 1, closed="none").all()

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"seed": -1}, "seed is -1"),
            ({"seasons": ()}, "at least one"),
            ({"seasons": (2023, 2022)}, "ascending"),
            ({"seasons": (1999,)}, "2001 to 2100"),
            ({"games_a_season": 0}, "1 to 1230"),
            ({"shots_scale": float("nan")}, "0.05 to 4"),
        ],
    )
    def test_impossible_leagues_are_refused(self, wrong: dict[str, Any], said: str) -> None:
        """The message says what is allowed."""
        with pytest.raises(SettingsError, match=said):
            SyntheticConfig(**wrong)


class TestPlayers:
    """Players persist and change slowly."""

    def test_players_keep_id_name_and_most_of_their_skill(self) -> None:
        """From one season to the next four in five stay; their skill correlates by 0.9."""
        config = SyntheticConfig()
        before, after = season_players(config, 2022), season_players(config, 2023)
        both = before.join(after, on=["player_id", "player_name"])
        assert 0.75 < both.height / before.height < 0.92
        assert both.height == len(set(before["player_id"]) & set(after["player_id"]))
        skill = pl.corr("skill_restricted_area", "skill_restricted_area_right")
        assert 0.85 < both.select(skill).item() < 0.97
        moved = number((both["team_id"] != both["team_id_right"]).mean())
        assert 0.05 < moved < 0.35

    def test_the_mean_player_is_average_in_every_zone(self) -> None:
        """Frozen facts freeze the league's rates, whatever season it plays."""
        config = SyntheticConfig(seasons=(2005, 2030), games_a_season=300, facts_of=2015)
        rates = generate(config).group_by("season").agg(pl.col(P_TRUE).mean())[P_TRUE]
        assert rates[0] == pytest.approx(rates[1], abs=0.004)

    def test_positions_are_played(self) -> None:
        """Guards, forwards and centres all exist, centres least."""
        counts = dict(
            season_players(SyntheticConfig(), 2023)["position"].value_counts().iter_rows()
        )
        assert set(counts) == {"G", "F", "C"}
        assert counts["C"] == min(counts.values())

    def test_no_two_players_share_a_name(self) -> None:
        """Names are unique over a century of a league."""
        assert len({player_name(7, number) for number in range(12_000)}) == 12_000


class TestPick:
    """Draws from many distributions at once."""

    @given(
        weights=st.lists(
            st.lists(st.floats(0.0, 10.0), min_size=3, max_size=3).filter(lambda w: sum(w) > 0.1),
            min_size=1,
            max_size=5,
        ),
        u=st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=20),
    )
    def test_agrees_with_a_search_in_the_row(
        self, weights: list[list[float]], u: list[float]
    ) -> None:
        """Every draw is the one that its own row's cumulated shares give, to rounding."""
        cumulated = np.cumsum(weights, axis=1)
        cumulated /= cumulated[:, -1:]
        rows = np.arange(len(u)) % len(weights)
        found = pick(cumulated, rows, np.array(u))
        for row, drawn, column in zip(rows, u, found, strict=True):
            assert cumulated[row, column] >= drawn - 1e-9
            assert column == 0 or cumulated[row, column - 1] <= drawn + 1e-9


def test_without_drift_keeps_the_rest() -> None:
    """Only the drift is dropped."""
    config = SyntheticConfig(seed=5, drift=Drift(more_threes=2023))
    assert config.without_drift() == SyntheticConfig(seed=5)
