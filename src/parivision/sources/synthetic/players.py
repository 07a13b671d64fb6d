"""The league's players: who they are, how they change from season to season, where they play.

The league starts in `config.FIRST_SEASON` and is carried on season by season, so a player keeps
his id, name, skill and taste for as long as he plays, whatever seasons are asked for.
"""

import json
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parivision.shots.court import FloatArray, IntArray
from parivision.sources.synthetic import bins
from parivision.sources.synthetic.config import FIRST_SEASON
from parivision.sources.synthetic.facts import LeagueFacts, SeasonFacts

TEAM_COUNT: Final = 30
TEAM_SIZE: Final = 18
PLAYER_COUNT: Final = TEAM_COUNT * TEAM_SIZE
FIRST_PLAYER_ID: Final = 5_000_001
"""Above every id the league has given, so that no invented player is taken for a real one."""

SKILL_MEMORY: Final = 0.93
"""Correlation of a player's skill with the season before."""
TASTE_MEMORY: Final = 0.95
TALENT_MEMORY: Final = 0.78
COMMON_SKILL: Final = np.array([0.35, 0.65, 0.8, 0.8, 0.75, 0.75, 0.0])
"""Correlation of a player's skill in each zone with what he shares between all zones."""
TRADED_SHARE: Final = 0.2
TEAM_EFFECT_SD: Final = 0.03
DEFENCE_EFFECT_SD: Final = 0.04

# The usage of a team's first to last man when he plays, and the share of games he plays.
USAGE: Final = np.exp(-0.145 * np.arange(TEAM_SIZE))
AVAILABILITY: Final = np.concatenate([np.linspace(0.86, 0.74, 9), np.linspace(0.62, 0.08, 9)])


@dataclass(frozen=True)
class Roster:
    """A season's players, one an entry; entries i to i + TEAM_SIZE - 1 of 18 each are a team."""

    player: IntArray
    """Number of the player, 0 and up, in the order in which they joined the league."""
    talent: FloatArray
    """Decides who plays much; standard normal."""
    years: IntArray
    taste: FloatArray
    """Players by zones: log of the player's shots in the zone against those at the rim, up to a
    constant of the league."""
    common: FloatArray
    special: FloatArray
    """Skill shared by all zones, and of each zone alone; standard normal."""

    @property
    def skill(self) -> FloatArray:
        """Players by zones, in standard deviations of the league."""
        rest = np.sqrt(1 - COMMON_SKILL**2)
        skill: FloatArray = self.common[:, None] * COMMON_SKILL + self.special * rest
        return skill

    @property
    def rank(self) -> IntArray:
        """0 for a team's first man, TEAM_SIZE - 1 for the last."""
        by_team = self.talent.reshape(TEAM_COUNT, TEAM_SIZE)
        order = np.argsort(-by_team, axis=1)
        return np.argsort(order, axis=1).ravel()


@dataclass(frozen=True)
class SeasonLeague:
    """All that a season's shots are drawn from. Arrays are players by zones or teams."""

    player_id: IntArray
    player_name: list[str]
    position: list[str]
    usage: FloatArray
    availability: FloatArray
    zone_share: FloatArray
    skill: FloatArray
    """Log odds by zone; the league's mean, weighted by shots, is zero in every zone."""
    offence: FloatArray
    defence: FloatArray
    """Log odds a team adds to its own and to its opponents' shots."""


def season_league(seed: int, season: int, facts: LeagueFacts, now: SeasonFacts) -> SeasonLeague:
    """The league of a season, whose shots add up to the zone shares of `now`."""
    roster = _roster(seed, season, facts)
    usage, availability = USAGE[roster.rank], AVAILABILITY[roster.rank]
    weight = usage * availability / (usage * availability).sum()
    zone_share = balanced(roster.taste, weight, now.zone_share)
    skill = roster.skill * now.skill_sd
    by_zone = weight[:, None] * zone_share
    skill = skill - (skill * by_zone).sum(axis=0) / by_zone.sum(axis=0)
    effects = np.random.default_rng([seed, season, 2]).standard_normal((2, TEAM_COUNT))
    effects -= effects.mean(axis=1, keepdims=True)
    return SeasonLeague(
        player_id=FIRST_PLAYER_ID + roster.player,
        player_name=[player_name(seed, int(player)) for player in roster.player],
        position=_positions(zone_share),
        usage=usage,
        availability=availability,
        zone_share=zone_share,
        skill=skill,
        offence=effects[0] * TEAM_EFFECT_SD,
        defence=effects[1] * DEFENCE_EFFECT_SD,
    )


def balanced(taste: FloatArray, weight: FloatArray, shares: FloatArray) -> FloatArray:
    """Zone shares of players, by their tastes, whose weighted mean is `shares`."""
    # Iterative proportional fitting (Deming and Stephan, 1940): rows are scaled to 1, then zones to
    # their share, in turns; 30 are more than it takes to converge.
    liking = np.exp(taste)
    factor = shares.copy()
    for _ in range(30):
        share = liking * factor
        share /= share.sum(axis=1, keepdims=True)
        factor *= shares / (weight @ share)
    return share


