"""Draws a season's shots and the probability with which each really goes in."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from parivision.shots import court, schema
from parivision.shots.court import FloatArray, IntArray
from parivision.shots.game_clock import OVERTIME_S, PERIOD_S
from parivision.shots.league import TEAM_ABBREVIATIONS
from parivision.sources.synthetic import bins, drift, places, schedule
from parivision.sources.synthetic.config import SyntheticConfig
from parivision.sources.synthetic.facts import LeagueFacts, SeasonFacts, league_facts
from parivision.sources.synthetic.players import (
    DEFENCE_EFFECT_SD,
    PLAYER_COUNT,
    TEAM_COUNT,
    TEAM_EFFECT_SD,
    TEAM_SIZE,
    SeasonLeague,
    season_league,
)
from parivision.sources.synthetic.schedule import Games

P_TRUE: Final = "p_true"
"""The extra column: the probability the outcome was drawn with."""
HOME_LOG_ODDS: Final = 0.019
"""What playing at home adds, and playing away takes."""
GAME_USAGE_SD: Final = 0.35
SPELL_ROUNDS: Final = 9
"""Length of a player's absences, in rounds of the schedule."""
# Other events (fouls, rebounds) stand between shots, so their numbers have gaps.
LARGEST_EVENT_GAP: Final = 5

TEAM_NAMES: Final = (
    "Atlanta Hawks",
    "Boston Celtics",
    "Cleveland Cavaliers",
    "New Orleans Pelicans",
    "Chicago Bulls",
    "Dallas Mavericks",
    "Denver Nuggets",
    "Golden State Warriors",
    "Houston Rockets",
    "LA Clippers",
    "Los Angeles Lakers",
    "Miami Heat",
    "Milwaukee Bucks",
    "Minnesota Timberwolves",
    "Brooklyn Nets",
    "New York Knicks",
    "Orlando Magic",
    "Indiana Pacers",
    "Philadelphia 76ers",
    "Phoenix Suns",
    "Portland Trail Blazers",
    "Sacramento Kings",
    "San Antonio Spurs",
    "Oklahoma City Thunder",
    "Toronto Raptors",
    "Utah Jazz",
    "Memphis Grizzlies",
    "Washington Wizards",
    "Detroit Pistons",
    "Charlotte Hornets",
)
"""In the order of the franchise ids, as are the numbers 0 to 29 of the teams in this package."""


@dataclass(frozen=True)
class _World:
    """What a season is drawn from."""

    config: SyntheticConfig
    season: int
    facts: LeagueFacts
    season_facts: SeasonFacts
    league: SeasonLeague
    games: Games


@dataclass(frozen=True)
class _Draft:
    """Columns of a season in the making; `game` is an index of Games, teams are 0 to 29."""

    game: IntArray
    is_home: NDArray[np.bool_]
    team: IntArray
    opponent: IntArray
    shooter: IntArray
    zone: IntArray
    period: IntArray
    clock_s: IntArray
    event_id: IntArray
    day: IntArray


def generate(config: SyntheticConfig) -> pl.DataFrame:
    """The league's shots: canonical columns and `p_true`, in the order of play.

    A full season takes about a quarter of a second. For many seasons, `generate_seasons` keeps
    the memory small.
    """
    return pl.concat(list(generate_seasons(config)), rechunk=True)


def generate_seasons(config: SyntheticConfig) -> Iterator[pl.DataFrame]:
    """The same table, season by season."""
    for season in config.seasons:
        yield _season_shots(_world(config, season))


def season_size(config: SyntheticConfig, season: int) -> int:
    """Number of shots of a season; no drift changes it."""
    games = _world(config, season).games
    return int(games.shots.sum() + games.overtime_shots.sum())


def season_players(config: SyntheticConfig, season: int) -> pl.DataFrame:
    """Who plays in a season: id, name, team, position, and true skill by zone in log odds."""
    league = _world(config, season).league
    team = np.arange(PLAYER_COUNT) // TEAM_SIZE
    skill = {
        f"skill_{zone.name.lower()}": league.skill[:, index]
        for index, zone in enumerate(court.Zone)
    }
    return pl.DataFrame(
        {
            "player_id": league.player_id,
            "player_name": league.player_name,
            "team_id": np.asarray(list(TEAM_ABBREVIATIONS))[team],
            "position": league.position,
            **skill,
        }
    )


@lru_cache(maxsize=4)
def _world(config: SyntheticConfig, season: int) -> _World:
    facts = league_facts()
    season_facts = facts.season(config.facts_of or season)
    return _World(
        config=config,
        season=season,
        facts=facts,
        season_facts=season_facts,
        league=season_league(config.seed, season, facts, season_facts),
        games=schedule.season_games(
            season,
            config.games_a_season,
            season_facts.shots_a_game * config.shots_scale,
            facts.overtime_share,
            np.random.default_rng([config.seed, season, 1]),
        ),
    )


