"""From tables to facts: the state of the game, and the same facts as single records give."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.features import tables
from parivision.features.form import Form
from parivision.features.kernel import FEATURE_SETS, GAME
from parivision.features.rows import advance, lookup
from parivision.shots.facts import ARRAYS, NO_ACTION, Facts, from_records
from parivision.shots.game_clock import elapsed_s
from tiny_league import DEN, LAL, SMALL_TABLES, shot, table

NAN = float("nan")
TODAY = date(2000, 1, 1)


def _records(shots: pl.DataFrame, facts: Facts) -> list[dict[str, Any]]:
    """What a client would send of the same shots: raw facts and the state of the game."""
    names = ("game_date", "player_id", "team_id", "home_team", "away_team", "period", "clock_s")
    rows = shots.select(*names, "x_ft", "y_ft", "shot_value", "action_type").to_dicts()
    for index, row in enumerate(rows):
        for name in GAME:
            value = float(getattr(facts, name)[index])
            row[name] = None if np.isnan(value) else value
    return rows


def _words(facts: Facts) -> list[str | None]:
    return [None if code == NO_ACTION else facts.actions[code] for code in facts.action]


def _assert_same(one: Facts, other: Facts) -> None:
    assert _words(one) == _words(other)
    for name in ARRAYS:
        if name != "action":
            left, right = getattr(one, name), getattr(other, name)
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes(), name


# One game, second by second: the shot, then what is known of the game before it.
GOLDEN = [
    ({"player_id": 1, "clock_s": 700, "made": 1}, (NAN, NAN, NAN, 0, 0)),
    ({"player_id": 2, "clock_s": 690, "team_id": LAL, "made": 0}, (10, 0, 1, 0, 0)),
    ({"player_id": 2, "clock_s": 688, "team_id": LAL, "made": 1}, (2, 1, 0, 1, 0)),
    # A put-back within the same second: neither sees the other.
    ({"player_id": 1, "clock_s": 650, "made": 0}, (38, 0, 1, 1, 1)),
    ({"player_id": 3, "clock_s": 650, "made": 1}, (38, 0, 1, 0, 0)),
    ({"player_id": 1, "clock_s": 640, "made": 0}, (10, 1, 1, 2, 1)),
    ({"player_id": 2, "clock_s": 0, "team_id": LAL, "made": 1}, (640, 0, 0, 2, 1)),
    # The next period begins in the second in which the last one ended.
    ({"player_id": 1, "period": 2, "clock_s": 720, "made": 1}, (640, 1, 0, 3, 1)),
    ({"player_id": 1, "period": 4, "clock_s": 5, "made": 1}, (2155, 1, 1, 4, 2)),
    ({"player_id": 1, "period": 5, "clock_s": 290, "made": 1}, (15, 1, 1, 5, 3)),
    ({"player_id": 2, "period": 6, "clock_s": 300, "team_id": LAL, "made": 0}, (290, 0, 1, 3, 2)),
]


def _golden_table() -> pl.DataFrame:
    rows = [shot(event_id=event, **facts) for event, (facts, _) in enumerate(GOLDEN)]
    elsewhere = shot(game_id=22200002, home_team="LAL", away_team="DEN", team_id=DEN, player_id=1)
    return tables.in_time_order(table(*rows, elsewhere))


def test_the_state_of_the_game_is_what_had_happened_in_it():
    """Shots see earlier seconds of their own game: the golden game, second by second."""
    facts = tables.facts_from_shots(_golden_table())
    found = [[float(getattr(facts, name)[row]) for name in GAME] for row in range(len(GOLDEN))]
    np.testing.assert_array_equal(found, [state for _, state in GOLDEN])
    np.testing.assert_array_equal(
        [float(getattr(facts, name)[-1]) for name in GAME], [NAN, NAN, NAN, 0, 0]
    )


@settings(max_examples=40)
@given(SMALL_TABLES)
def test_the_state_of_the_game_is_what_counting_by_hand_gives(shots):
    """On any table each shot knows the shots of its game in earlier seconds, and nothing else."""
    facts = tables.facts_from_shots(shots)
    at = elapsed_s(facts.period, facts.clock_s)
    rows = shots.to_dicts()
    for index, row in enumerate(rows):
        same_game = [i for i, other in enumerate(rows) if other["game_id"] == row["game_id"]]
        earlier = [i for i in same_game if at[i] < at[index]]
        own = [i for i in earlier if rows[i]["player_id"] == row["player_id"]]
        assert facts.player_attempts[index] == len(own)
        assert facts.player_makes[index] == sum(rows[i]["made"] for i in own)
        if not earlier:
            assert np.isnan(facts.since_last_shot_s[index])
            continue
        last = max(earlier, key=lambda i: (at[i], i))
        assert facts.since_last_shot_s[index] == at[index] - at[last]
        assert facts.last_shot_own[index] == (rows[last]["team_id"] == row["team_id"])
        assert facts.last_shot_made[index] == rows[last]["made"]


@settings(max_examples=40)
@given(SMALL_TABLES, st.randoms())
def test_the_table_need_not_be_sorted(shots, random):
    """Rows in any order get the same facts, as long as shots of the same second keep theirs."""
    facts = tables.facts_from_shots(shots)
    second = pl.Series("at_s", elapsed_s(facts.period, facts.clock_s))
    unique = shots.with_columns(second).unique(["game_id", "at_s"], maintain_order=True)
    order = random.sample(range(len(unique)), len(unique))
    sorted_facts, facts = (tables.facts_from_shots(rows) for rows in (unique, unique[order]))
    for name in ARRAYS:
        if name != "action":
            expected = getattr(sorted_facts, name)[order]
            np.testing.assert_array_equal(getattr(facts, name), expected)


@settings(max_examples=40)
@given(SMALL_TABLES)
def test_training_and_serving_see_the_same(shots):
    """A table's shots and the same shots as single records give the same features, bit by bit."""
    facts = tables.facts_from_shots(shots)
    single = from_records(_records(shots, facts), TODAY)
    _assert_same(facts, single)
    form = Form()
    advance(form, facts, tables.made_array(shots))
    for names in FEATURE_SETS.values():
        trained = lookup(form, facts, names).values
        served = lookup(form, single, names).values
        assert trained.tobytes() == served.tobytes()