def player_name(seed: int, player: int) -> str:
    """An invented name; no two players of a league share one."""
    first, stem, ending = _name_parts()
    # A step without common divisor visits every name once.
    at = (player * 7919 + seed * 104_729) % (len(first) * len(stem) * len(ending))
    at, last = divmod(at, len(ending))
    given, middle = divmod(at, len(stem))
    return f"{first[given]} {stem[middle]}{ending[last]}"


@cache
def _name_parts() -> tuple[list[str], list[str], list[str]]:
    parts = json.loads(resources.files(__package__).joinpath("names.json").read_text("utf-8"))
    return parts["first"], parts["stem"], parts["ending"]


def _roster(seed: int, season: int, facts: LeagueFacts) -> Roster:
    factor: FloatArray = np.linalg.cholesky(facts.preference_covariance).astype(np.float64)
    rng = np.random.default_rng([seed, FIRST_SEASON, 0])
    # Every year from the first is played through, each with a generator of its own: so a season
    # is the same whichever other seasons are asked for.
    roster = _newcomers(rng, PLAYER_COUNT, 0, factor)
    joined = PLAYER_COUNT
    for year in range(FIRST_SEASON + 1, season + 1):
        rng = np.random.default_rng([seed, year, 0])
        roster = _aged(_traded(roster, rng), rng, factor)
        gone = rng.random(PLAYER_COUNT) < _leaving_share(roster)
        # As many as players, whoever leaves: so the number of draws does not depend on that.
        fresh = _newcomers(rng, PLAYER_COUNT, joined, factor)
        joined += int(gone.sum())
        fresh = replace(fresh, player=joined - gone.sum() + np.cumsum(gone) - 1)
        roster = _merged(gone, fresh, roster)
    return roster


def _newcomers(rng: np.random.Generator, count: int, first: int, factor: FloatArray) -> Roster:
    return Roster(
        player=first + np.arange(count),
        talent=rng.standard_normal(count) - 0.4,
        years=np.zeros(count, np.int64),
        taste=_tastes(rng, count, factor),
        common=rng.standard_normal(count),
        special=rng.standard_normal((count, bins.ZONE_COUNT)),
    )


def _tastes(rng: np.random.Generator, count: int, factor: FloatArray) -> FloatArray:
    """Tastes of players for zones 1 to 7; nobody is known for his heaves."""
    tastes = np.zeros((count, bins.ZONE_COUNT))
    tastes[:, 1:-1] = rng.standard_normal((count, len(factor))) @ factor.T
    return tastes


def _leaving_share(roster: Roster) -> FloatArray:
    """Chance that a player's career ends: about one in five, the last men and the old most."""
    score = 0.25 * (roster.years - 9) - 1.3 * roster.talent - 0.9
    share: FloatArray = 0.03 + 0.6 / (1 + np.exp(-score))
    return share


def _aged(roster: Roster, rng: np.random.Generator, factor: FloatArray) -> Roster:
    # Autoregression of order 1, whose variance stays 1 whatever the memory.
    def drifted(values: FloatArray, memory: float, noise: FloatArray) -> FloatArray:
        result: FloatArray = memory * values + np.sqrt(1 - memory**2) * noise
        return result

    return replace(
        roster,
        talent=drifted(roster.talent, TALENT_MEMORY, rng.standard_normal(PLAYER_COUNT)) + 0.05,
        years=roster.years + 1,
        taste=drifted(roster.taste, TASTE_MEMORY, _tastes(rng, PLAYER_COUNT, factor)),
        common=drifted(roster.common, SKILL_MEMORY, rng.standard_normal(PLAYER_COUNT)),
        special=drifted(
            roster.special, SKILL_MEMORY, rng.standard_normal((PLAYER_COUNT, bins.ZONE_COUNT))
        ),
    )


def _traded(roster: Roster, rng: np.random.Generator) -> Roster:
    order = np.arange(PLAYER_COUNT)
    moving = np.flatnonzero(rng.random(PLAYER_COUNT) < TRADED_SHARE)
    order[moving] = rng.permutation(moving)
    return replace(roster, **{name: getattr(roster, name)[order] for name in vars(roster)})


def _merged(gone: NDArray[np.bool_], fresh: Roster, old: Roster) -> Roster:
    def merge(name: str) -> Any:
        new, kept = getattr(fresh, name), getattr(old, name)
        return np.where(gone[:, None] if kept.ndim == 2 else gone, new, kept)

    return Roster(**{name: merge(name) for name in vars(old)})


def _positions(zone_share: FloatArray) -> list[str]:
    """C for those who live at the rim, G for those who live beyond the arc, F between them."""
    inside = zone_share[:, :2].sum(axis=1) - zone_share[:, 4:6].sum(axis=1)
    low, high = np.quantile(inside, [0.42, 0.8])
    positions: list[str] = np.select([inside > high, inside > low], ["C", "F"], "G").tolist()
    return positions
