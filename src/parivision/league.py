"""The league's teams: franchise ids, the abbreviations they have played under, who meets whom."""

from types import MappingProxyType
from typing import Final

TEAM_ABBREVIATIONS: Final = MappingProxyType(
    {
        1610612737: ("ATL",),
        1610612738: ("BOS",),
        1610612739: ("CLE",),
        1610612740: ("NOP", "NOH", "NOK"),
        1610612741: ("CHI",),
        1610612742: ("DAL",),
        1610612743: ("DEN",),
        1610612744: ("GSW",),
        1610612745: ("HOU",),
        1610612746: ("LAC",),
        1610612747: ("LAL",),
        1610612748: ("MIA",),
        1610612749: ("MIL",),
        1610612750: ("MIN",),
        1610612751: ("BKN", "NJN"),
        1610612752: ("NYK",),
        1610612753: ("ORL",),
        1610612754: ("IND",),
        1610612755: ("PHI",),
        1610612756: ("PHX", "PHO"),
        1610612757: ("POR",),
        1610612758: ("SAC",),
        1610612759: ("SAS",),
        1610612760: ("OKC", "SEA"),
        1610612761: ("TOR",),
        1610612762: ("UTA",),
        1610612763: ("MEM", "VAN"),
        1610612764: ("WAS",),
        1610612765: ("DET",),
        1610612766: ("CHA", "CHH"),
    }
)
"""Franchise id to abbreviations, today's first. A franchise keeps its id when it moves."""

FRANCHISE: Final = MappingProxyType(
    {abbr: team for team, names in TEAM_ABBREVIATIONS.items() for abbr in names}
)
"""Abbreviation to franchise id."""

UNKNOWN_TEAM: Final = 0


def opponent_id(team_id: int, home_team: str, away_team: str) -> int:
    """Franchise id of the team the shooter plays against.

    UNKNOWN_TEAM when neither abbreviation is the shooter's or the other one is not known, as in
    All Star games, and when the shooter's team is not known itself.
    """
    if team_id == UNKNOWN_TEAM:
        return UNKNOWN_TEAM
    home = FRANCHISE.get(home_team, UNKNOWN_TEAM)
    away = FRANCHISE.get(away_team, UNKNOWN_TEAM)
    if team_id == home:
        return away
    return home if team_id == away else UNKNOWN_TEAM
