"""The facts of the real archive, as arrays and by season (see `measure` for what they are)."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from parivision import court
from parivision.court import FloatArray, IntArray
from parivision.sources.synthetic import bins
from parivision.sources.synthetic.measure import logit


@dataclass(frozen=True)
class Places:
    """A zone's squares: corner and side in tenths of feet, cumulated probability."""

    x: IntArray
    y: IntArray
    size: IntArray
    cumulated: FloatArray
    at_origin: float


@dataclass(frozen=True)
class SeasonFacts:
    """What holds in one season. Bands and zones as in `bins`; effects are log odds."""

    shots_a_game: float
    zone_share: FloatArray
    action_share: FloatArray
    """Bands by actions, each band's row sums to 1."""
    base: FloatArray
    """Log odds of a make by band and action for an average player."""


@dataclass(frozen=True)
class LeagueFacts:
    """What holds in all seasons."""

    seasons: dict[str, Any]
    actions: dict[str, Any]
    action_names: list[str]
    places: tuple[Places, ...]
    band_share: FloatArray
    """Share of each band in its zone."""
    clock_share: FloatArray
    clock_effect: FloatArray
    period_effect: FloatArray
    period_share: FloatArray
    preference_covariance: FloatArray
    skill_sd: FloatArray
    overtime_share: float

    def season(self, season: int) -> SeasonFacts:
        """Facts of a season: interpolated between the measured ones, flat beyond them."""
        years = [int(year) for year in self.seasons]
        by_year = list(self.seasons.values())
        share = _at(season, years, [facts["share"] for facts in by_year])
        rate = _at(season, years, [facts["rate"] for facts in by_year])
        actions, odds = self._actions(season)
        implied = np.zeros(bins.ZONE_COUNT)
        by_band = (actions * odds).sum(axis=1) * self.band_share
        np.add.at(implied, list(bins.BAND_ZONE), by_band)
        shift = logit(rate) - logit(implied)
        return SeasonFacts(
            shots_a_game=float(
                _at(season, years, [[facts["shots_a_game"]] for facts in by_year])[0]
            ),
            zone_share=share / share.sum(),
            action_share=actions,
            base=logit(odds) + shift[list(bins.BAND_ZONE), None],
        )

    def _actions(self, season: int) -> tuple[FloatArray, FloatArray]:
        """Share and make rate of every action in every band; 0 and 0.5 where there is none."""
        shape = (bins.BAND_COUNT, len(self.action_names))
        share, rate = np.zeros(shape), np.full(shape, 0.5)
        for band, facts in enumerate(self.actions["bands"]):
            share[band, facts["action"]] = _at(season, self.actions["seasons"], facts["share"])
            rate[band, facts["action"]] = facts["rate"]
        return share / share.sum(axis=1, keepdims=True), rate


@cache
def league_facts() -> LeagueFacts:
    """The embedded facts, read once."""
    text = resources.files(__package__).joinpath("facts.json").read_text("utf-8")
    facts = json.loads(text)
    places = tuple(_places(zone) for zone in facts["places"])
    shares = [_band_share(index, zone) for index, zone in enumerate(places)]
    return LeagueFacts(
        seasons=facts["seasons"],
        actions=facts["actions"],
        action_names=facts["actions"]["names"],
        places=places,
        band_share=np.concatenate(shares),
        clock_share=np.array(facts["clock"]),
        clock_effect=np.array(facts["clock_effect"]),
        period_effect=np.array(facts["period_effect"]),
        period_share=np.array(facts["period_share"]),
        preference_covariance=np.array(facts["preference_covariance"]),
        skill_sd=np.array([*facts["skill_sd"], 0.0]),
        overtime_share=facts["overtime_share"],
    )


def _at(season: int, years: list[int], values: list[Any]) -> FloatArray:
    table = np.asarray(values, np.float64)
    return np.array([np.interp(season, years, column) for column in table.T])


def _places(zone: dict[str, Any]) -> Places:
    weight = np.asarray(zone["weight"], np.float64)

    def tenths(name: str) -> IntArray:
        tenths_of_feet: IntArray = np.rint(np.asarray(zone[name]) * 10).astype(np.int64)
        return tenths_of_feet

    return Places(
        x=tenths("x"),
        y=tenths("y"),
        size=tenths("size"),
        cumulated=np.cumsum(weight / weight.sum()),
        at_origin=zone["at_origin"],
    )


def _band_share(index: int, places: Places) -> FloatArray:
    """Share of a zone's bands, from a fine grid laid over its squares."""
    steps = (np.arange(6) + 0.5) / 6
    dx, dy = (grid.ravel() for grid in np.meshgrid(steps, steps))
    x = (places.x[:, None] + dx * places.size[:, None]) / 10
    y = (places.y[:, None] + dy * places.size[:, None]) / 10
    inside = court.zone(x, y) == index + 1
    weight = np.diff(places.cumulated, prepend=0.0)[:, None] * inside
    weight = weight / np.maximum(inside.sum(axis=1, keepdims=True), 1)
    zone = np.full(x.size, index + 1, np.int64)
    local = bins.band(zone, court.distance_ft(x, y).ravel()) - bins.BAND_ZONE.index(index)
    share: FloatArray = np.bincount(
        local, weight.ravel(), minlength=len(bins.BAND_EDGES_FT[index]) + 1
    ).astype(np.float64)
    share = share / share.sum() * (1 - places.at_origin)
    share[0] += places.at_origin
    return share
