"""A season's games: who plays where on which day, and how many shots each game has."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np

from parivision.shots.court import IntArray
from parivision.sources.synthetic.config import GAMES_A_SEASON
from parivision.sources.synthetic.players import TEAM_COUNT

GAMES_A_ROUND: Final = TEAM_COUNT // 2
ROUNDS: Final = GAMES_A_SEASON // GAMES_A_ROUND
DAYS_A_ROUND: Final = 2
# The All Star break, in the second half of the season.
BREAK_AFTER_ROUND: Final = 58
BREAK_DAYS: Final = 6
OPENING_EARLIEST: Final = (10, 17)
EVEN_DAY_WEIGHT: Final = (0.55, 0.4, 0.68, 0.32, 0.6, 0.48, 0.5)
"""Share of a round on its first day, if that is a Monday, a Tuesday, ...: Thursdays are quiet."""

SHOTS_SD: Final = 10.0
OVERTIME_SHOTS: Final = 18.0
SECOND_OVERTIME_SHARE: Final = 0.14
FEWEST_SHOTS: Final = 4


@dataclass(frozen=True)
class Games:
    """A season's games in the order of their ids; one entry a game."""

    game_id: IntArray
    day: IntArray
    """Days since 1970-01-01."""
    home: IntArray
    away: IntArray
    """Teams, 0 to 29."""
    round: IntArray
    overtimes: IntArray
    shots: IntArray
    overtime_shots: IntArray


def season_games(
    season: int, games: int, shots_a_game: float, overtime_share: float, rng: np.random.Generator
) -> Games:
    """Games of a season from mid-October to April, in rounds in which every team plays once.

    Fewer games than a full season's are spread over the same days.
    """
    played = -(-games // GAMES_A_ROUND)
    home, away = _pairs(played, rng)
    on_calendar = np.repeat(np.arange(played) * ROUNDS // played, GAMES_A_ROUND)
    day = _days(season, on_calendar, rng)
    order = np.argsort(day[:games], kind="stable")
    overtimes = np.where(rng.random(games) < overtime_share, 1, 0)
    overtimes += (overtimes == 1) & (rng.random(games) < SECOND_OVERTIME_SHARE)
    shots = np.rint(rng.normal(shots_a_game, SHOTS_SD * shots_a_game / 175, games))
    scale = shots_a_game / 175
    return Games(
        game_id=20_000_000 + (season - 1) % 100 * 100_000 + 1 + np.arange(games),
        day=day[order],
        home=home[order],
        away=away[order],
        round=on_calendar[order],
        overtimes=overtimes,
        shots=np.maximum(shots, FEWEST_SHOTS).astype(np.int64),
        overtime_shots=rng.poisson(OVERTIME_SHOTS * scale * overtimes),
    )


def opening_day(season: int) -> date:
    """The Tuesday on which a season begins; `season` is the year in which it ends."""
    earliest = date(season - 1, *OPENING_EARLIEST)
    return earliest + timedelta(days=(1 - earliest.weekday()) % 7)


def _pairs(rounds: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Random pairs in every round; who has had fewer home games is at home."""
    at_home = np.zeros(TEAM_COUNT, np.int64)
    home, away = [], []
    for _ in range(rounds):
        first, second = rng.permutation(TEAM_COUNT).reshape(2, GAMES_A_ROUND)
        swap = at_home[first] > at_home[second]
        hosts, guests = np.where(swap, second, first), np.where(swap, first, second)
        at_home[hosts] += 1
        home.append(hosts)
        away.append(guests)
    return np.concatenate(home), np.concatenate(away)


def _days(season: int, on_calendar: IntArray, rng: np.random.Generator) -> IntArray:
    first = on_calendar * DAYS_A_ROUND + np.where(on_calendar >= BREAK_AFTER_ROUND, BREAK_DAYS, 0)
    opening = opening_day(season)
    weekday = (opening.weekday() + first) % 7
    late = rng.random(len(first)) >= np.asarray(EVEN_DAY_WEIGHT)[weekday]
    since_epoch = (opening - date(1970, 1, 1)).days
    return since_epoch + first + late
