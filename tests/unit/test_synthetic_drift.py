"""The drift switches of the synthetic league, and the league as a source."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import SettingsError, SourceError
from parivision.shots import court, schema
from parivision.sources.feed22 import FORMAT
from parivision.sources.synthetic import P_TRUE, Drift, SyntheticConfig, SyntheticSource, generate
from scalars import number

START = date(2023, 1, 15)
GAMES = 400
PLACE = ["x_ft", "y_ft", "distance_ft"]


def league(**drift: object) -> pl.DataFrame:
    """The season 2023 with some drift."""
    return generate(
        SyntheticConfig(seasons=(2023,), games_a_season=GAMES, drift=Drift(**drift))  # type: ignore[arg-type]
    )


@pytest.fixture(scope="module")
def quiet() -> pl.DataFrame:
    """The season without drift."""
    return league()


def after(shots: pl.DataFrame) -> pl.DataFrame:
    """The rows in the drift."""
    return shots.filter(pl.col("game_date") >= START)


def before(shots: pl.DataFrame) -> pl.DataFrame:
    """The rows ahead of it."""
    return shots.filter(pl.col("game_date") < START)


@pytest.mark.parametrize(
    ("switch", "touched"),
    [
        ({"relabel_actions": START}, ["action_type"]),
        ({"moved_coordinates": START}, ["y_ft", "distance_ft"]),
        ({"moved_coordinates": START, "frame": "tenfold"}, ["x_ft", "y_ft"]),
        ({"skill_change": START}, ["made", P_TRUE]),
        ({"shuffled_outcomes": START}, ["made"]),
    ],
)
def test_a_switch_touches_its_columns_from_its_start_on(
    quiet: pl.DataFrame, switch: dict[str, Any], touched: list[str]
) -> None:
    """Earlier rows, and all other columns of later rows, stay as they were."""
    drifted = league(**switch)
    assert_frame_equal(before(drifted), before(quiet))
    assert_frame_equal(drifted.drop(touched), quiet.drop(touched))
    for column in touched:
        assert not after(drifted)[column].equals(after(quiet)[column])


def test_more_threes_moves_shots_out(quiet: pl.DataFrame) -> None:
    """The share of threes grows by 0.07 to 0.12; games, and earlier rows, stay."""
    drifted = league(more_threes=START)
    assert_frame_equal(before(drifted), before(quiet))
    assert drifted["game_id"].equals(quiet["game_id"])
    assert drifted["event_id"].equals(quiet["event_id"])
    grown = number((after(drifted)["shot_value"] == 3).mean()) - number(
        (after(quiet)["shot_value"] == 3).mean()
    )
    assert 0.07 < grown < 0.12
    assert schema.split_valid(drifted.drop(P_TRUE), "test").bad.is_empty()


def test_relabelling_keeps_the_words_but_not_their_meaning(quiet: pl.DataFrame) -> None:
    """Shares of words stay within 0.01 while make rates of layups and dunks move by over 0.1."""
    changed = after(league(relabel_actions=START))
    old, new = (_words(shots) for shots in (after(quiet), changed))
    shares = old.join(new, on="action_type", how="full").fill_null(0.0)
    assert number((shares["share"] - shares["share_right"]).abs().max()) < 0.01
    moved = {
        word: new.filter(action_type=word)["made"].item()
        - old.filter(action_type=word)["made"].item()
        for word in ("Driving Layup Shot", "Cutting Dunk Shot", "Putback Layup Shot")
    }
    assert moved["Driving Layup Shot"] > 0.1
    assert moved["Cutting Dunk Shot"] < -0.3
    far = after(quiet)["distance_ft"] >= 18
    assert changed.filter(far)["action_type"].equals(after(quiet).filter(far)["action_type"])


def test_half_a_relabelling_does_half(quiet: pl.DataFrame) -> None:
    """The share of relabelled shots is a setting."""
    whole = after(league(relabel_actions=START))["action_type"]
    half = after(league(relabel_actions=START, relabelled_share=0.5))["action_type"]
    old = after(quiet)["action_type"]
    assert number((half != old).mean()) == pytest.approx(
        number((whole != old).mean()) / 2, abs=0.02
    )


def test_the_baseline_frame_stays_valid(quiet: pl.DataFrame) -> None:
    """Rows counted from the baseline pass the door, with larger y and distance."""
    moved = after(league(moved_coordinates=START))
    assert schema.split_valid(moved.drop(P_TRUE), "test").bad.is_empty()
    near = after(quiet)["y_ft"] < 80
    assert ((moved["y_ft"] - after(quiet)["y_ft"]).filter(near).round(6) == 5.2).all()


def test_the_tenfold_frame_is_the_archives_odd_one(quiet: pl.DataFrame) -> None:
    """Turned back as the archive's odd seasons are, places are right to half a foot."""
    moved = league(moved_coordinates=2023, frame="tenfold")
    x, y = -10 * moved["x_ft"], 10 * moved["y_ft"] + court.BASELINE_Y_FT
    assert number((x - quiet["x_ft"]).abs().max()) <= 0.51
    assert number((y - quiet["y_ft"]).abs().max()) <= 0.51
    assert schema.split_valid(moved.drop(P_TRUE), "test", check_geometry=False).bad.is_empty()
    assert schema.split_valid(moved.drop(P_TRUE), "test").bad.height > 0.7 * moved.height