def _season_shots(world: _World) -> pl.DataFrame:
    rng = np.random.default_rng([world.config.seed, world.season, 3])
    draft = _draft(world, rng)
    return _table(world, draft, rng)


def _draft(world: _World, rng: np.random.Generator) -> _Draft:
    """Who shoots when from which zone, sorted by game, period and clock."""
    games = world.games
    total = games.shots + games.overtime_shots
    first = np.cumsum(total) - total
    game = np.repeat(np.arange(len(total)), total)
    count, day = len(game), games.day[game]
    is_overtime = np.arange(count) - first[game] >= games.shots[game]
    is_home = rng.random(count) < 0.5
    team = np.where(is_home, games.home[game], games.away[game])
    man = pick(
        _line_ups(world.league, rng), games.round[game] * TEAM_COUNT + team, rng.random(count)
    )
    shooter = team * TEAM_SIZE + man
    zone = _zones(world, shooter, day, rng.random(count))
    period, clock_s = _times(world, game, is_overtime, zone, rng)
    order = np.lexsort((-clock_s, period, game))
    gaps = np.cumsum(rng.integers(1, LARGEST_EVENT_GAP + 1, count))
    return _Draft(
        game=game,
        is_home=is_home[order],
        team=team[order],
        opponent=np.where(is_home, games.away[game], games.home[game])[order],
        shooter=shooter[order],
        zone=zone[order],
        period=period[order],
        clock_s=clock_s[order],
        event_id=gaps - gaps[first][game] + LARGEST_EVENT_GAP,
        day=day,
    )


def pick(cumulated: FloatArray, row: IntArray, u: FloatArray) -> IntArray:
    """Draws from many discrete distributions at once.

    `cumulated` holds one distribution a row, cumulated to 1; `row` says which one each draw is
    from and `u` (0 to 1) is its random number.
    """
    # Inverse transform sampling by one bisection: row i is lifted by i, so that all rows together
    # are one ascending array, in which row + u lies in its own row.
    rows, columns = cumulated.shape
    flat = (np.minimum(cumulated, 1.0) + np.arange(rows)[:, None]).ravel()
    column: IntArray = np.searchsorted(flat, row + u, "right") - row * columns
    return np.clip(column, 0, columns - 1)


def _line_ups(league: SeasonLeague, rng: np.random.Generator) -> FloatArray:
    """Cumulated share of each man in his team's shots: rounds times teams, by men."""
    shape = (schedule.ROUNDS, PLAYER_COUNT)
    # Absences come in spells: a moving sum of noise is correlated over SPELL_ROUNDS rounds, and a
    # player misses the rounds in which it is above the quantile of his availability.
    noise = rng.standard_normal((shape[0] + SPELL_ROUNDS, shape[1])).cumsum(axis=0)
    health = (noise[SPELL_ROUNDS:] - noise[:-SPELL_ROUNDS]) / np.sqrt(SPELL_ROUNDS)
    limit = np.array([NormalDist().inv_cdf(share) for share in league.availability])
    # A team whose men are all absent still shoots: nobody's share is quite zero.
    plays = np.where(health < limit, 1.0, 1e-6)
    weight = league.usage * plays * np.exp(GAME_USAGE_SD * rng.standard_normal(shape))
    cumulated = weight.reshape(-1, TEAM_SIZE).cumsum(axis=1)
    share: FloatArray = cumulated / cumulated[:, -1:]
    return share


def _zones(world: _World, shooter: IntArray, day: IntArray, u: FloatArray) -> IntArray:
    """Zones (1 to 7) by the shooters' shares."""
    share, switches = world.league.zone_share, world.config.drift
    zone = pick(share.cumsum(axis=1), shooter, u)
    changed = drift.active(switches.more_threes, day)
    if changed.any():
        grown = drift.more_threes(share, switches.threes_log_odds)
        zone = np.where(changed, pick(grown.cumsum(axis=1), shooter, u), zone)
    return zone + 1


