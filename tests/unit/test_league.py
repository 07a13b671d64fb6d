"""Teams and who meets whom."""

import pytest

from parivision.shots.league import FRANCHISE, TEAM_ABBREVIATIONS, UNKNOWN_TEAM, opponent_id
from tiny_league import BOS, DEN, LAL

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("team", "home", "away", "expected"),
    [
        (BOS, "BOS", "LAL", LAL),
        (LAL, "BOS", "LAL", BOS),
        (DEN, "BOS", "LAL", UNKNOWN_TEAM),
        (BOS, "BOS", "EST", UNKNOWN_TEAM),
        (BOS, "WST", "BOS", UNKNOWN_TEAM),
        (1, "EST", "WST", UNKNOWN_TEAM),
        (UNKNOWN_TEAM, "BOS", "LAL", UNKNOWN_TEAM),
        (UNKNOWN_TEAM, "EST", "LAL", UNKNOWN_TEAM),
    ],
)
def test_the_opponent_is_the_other_team(team, home, away, expected):
    """A shooter's opponent is the other team of the game; who plays elsewhere has none."""
    assert opponent_id(team, home, away) == expected


def test_a_franchise_keeps_its_number_when_it_moves():
    """There are 30 franchises, and every abbreviation belongs to one of them only."""
    assert len(TEAM_ABBREVIATIONS) == 30
    assert sum(len(names) for names in TEAM_ABBREVIATIONS.values()) == len(FRANCHISE)
    assert FRANCHISE["SEA"] == FRANCHISE["OKC"]
    assert FRANCHISE["NJN"] == FRANCHISE["BKN"]