def test_shuffled_outcomes_tell_nothing_of_the_shot(quiet: pl.DataFrame) -> None:
    """As many go in as did, and likely shots no more often than others."""
    mixed, true = after(league(shuffled_outcomes=START)), after(quiet)
    assert mixed["made"].sum() == true["made"].sum()
    for table, least, most in ((true, 0.15, 1.0), (mixed, -0.05, 0.05)):
        is_likely = table[P_TRUE] > number(table[P_TRUE].median())
        rates = [number(table.filter(chosen)["made"].mean()) for chosen in (is_likely, ~is_likely)]
        assert least < rates[0] - rates[1] < most


def test_a_skill_change_may_hit_some_players(quiet: pl.DataFrame) -> None:
    """Players are hit all or not at all, and about the share that was asked for."""
    drifted = after(league(skill_change=START, skill_share=0.4, skill_log_odds=-0.5))
    marked = drifted.select("player_id", hit=drifted[P_TRUE] < after(quiet)[P_TRUE])
    by_player = marked.group_by("player_id").agg(pl.col("hit").mean())["hit"]
    assert set(by_player) == {0.0, 1.0}
    assert 0.3 < number(by_player.mean()) < 0.5


def test_switches_do_not_disturb_each_other() -> None:
    """All at once give each column what its own switch gives."""
    both = league(relabel_actions=START, moved_coordinates=START, skill_change=START)
    assert both["action_type"].equals(league(relabel_actions=START)["action_type"])
    assert both[PLACE].equals(league(moved_coordinates=START)[PLACE])
    assert both["made"].equals(league(skill_change=START)["made"])


def test_a_season_as_start_means_its_first_day(quiet: pl.DataFrame) -> None:
    """Season 2023 starts a drift before its first game, season 2024 after its last."""
    assert league(skill_change=2024).equals(quiet)
    assert (league(skill_change=2023)[P_TRUE] < quiet[P_TRUE]).all()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"relabelled_share": 1.5}, "share from 0 to 1"),
        ({"skill_share": -0.1}, "share from 0 to 1"),
        ({"skill_log_odds": float("inf")}, "finite"),
        ({"frame": "metres"}, "'baseline' or 'tenfold'"),
    ],
)
def test_impossible_strengths_are_refused(wrong: dict[str, Any], said: str) -> None:
    """The message says what is allowed."""
    with pytest.raises(SettingsError, match=said):
        Drift(**wrong)


class TestSource:
    """The league as a source of feed records."""

    CONFIG = SyntheticConfig(seasons=(2022, 2023), games_a_season=3)

    def test_records_are_the_leagues_shots(self) -> None:
        """Converted, the records are the table, row by row."""
        source = SyntheticSource(self.CONFIG, batch_rows=200)
        records = pl.concat([batch.records for batch in source.batches()])
        assert source.format == "feed22"
        converted = FORMAT.to_shots(records)
        assert converted.bad.is_empty()
        assert_frame_equal(converted.shots, generate(self.CONFIG).drop(P_TRUE))

    @settings(max_examples=6, deadline=None)
    @given(rows=st.integers(100, 700), stop=st.integers(0, 8))
    def test_resumes_behind_any_batch(self, rows: int, stop: int) -> None:
        """Whatever the batch size, stopping and resuming loses and repeats nothing."""
        source = SyntheticSource(self.CONFIG, batch_rows=rows)
        seen, cursor = [], None
        for position, batch in enumerate(source.batches()):
            seen.append(batch.records)
            cursor = batch.cursor
            if position == stop:
                break
        rest = [batch.records for batch in SyntheticSource(self.CONFIG).batches(cursor)]
        whole = pl.concat([batch.records for batch in source.batches()])
        assert_frame_equal(pl.concat(seen + rest), whole)

    def test_an_added_season_follows_the_old_cursor(self) -> None:
        """A cursor at the end of a league goes on with a season that was added."""
        *_, end = SyntheticSource(self.CONFIG).batches()
        assert list(SyntheticSource(self.CONFIG).batches(end.cursor)) == []
        longer = SyntheticSource(
            SyntheticConfig(seasons=(2022, 2023, 2024), games_a_season=3, drift=Drift(2024))
        )
        assert longer.name == SyntheticSource(self.CONFIG).name
        (added,) = longer.batches(end.cursor)
        assert added.records["Game ID"].str.starts_with("223").all()

    @pytest.mark.parametrize("seasons", [(2021, 2022, 2023), (2022,), (2022, 2024)])
    def test_other_seasons_do_not_take_over_a_cursor(self, seasons: tuple[int, ...]) -> None:
        """A set of seasons that a cursor could pass over has another name; a prefix shares it."""
        other = SyntheticSource(SyntheticConfig(seasons=seasons, games_a_season=3))
        shares = other.name == SyntheticSource(self.CONFIG).name
        assert shares == (seasons == (2022,))

    @pytest.mark.parametrize("cursor", ["", "12", "2023:-1", "x:y", "2023:1;", "2023:1\n"])
    def test_a_foreign_cursor_is_refused(self, cursor: str) -> None:
        """The message says what a cursor looks like."""
        with pytest.raises(SourceError, match="expected one like"):
            list(SyntheticSource(self.CONFIG).batches(cursor))


def _words(shots: pl.DataFrame) -> pl.DataFrame:
    """Share and make rate of each action near the hoop."""
    near = shots.filter(pl.col("distance_ft") < 16)
    return near.group_by("action_type").agg(
        share=pl.len() / np.float64(near.height), made=pl.col("made").mean()
    )
