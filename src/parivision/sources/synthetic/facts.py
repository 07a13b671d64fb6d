"""The facts of the real archive, as arrays and by season (see `measure` for what they are)."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parivision.shots import court
from parivision.shots.court import FloatArray, IntArray
from parivision.sources.synthetic import bins
from parivision.sources.synthetic.measure import logit


@dataclass(frozen=True)
class Places:
    """Where the shots of a zone come from: squares, and the points of the zone in each.

    Square i holds the points `first[i]` to `first[i] + count[i] - 1` of `x` and `y`, which are in
    tenths of feet, all equally likely; `cumulated` is the squares' cumulated probability.
    """

    x: IntArray
    y: IntArray
    first: IntArray
    count: IntArray
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
    skill_sd: FloatArray
    """Spread of the players by zone, on the log odds of a shot of known band and action."""


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
    """Spread of the players by zone, on the log odds of the zone's mean make rate."""
    overtime_share: float

    def season(self, season: int) -> SeasonFacts:
        """Facts of a season: interpolated between the measured ones, flat beyond them."""
        years = [int(year) for year in self.seasons]
        by_year = list(self.seasons.values())
        share = _at(season, years, [facts["share"] for facts in by_year])
        rate = _at(season, years, [facts["rate"] for facts in by_year])
        pace = _at(season, years, [[facts["shots_a_game"]] for facts in by_year])
        action_share, action_rate = self._actions(season)
        base, steepness = _shifted(
            logit(action_rate), action_share * self.band_share[:, None], rate
        )
        return SeasonFacts(
            shots_a_game=float(pace[0]),
            zone_share=share / share.sum(),
            action_share=action_share,
            base=base,
            skill_sd=self.skill_sd / steepness,
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
    places = tuple(_places(index, zone) for index, zone in enumerate(facts["places"]))
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


def _shifted(
    base: FloatArray, weight: FloatArray, rate: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Log odds moved zone by zone until each zone's make rate is the measured one (Newton).

    `weight` is the share of each band and action in its zone. Also returns, by zone, how much a
    zone's make rate gives way to a shift of the log odds, against a zone of equal shots.
    """
    band_zone = list(bins.BAND_ZONE)
    shift = np.zeros(bins.ZONE_COUNT)
    # The make rate is smooth and rises with the shift, so Newton's method converges in a few steps.
    for _ in range(20):
        p = 1 / (1 + np.exp(-(base + shift[band_zone, None])))
        reached = np.bincount(band_zone, (weight * p).sum(axis=1))
        slope = np.bincount(band_zone, (weight * p * (1 - p)).sum(axis=1))
        shift += (rate - reached) / slope
    return base + shift[band_zone, None], slope / (reached * (1 - reached))


def _at(season: int, years: list[int], values: list[Any]) -> FloatArray:
    table = np.asarray(values, np.float64)
    return np.array([np.interp(season, years, column) for column in table.T])


def _places(index: int, zone: dict[str, Any]) -> Places:
    corner_x, corner_y, size = (
        np.rint(np.asarray(zone[name]) * 10).astype(np.int64) for name in ("x", "y", "size")
    )
    square, x, y = _points(corner_x, corner_y, size)
    inside = (court.zone(x / 10, y / 10) == index + 1) & _on_court(x / 10, y / 10)
    square, x, y = square[inside], x[inside], y[inside]
    count = np.bincount(square, minlength=len(size))
    # A square at a zone's edge may hold none of its points: no shot can come from there.
    weight = np.asarray(zone["weight"], np.float64) * (count > 0)
    return Places(
        x=x,
        y=y,
        first=np.cumsum(count) - count,
        count=count,
        cumulated=np.cumsum(weight / weight.sum()),
        at_origin=zone["at_origin"],
    )


def _points(
    corner_x: IntArray, corner_y: IntArray, size: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Every point of every square, square by square: its square, x and y in tenths of feet."""
    square = np.repeat(np.arange(len(size)), size**2)
    nth = np.arange(len(square)) - np.repeat(np.cumsum(size**2) - size**2, size**2)
    return square, corner_x[square] + nth % size[square], corner_y[square] + nth // size[square]


def _on_court(x_ft: FloatArray, y_ft: FloatArray) -> NDArray[np.bool_]:
    return (
        (np.abs(x_ft) <= court.HALF_WIDTH_FT)
        & (y_ft >= court.BASELINE_Y_FT)
        & (y_ft <= court.FAR_BASELINE_Y_FT)
    )


def _band_share(index: int, places: Places) -> FloatArray:
    """Share of each of a zone's bands in the shots of the zone."""
    chance = np.diff(places.cumulated, prepend=0.0) / np.maximum(places.count, 1)
    weight = np.repeat(chance, places.count)
    zone = np.full(len(weight), index + 1, np.int64)
    distance = court.distance_ft(places.x / 10, places.y / 10)
    local = bins.band(zone, distance) - bins.BAND_ZONE.index(index)
    count = len(bins.BAND_EDGES_FT[index]) + 1
    share = np.bincount(local, weight, minlength=count).astype(np.float64)
    share *= 1 - places.at_origin
    share[0] += places.at_origin
    return share