def test_training_and_serving_see_the_same_on_a_league(synthetic_shots, small_bundle):
    """Thousands of synthetic shots: the same features and the same probabilities, bit by bit."""
    facts = tables.facts_from_shots(synthetic_shots)
    single = from_records(_records(synthetic_shots, facts), TODAY)
    _assert_same(facts, single)
    assert small_bundle.predict(facts).tobytes() == small_bundle.predict(single).tobytes()


SPELLINGS = ("Jump Shot", " jump\tSHOT ", "jump\x1cshot", "JUMP\xa0SHOT", "\x1f", "", "İ", "ΑΣ")


@given(st.lists(st.none() | st.sampled_from(SPELLINGS) | st.text(max_size=6), max_size=8))
def test_words_are_normalised_alike(words):
    """Any spelling of an action is the same action for training and for serving."""
    shots = table(*(shot(action_type=text, event_id=i) for i, text in enumerate(words)))
    facts = tables.facts_from_shots(shots)
    single = from_records(_records(shots, facts), TODAY)
    assert _words(facts) == _words(single)
    assert facts.actions == single.actions


def test_an_empty_table_has_no_facts():
    """No rows give facts of zero shots, of the right types."""
    facts, none = tables.facts_from_shots(table()), from_records([], TODAY)
    _assert_same(facts, none)
    assert tables.made_array(table()).shape == (0,)


def test_a_table_without_action_types_has_none():
    """Where no action was ever told, no shot has one."""
    facts = tables.facts_from_shots(table(shot(action_type=None), shot(action_type=None)))
    assert facts.actions == ()
    assert facts.action.tolist() == [NO_ACTION, NO_ACTION]


def test_teams_of_other_leagues_are_not_known():
    """In an All Star game nobody has an opponent and nobody plays at home."""
    facts = tables.facts_from_shots(table(shot(home_team="EST", away_team="WST")))
    assert facts.opponent_id.tolist() == [0]
    assert np.isnan(facts.is_home).all()


def test_time_order_is_total():
    """Day, game, period, falling clock, event: two shuffles of a table come out the same."""
    shots = _golden_table()
    for seed in (1, 2):
        assert tables.in_time_order(shots.sample(fraction=1, shuffle=True, seed=seed)).equals(shots)
    clock = shots.filter(pl.col("game_id") == 22200001, pl.col("period") == 1)["clock_s"].to_list()
    assert clock == sorted(clock, reverse=True)


@pytest.mark.parametrize("twice", [1, 2])
def test_doubled_rows_do_not_multiply(twice):
    """A key that comes twice is counted twice, and never joined to more rows than there are."""
    shots = pl.concat([_golden_table()] * twice)
    facts = tables.facts_from_shots(shots)
    assert len(facts.player_attempts) == len(shots)
