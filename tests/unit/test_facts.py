"""Facts of single shots, and of many by day."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots.facts import ARRAYS, NO_ACTION, Facts, from_records, normal_action
from parivision.shots.league import UNKNOWN_TEAM
from tiny_league import BOS, LAL

TODAY = date(2024, 2, 3)
SMALL = {"player_id": 7, "period": 2, "clock_s": 30.5, "x_ft": 1.0, "y_ft": 24.0}
FULL = {
    **SMALL,
    "game_date": date(1970, 1, 11),
    "team_id": LAL,
    "home_team": "BOS",
    "away_team": "LAL",
    "shot_value": 2,
    "action_type": "  Driving  LAYUP Shot ",
    "since_last_shot_s": 12,
    "last_shot_own": True,
    "last_shot_made": 0,
    "player_attempts": 3,
    "player_makes": 1,
}


def test_five_facts_are_enough():
    """What a record does not say is today, by the place, or not known."""
    facts = from_records([SMALL], TODAY)
    assert facts.day[0] == (TODAY - date(1970, 1, 1)).days
    assert (facts.shot_value[0], facts.action[0], facts.actions) == (3, NO_ACTION, ())
    assert facts.team_id[0] == facts.opponent_id[0] == UNKNOWN_TEAM
    for name in ("is_home", "since_last_shot_s", "last_shot_own", "player_attempts"):
        assert np.isnan(getattr(facts, name)[0])


def test_a_full_record_is_taken_at_its_word():
    """Every fact that is given is used, the points even against the place."""
    facts = from_records([FULL], TODAY)
    assert (facts.day[0], facts.shot_value[0], facts.is_home[0]) == (10, 2, 0.0)
    assert (facts.team_id[0], facts.opponent_id[0]) == (LAL, BOS)
    assert facts.actions == ("driving layup shot",)
    state = (facts.since_last_shot_s, facts.last_shot_own, facts.last_shot_made)
    assert [float(values[0]) for values in state] == [12.0, 1.0, 0.0]
    assert (facts.player_attempts[0], facts.player_makes[0]) == (3.0, 1.0)


def test_null_stands_for_not_known():
    """A fact given as None is a fact not given."""
    nulls = {name: None for name in FULL if name not in SMALL}
    one, other = from_records([SMALL], TODAY), from_records([{**SMALL, **nulls}], TODAY)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize(
    "teams",
    [
        {"home_team": "BOS", "away_team": "LAL"},
        {"away_team": "LAL"},
        {"team_id": BOS},
        {"team_id": BOS, "home_team": "BOS"},
        {"team_id": BOS, "home_team": "EST", "away_team": "WST"},
    ],
)
def test_home_and_opponent_are_known_together_or_not_at_all(teams):
    """Without the shooter's team and both abbreviations neither can be told."""
    facts = from_records([{**SMALL, **teams}], TODAY)
    assert facts.opponent_id[0] == UNKNOWN_TEAM
    assert np.isnan(facts.is_home[0])


def test_no_records_are_no_shots():
    """Zero records give facts of zero shots, of the right types."""
    facts = from_records([], TODAY)
    assert len(facts) == 0
    assert facts.actions == ()
    assert list(facts.by_day()) == []
    assert facts.player_id.dtype == np.int64
    assert len(facts.take(slice(0, 5)).without_action()) == 0


@given(st.integers(2**24, 2**63 - 1))
def test_large_numbers_of_players_are_kept_exactly(player):
    """An id is a whole number to the last digit."""
    facts = from_records([{**SMALL, "player_id": player}, {**SMALL, "player_id": 1}], TODAY)
    assert facts.player_id.tolist() == [player, 1]


def test_actions_share_a_vocabulary():
    """Spellings of the same words are one action; blank words are none."""
    words = ["Jump Shot", "jump  shot", "", "   ", None, "Hook Shot"]
    facts = from_records([{**SMALL, "action_type": text} for text in words], TODAY)
    assert facts.actions == ("hook shot", "jump shot")
    assert facts.action.tolist() == [1, 1, NO_ACTION, NO_ACTION, NO_ACTION, 0]
    assert facts.without_action().action.tolist() == [NO_ACTION] * 6


@given(st.text())
def test_normal_words_stay_as_they_are(text):
    """Normalising twice changes nothing more, and leaves no space at the ends."""
    once = normal_action(text)
    assert normal_action(once) == once == once.strip()


@given(st.lists(st.integers(0, 5), max_size=20).map(sorted))
def test_days_cover_all_rows_in_order(days):
    """Each day comes once, in order, with all of its rows and no other."""
    records = [{**SMALL, "game_date": date(1970, 1, 1 + day)} for day in days]
    facts: Facts = from_records(records, TODAY)
    found = [(day, row) for day, rows in facts.by_day() for row in range(len(facts))[rows]]
    assert found == [(day, row) for row, day in enumerate(days)]


@pytest.mark.parametrize(("day", "expected"), [(None, 0), (-9, 0), (-8, 2), (0, 3), (5, 4), (6, 4)])
def test_later_days_are_found_in_any_year(day, expected):
    """The rows after a day are those of later days, before 1970 too; after None they are all."""
    days = [date(1969, 12, 24), date(1969, 12, 24), date(1970, 1, 1), date(1970, 1, 6)]
    facts = from_records([{**SMALL, "game_date": played} for played in days], TODAY)
    assert facts.after(day) == slice(expected, 4)