def _times(
    world: _World,
    game: IntArray,
    is_overtime: NDArray[np.bool_],
    zone: IntArray,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Period and seconds left of each shot."""
    facts = world.facts
    which, when, within = rng.random((3, len(game)))
    regulation = 1 + pick(facts.period_share.cumsum()[None, :], np.zeros_like(game), which)
    # The same draw as for regulation: a shot is in one of them, and each row takes as many draws.
    overtime = 5 + (which * world.games.overtimes[game]).astype(np.int64)
    group = np.asarray(bins.CLOCK_GROUP)[zone - 1]
    cell = pick(facts.clock_share.cumsum(axis=1), group, when)
    edges = np.asarray(bins.CLOCK_EDGES_S)
    clock = edges[cell] + (within * (edges[cell + 1] - edges[cell])).astype(np.int64)
    short = clock * OVERTIME_S // PERIOD_S
    return np.where(is_overtime, overtime, regulation), np.where(is_overtime, short, clock)


def _table(world: _World, draft: _Draft, rng: np.random.Generator) -> pl.DataFrame:
    """Places, words, probabilities and outcomes; then the table."""
    switches, season_facts = world.config.drift, world.season_facts
    x, y = places.draw(draft.zone, world.facts.places, rng)
    band = bins.band(draft.zone, court.distance_ft(x / 10, y / 10))
    choice, position, relabel, luck = rng.random((4, len(band)))
    action = pick(season_facts.action_share.cumsum(axis=1), band, choice)
    p_true = np.round(1 / (1 + np.exp(-_log_odds(world, draft, band, action))), 6)
    swapped = drift.active(switches.relabel_actions, draft.day)
    swapped &= relabel < switches.relabelled_share
    words = drift.reversed_words(
        action, band, season_facts.action_share, season_facts.base, position
    )
    moved = drift.active(switches.moved_coordinates, draft.day)
    shuffled = drift.active(switches.shuffled_outcomes, draft.day)
    seen = drift.moved_places(x, y, drift.whole_feet(x, y), moved, switches.frame)
    columns = _who_and_when(world, draft) | {
        "action_type": pl.Series(world.facts.action_names).gather(np.where(swapped, words, action)),
        "shot_value": pl.Series(court.shot_value(x / 10, y / 10)),
        "x_ft": pl.Series(seen[0] / 10),
        "y_ft": pl.Series(seen[1] / 10),
        "distance_ft": pl.Series(seen[2]),
        **places.league_names(draft.zone, x / 10, y / 10),
        "made": pl.Series(drift.shuffled(luck < p_true, shuffled)),
        P_TRUE: pl.Series(p_true),
    }
    return pl.DataFrame(columns).select(
        *[pl.col(name).cast(dtype) for name, dtype in schema.POLARS_SCHEMA.items()], P_TRUE
    )


def _log_odds(world: _World, draft: _Draft, band: IntArray, action: IntArray) -> FloatArray:
    """Log odds that a shot goes in."""
    facts, league, switches = world.facts, world.league, world.config.drift
    zone = draft.zone - 1
    variance = world.season_facts.skill_sd[zone] ** 2 + TEAM_EFFECT_SD**2 + DEFENCE_EFFECT_SD**2
    # Spread on the log odds pulls the mean probability towards 0.5; this puts it back. The mean of
    # a logistic function over a normal is about one of log odds / sqrt(1 + pi / 8 * variance):
    # MacKay, "The evidence framework applied to classification networks", 1992.
    odds = world.season_facts.base[band, action] * np.sqrt(1 + np.pi / 8 * variance)
    odds += league.skill[draft.shooter, zone]
    odds += league.offence[draft.team] + league.defence[draft.opponent]
    odds += np.where(draft.is_home, HOME_LOG_ODDS, -HOME_LOG_ODDS)
    odds += facts.period_effect[np.minimum(draft.period, 5) - 1]
    clock_bin = np.searchsorted(bins.CLOCK_EFFECT_EDGES_S, draft.clock_s, "right") - 1
    odds += facts.clock_effect[np.asarray(bins.CLOCK_GROUP)[zone], clock_bin]
    changed = drift.active(switches.skill_change, draft.day)
    changed &= drift.skill_changed(league.player_id, switches.skill_share)[draft.shooter]
    return np.where(changed, odds + switches.skill_log_odds, odds)


def _who_and_when(world: _World, draft: _Draft) -> dict[str, pl.Series]:
    """The columns that say who played whom, when."""
    games, league, count = world.games, world.league, len(draft.game)
    abbreviation = pl.Series([names[0] for names in TEAM_ABBREVIATIONS.values()])
    return {
        "game_id": pl.Series(games.game_id[draft.game]),
        "event_id": pl.Series(draft.event_id),
        "season": pl.repeat(world.season, count, dtype=pl.Int16, eager=True),
        "season_type": pl.repeat(schema.SEASON_TYPES[0], count, eager=True),
        "game_date": pl.Series(draft.day).cast(pl.Int32).cast(pl.Date),
        "home_team": abbreviation.gather(games.home[draft.game]),
        "away_team": abbreviation.gather(games.away[draft.game]),
        "team_id": pl.Series(list(TEAM_ABBREVIATIONS)).gather(draft.team),
        "team_name": pl.Series(TEAM_NAMES).gather(draft.team),
        "player_id": pl.Series(league.player_id[draft.shooter]),
        "player_name": pl.Series(league.player_name).gather(draft.shooter),
        "period": pl.Series(draft.period),
        "clock_s": pl.Series(draft.clock_s),
    }
