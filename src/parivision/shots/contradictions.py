"""Facts that cannot be true together: one rule for tables and requests.

A rule is a condition of operators only, so the same line judges one shot's numbers, arrays of many
shots, and Polars' columns. A condition holds for what cannot be; a fact that is not known (None in
a table, NaN in an array) never makes it hold. Of 3,576,222 real shots of 2004 to 2023 the rules
refuse 77: threes from within the line, most of them filed without a place, at (0, 0). That a two is
taken from far beyond the line is no rule: scorers write some heaves as twos.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parivision.shots import league, leagues
from parivision.shots.game_clock import LAST_REGULAR_PERIOD, OVERTIME_S

SHORTEST_THREE_FT: Final = leagues.NBA.shortest_three_ft
"""A foot less than the shortest line there has been: 22 ft in the corners, and all round in 1995
to 1997. Places are rounded, and some are clicked."""


@dataclass(frozen=True)
class Contradiction:
    """Facts that cannot be together.

    `holds` is given the facts of `names`. `field` is the one to name to who sent them, with what is
    `expected` of it ({} stand for the facts); `reason` is what a table's row is refused with.
    """

    field: str
    names: tuple[str, ...]
    holds: Callable[..., Any]
    expected: str
    reason: str

    def sentence(self, *facts: Any) -> str:
        """What is expected of `field`, given the facts of `names`."""
        shown = (f"{fact:g}" if isinstance(fact, float) else fact for fact in facts)
        return self.expected.format(*shown)


OVERTIME: Final = Contradiction(
    "clock_s",
    ("period", "clock_s"),
    lambda period, clock_s: (period > LAST_REGULAR_PERIOD) & (clock_s > OVERTIME_S),
    f"at most {OVERTIME_S}, as many seconds as an overtime (period {{0}}) has",
    f"clock_s is above {OVERTIME_S} in an overtime",
)


def three_from_near(shortest_ft: float) -> Contradiction:
    """The rule on threes from within a league's line, of which nothing is nearer than that."""
    return Contradiction(
        "shot_value",
        ("shot_value", "x_ft", "y_ft"),
        lambda value, x, y: (value == 3) & (x * x + y * y < shortest_ft**2),
        "2, since ({1}, {2}) is within the three-point line",
        "shot_value is 3 within the three-point line",
    )


THREE_FROM_NEAR: Final = three_from_near(SHORTEST_THREE_FT)
MORE_MAKES: Final = Contradiction(
    "player_makes",
    ("player_attempts", "player_makes"),
    lambda attempts, makes: makes > attempts,
    "at most player_attempts, which is {0}",
    "player_makes is above player_attempts",
)
SAME_TEAM: Final = Contradiction(
    "away_team",
    ("home_team", "away_team"),
    lambda home, away: (home == away) & (home != league.UNKNOWN_TEAM),
    "another team than home_team, which is {0}",
    "home_team and away_team are the same team",
)
NEITHER_TEAM: Final = Contradiction(
    "team_id",
    ("team_id", "home_team", "away_team"),
    lambda team, home, away: (team > 0) & (home > 0) & (away > 0) & (team != home) & (team != away),
    "the number of {1} or of {2}, who play",
    "team_id is neither that of home_team nor that of away_team",
)
OF_GAMES: Final = (SAME_TEAM, NEITHER_TEAM)
"""They compare teams, which are given as numbers of `team_number`."""
TEAMS: Final = ("home_team", "away_team")
ALL: Final = (OVERTIME, THREE_FROM_NEAR, MORE_MAKES, *OF_GAMES)
"""In the order in which they are looked at."""

_GAMES_KEPT: Final = 4096
"""Three times the pairs of teams that can meet, for either team."""
_NUMBER: Final = {name: -1 - index for index, name in enumerate(sorted(league.ALL_STAR_TEAMS))}


def team_number(text: str | None) -> int:
    """A number by which teams are told apart: the franchise's id, or a negative one of All Stars.

    UNKNOWN_TEAM for all others. The players of All Star teams have their franchises' ids.
    """
    if text is None:
        return league.UNKNOWN_TEAM
    return league.franchise(text) or _NUMBER.get(league.abbreviation(text), league.UNKNOWN_TEAM)


def of_shot(shot: Mapping[str, Any]) -> Contradiction | None:
    """The first contradiction in the facts of one shot; None stands for what is not known.

    Conditions are looked at only where their facts are given: most requests carry few.
    """
    get, period, value = shot.get, shot["period"], shot.get("shot_value")
    if period > LAST_REGULAR_PERIOD and OVERTIME.holds(period, shot["clock_s"]):
        return OVERTIME
    if value is not None and THREE_FROM_NEAR.holds(value, shot["x_ft"], shot["y_ft"]):
        return THREE_FROM_NEAR
    makes, attempts = get("player_makes"), get("player_attempts")
    if makes is not None and attempts is not None and MORE_MAKES.holds(attempts, makes):
        return MORE_MAKES
    home, away = get("home_team"), get("away_team")
    return None if home is None or away is None else _of_game(get("team_id"), home, away)


@lru_cache(_GAMES_KEPT)
def _of_game(team_id: int | None, home_team: str, away_team: str) -> Contradiction | None:
    """The contradiction between who shoots and who plays; the shots of a game share it."""
    home, away = team_number(home_team), team_number(away_team)
    if SAME_TEAM.holds(home, away):
        return SAME_TEAM
    is_known = team_id is not None
    return NEITHER_TEAM if is_known and NEITHER_TEAM.holds(team_id, home, away) else None


def first_of_columns(columns: Mapping[str, Sequence[Any]]) -> tuple[int, Contradiction] | None:
    """Where columns of facts first contradict each other, and how; None where they do not.

    A column may be left out if it is known of no shot; None in it stands for not known.
    """
    broken: list[tuple[int, Contradiction]] = []
    for rule in ALL:
        if columns.keys() >= {*rule.names}:
            rows = np.flatnonzero(
                rule.holds(*(_numbers(name, columns[name]) for name in rule.names))
            )
            if len(rows):
                broken.append((int(rows[0]), rule))
    return min(broken, key=lambda each: each[0], default=None)


def _numbers(name: str, column: Sequence[Any]) -> NDArray[np.float64]:
    """A column as numbers, None as NaN; ids of teams keep all their digits in a double."""
    if name in TEAMS:
        known = {text: team_number(text) for text in set(column)}
        column = [known[text] for text in column]
    return np.array(column, np.float64)
