"""Facts that cannot be true together: tables and every kind of request refuse the same."""

import json
from typing import Any

import pytest

from parivision.serving import columns, fast_path
from parivision.serving.requests import Refusal, parse
from parivision.shots import schema
from parivision.shots.contradictions import SHORTEST_THREE_FT
from parivision.shots.league import ALL_STAR_TEAMS, FRANCHISE, OTHER_SPELLINGS
from request_kinds import GOOD, WAYS, as_tensors
from tiny_league import DEN, LAL, shot, table

CANNOT = [
    ({"period": 5, "clock_s": 720}, "clock_s"),
    ({"period": 5, "clock_s": 301}, "clock_s"),
    ({"period": 14, "clock_s": 301}, "clock_s"),
    ({"x_ft": 0.0, "y_ft": 1.0, "shot_value": 3}, "shot_value"),
    ({"x_ft": 0.0, "y_ft": 0.0, "shot_value": 3}, "shot_value"),
    ({"x_ft": -14.0, "y_ft": 15.0, "shot_value": 3}, "shot_value"),
    ({"home_team": "LAL"}, "away_team"),
    ({"home_team": "PHO", "away_team": "PHX", "team_id": DEN}, "away_team"),
    ({"home_team": "NJN", "away_team": "BKN", "team_id": DEN}, "away_team"),
    ({"home_team": "BRK", "away_team": "bkn", "team_id": DEN}, "away_team"),
    ({"home_team": "EST", "away_team": "EST"}, "away_team"),
    ({"team_id": DEN}, "team_id"),
    ({"team_id": 2}, "team_id"),
]
CAN = [
    {},
    {"period": 5, "clock_s": 300},
    {"period": 4, "clock_s": 720},
    {"x_ft": 22.0, "y_ft": 0.0, "shot_value": 3},
    {"x_ft": -21.7, "y_ft": 3.0, "shot_value": 3},
    {"x_ft": 0.0, "y_ft": SHORTEST_THREE_FT, "shot_value": 3},
    {"x_ft": 1.0, "y_ft": 60.0, "shot_value": 2},
    {"team_id": LAL},
    {"home_team": "EST", "away_team": "WST"},
    {"home_team": "LBN", "away_team": "GNS", "team_id": DEN},
    {"home_team": " bos", "away_team": "Lal"},
    {"home_team": "SEA", "away_team": "NJN", "team_id": FRANCHISE["OKC"]},
    {"home_team": "NO", "away_team": "UTAH", "team_id": FRANCHISE["NOP"]},
]
PREFIX = {"/predict, a list": "shots[1].", "/predict, lines": ""}


def reasons(facts: dict[str, Any]) -> list[str]:
    """Why the rules of the table refuse a shot with these facts."""
    return schema.split_valid(table(shot(**facts)), "here").bad[schema.REASON].to_list()


@pytest.mark.parametrize(("facts", "field"), CANNOT)
@pytest.mark.parametrize("way", WAYS)
def test_a_request_is_refused_by_the_field(way: str, facts: dict[str, Any], field: str) -> None:
    """However it comes, the refusal is a 422 that names the field, what was expected and came."""
    with pytest.raises(Refusal) as caught:
        WAYS[way]({**GOOD, **facts})
    suffix = "[1]" if way == "/predict, columns" else ""
    (problem,) = caught.value.problems
    assert caught.value.status == 422
    assert problem.field == f"{PREFIX.get(way, '')}{field}{suffix}"
    assert json.loads(problem.got) == {**GOOD, **facts}[field]
    assert problem.expected in caught.value.sentence


@pytest.mark.parametrize(("facts", "field"), CANNOT)
def test_a_row_goes_to_quarantine(facts: dict[str, Any], field: str) -> None:
    """The same facts in a table are refused, with a reason that names the column."""
    (reason,) = reasons({**GOOD, **facts})
    assert field in reason


@pytest.mark.parametrize("facts", CAN)
def test_what_can_be_is_taken_everywhere(facts: dict[str, Any]) -> None:
    """Ends of ranges, All Star games, former homes of franchises, and other spellings."""
    for way in WAYS.values():
        way({**GOOD, **facts})
    assert reasons({**GOOD, **facts}) == []


def test_what_is_not_known_contradicts_nothing() -> None:
    """A request without team, value or one side of the game has nothing to contradict."""
    for name in ("team_id", "home_team", "away_team"):
        facts = {**GOOD, "team_id": DEN, "home_team": "BOS", "shot_value": None, name: None}
        parse(json.dumps(facts).encode())
        columns.parse(as_tensors(GOOD, facts))


def test_the_check_of_places_can_be_left_out() -> None:
    """Where places are in another frame a three may seem to come from the hoop."""
    rows = table(shot(x_ft=0.0, y_ft=1.0, shot_value=3))
    assert len(schema.split_valid(rows, "here", check_geometry=False).good) == 1


@pytest.mark.parametrize("team", [*FRANCHISE, *ALL_STAR_TEAMS, *OTHER_SPELLINGS, "bos", " GSW "])
def test_known_teams_are_taken(team: str) -> None:
    """Every abbreviation and spelling that is known; the usual ones go the quick way."""
    facts = {**GOOD, "team_id": None, "home_team": team, "away_team": None}
    for way in WAYS.values():
        way(facts)
    body = json.dumps(facts).encode()
    assert (fast_path.shot(body) is not None) == (team in {*FRANCHISE, *ALL_STAR_TEAMS})


@pytest.mark.parametrize("name", ["home_team", "away_team"])
@pytest.mark.parametrize("team", ["XYZ", "Boston Celtics", "BOSTON", "?", "0", "   ", "BOS\x00"])
@pytest.mark.parametrize("way", WAYS)
def test_a_team_that_is_not_known_is_named(way: str, team: str, name: str) -> None:
    """Nobody gets an answer that silently knows no opponent: null says that on purpose."""
    with pytest.raises(Refusal, match=f"{name}.*null for any other"):
        WAYS[way]({**GOOD, name: team})
    WAYS[way]({**GOOD, name: None})
