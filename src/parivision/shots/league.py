"""The league's teams: franchise ids, the abbreviations they have played under, who meets whom."""

from functools import lru_cache
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

OTHER_SPELLINGS: Final = MappingProxyType(
    {
        # Basketball-Reference's
        "BRK": "BKN",
        "CHO": "CHA",
        # ESPN's
        "GS": "GSW",
        "NO": "NOP",
        "NY": "NYK",
        "SA": "SAS",
        "UTAH": "UTA",
        "WSH": "WAS",
        # other feeds' short ones
        "BK": "BKN",
        "NJ": "NJN",
        "NOR": "NOP",
        # the league's own of before 2000
        "GOS": "GSW",
        "PHL": "PHI",
        "SAN": "SAS",
        "UTH": "UTA",
        "WSB": "WAS",
    }
)
"""What others call a team, and the abbreviation of `TEAM_ABBREVIATIONS` that it means."""

ALL_STAR_TEAMS: Final = frozenset(
    (
        *("EST", "WST"),
        # named after captains and coaches: LeBron, Giannis, Stephen, Durant
        *("LBN", "GNS", "STP", "DRT"),
        # the tournaments of four since 2025: Shaq, Chuck, Kenny, Candace; USA and world
        *("SHQ", "CHK", "KEN", "CAN", "USA", "WLD"),
    )
)
"""Teams of All Star weekends: known, though no franchise."""

_SPELLINGS_KEPT: Final = 1024
"""Far more than there are teams; who makes up more only loses time."""
_GAMES_KEPT: Final = 4096
"""More than there are pairs of teams, for either team."""


@lru_cache(_SPELLINGS_KEPT)
def abbreviation(text: str) -> str:
    """A team's abbreviation in this library's spelling: `gsw`, ` GSW ` and `GS` are GSW.

    A team that is not known comes back in capitals, without blanks around it.
    """
    name = text.strip().upper()
    return OTHER_SPELLINGS.get(name, name)


def is_known(text: str) -> bool:
    """Whether a text means a team of the league or of an All Star game."""
    name = abbreviation(text)
    return name in FRANCHISE or name in ALL_STAR_TEAMS


def franchise(text: str) -> int:
    """Franchise id of an abbreviation in any spelling; UNKNOWN_TEAM for all others."""
    team = FRANCHISE.get(text)
    if team is None:
        team = FRANCHISE.get(abbreviation(text), UNKNOWN_TEAM)
    return team


@lru_cache(_GAMES_KEPT)
def opponent_id(team_id: int, home_team: str, away_team: str) -> int:
    """Franchise id of the team the shooter plays against.

    UNKNOWN_TEAM when neither abbreviation is the shooter's or the other one is not known, as in
    All Star games, and when the shooter's team is not known itself.
    """
    if team_id == UNKNOWN_TEAM:
        return UNKNOWN_TEAM
    home, away = franchise(home_team), franchise(away_team)
    if team_id == home:
        return away
    return home if team_id == away else UNKNOWN_TEAM
