"""The leagues whose shots a lake can hold, and what differs between them.

A league's game numbers begin with two digits of its own, so a game's number tells its league, and
keys of two leagues never meet. The court of all three is 94 by 50 feet with the hoop in the same
place; what is not alike is said here, once. The service checks requests by it, and has no Polars:
what a table's game numbers tell is in `parivision.shots.league_games`.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

from parivision.errors import SettingsError
from parivision.shots.court import CORNER_X_FT
from parivision.shots.game_clock import PERIOD_S

GAMES_PER_LEAGUE: Final = 100_000_000
"""A number has two digits of the league before eight of the game."""


@dataclass(frozen=True)
class League:
    """A league: how it is named, numbered and played.

    `key` is its word in URIs and options, `title` what people read, `code` the first two of a game
    number's ten digits. A season that begins and ends in one year has `spans_years` False; `starts`
    and `ends` are the (month, day) between which its games are looked for. `period_s` is the
    length of a period and `shortest_three_ft` a distance from within which nothing is a three: a
    foot less than the line's shortest, since places are rounded and some are clicked.
    `has_known_teams` says whether `shots.league` knows its teams. `no_model` says why no model and
    no report can be made of its shots; it is empty where they can.
    """

    key: str
    title: str
    code: str
    first_season: int
    starts: tuple[int, int]
    ends: tuple[int, int]
    spans_years: bool = True
    period_s: int = PERIOD_S
    shortest_three_ft: float = CORNER_X_FT - 1.0
    has_known_teams: bool = False
    no_model: str = ""

    @property
    def first_game(self) -> int:
        """The lowest number that a game of it may have."""
        return int(self.code) * GAMES_PER_LEAGUE

    def season_of(self, day: date) -> int:
        """The season, the year in which it ends, whose first day came last."""
        began = (day.month, day.day) >= self.starts
        return day.year + began if self.spans_years else day.year - (not began)

    def first_day(self, season: int) -> date:
        """The first day on which a season's games are looked for."""
        return date(season - self.spans_years, *self.starts)

    def season_words(self, season: int) -> str:
        """A season as the league writes it: 2022-23, or 2022 where it is played within a year."""
        return f"{season - 1}-{season % 100:02d}" if self.spans_years else str(season)


NBA: Final = League("nba", "NBA", "00", 1997, (10, 1), (7, 31), has_known_teams=True)
WNBA: Final = League(
    "wnba",
    "WNBA",
    "10",
    # Until 2005 it played two halves of 20 minutes.
    2006,
    (4, 15),
    (11, 15),
    spans_years=False,
    period_s=600,
    # Until 2012 the line was at 20 ft 6.25 in all round.
    shortest_three_ft=19.5,
    no_model=(
        "no model and no report is made of the WNBA's shots: zones, points and the game's clock "
        "are computed with the NBA's court and periods, but the WNBA's three-point line is at 22 "
        "ft 1.75 in (21 ft 8 in in the corners, the NBA's 23 ft 9 in and 22 ft) and its periods "
        "have 10 minutes. The lake keeps its shots and `parivision export` writes them"
    ),
)
G_LEAGUE: Final = League("gleague", "G League", "20", 2002, (10, 1), (7, 31))
LEAGUES: Final = (NBA, WNBA, G_LEAGUE)


def named(text: str) -> League:
    """The league of a word: `G-League`, `gleague` and `g_league` are one; raises SettingsError."""
    letters = "".join(filter(str.isalnum, text.lower()))
    for league in LEAGUES:
        if letters in (league.key, league.code):
            return league
    known = ", ".join(league.key for league in LEAGUES)
    raise SettingsError(f"league is {text!r}: expected one of {known}")
