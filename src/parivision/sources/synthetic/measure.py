"""Measures the aggregate facts by which the synthetic league is calibrated.

`measure` takes any table of shots, real or synthetic, and returns plain numbers: no row, no name
of a player. `facts.json` beside this module is its answer for the real archive of 2004 to 2023;
its answer for a synthetic league must be about the same, which is how the league is tested.
To measure anew: `json.dumps(measure(lake.silver()))`.
"""

from typing import Any, Final

import numpy as np
import polars as pl

from parivision.shots import court
from parivision.shots.court import FloatArray
from parivision.sources.synthetic import bins

MODERN_FROM: Final = 2018
"""The first season that speaks of shots as today's scorers do (they changed words in 2016-17)."""
PLACES_FROM: Final = 2021
# So many average shots are added to each bin: a rate of few shots says little by itself.
PRIOR_SHOTS: Final = 50.0
MIN_ACTION_SHARE: Final = 2e-4
MIN_PLAYER_SHOTS: Final = 250
MIN_PLAYER_ZONE_SHOTS: Final = 60

Facts = dict[str, Any]


def measure(shots: pl.DataFrame) -> Facts:
    """The facts of a table of shots (canonical columns; only the ones used must be there)."""
    x, y = shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy()
    zone = court.zone(x, y)
    marked = shots.with_columns(
        pl.Series("zone", zone), pl.Series("band", bins.band(zone, court.distance_ft(x, y)))
    )
    modern = marked.filter(pl.col("season") >= MODERN_FROM)
    return {
        "seasons": _seasons(marked),
        "actions": _actions(modern),
        "places": _places(marked.filter(pl.col("season") >= PLACES_FROM)),
        "clock": _clock(modern),
        "clock_effect": _clock_effect(modern),
        "period_effect": _period_effect(modern),
        "period_share": _period_share(modern),
        "preference_covariance": _preference_covariance(modern),
        "skill_sd": _skill_sd(marked),
        "overtime_share": _overtime_share(marked),
    }


def logit(p: Any) -> Any:
    """Log odds, clipped so that a rate of 0 or 1 stays finite."""
    clipped = np.clip(p, 1e-4, 1 - 1e-4)
    return np.log(clipped / (1 - clipped))


def _rounded(values: Any, digits: int = 4) -> Any:
    return np.round(np.asarray(values, np.float64), digits).tolist()


def _rounded_list(values: Any, digits: int = 4) -> list[float]:
    rounded: list[float] = _rounded(values, digits)
    return rounded


def _seasons(shots: pl.DataFrame) -> Facts:
    """Per season: regulation shots a game, share and make rate of each zone."""
    facts: Facts = {}
    for (season,), rows in sorted(shots.partition_by("season", as_dict=True).items()):
        games = rows.filter(pl.col("period") <= 4)
        zone, made = rows["zone"].to_numpy() - 1, rows["made"].to_numpy()
        count = np.bincount(zone, minlength=bins.ZONE_COUNT)
        hits = np.bincount(zone, made, minlength=bins.ZONE_COUNT)
        facts[str(season)] = {
            "shots_a_game": round(games.height / games["game_id"].n_unique(), 2),
            "share": _rounded(count / count.sum(), 5),
            "rate": _rounded(hits / np.maximum(count, 1)),
        }
    return facts


def _actions(shots: pl.DataFrame) -> Facts:
    """Per band: action words, their share by season, and their make rate over all seasons."""
    seasons = shots["season"].unique().sort().to_list()
    names = shots["action_type"].drop_nulls().unique().sort().to_list()
    cells = (
        shots.drop_nulls("action_type")
        .group_by("band", "season", "action_type")
        .agg(pl.len().alias("n"), pl.col("made").sum().cast(pl.Int64).alias("k"))
    )
    count = np.zeros((bins.BAND_COUNT, len(seasons), len(names)))
    hits = np.zeros_like(count)
    at = (
        cells["band"].to_numpy(),
        np.searchsorted(seasons, cells["season"].to_numpy()),
        cells["action_type"].replace_strict(names, range(len(names))).to_numpy(),
    )
    count[at], hits[at] = cells["n"].to_numpy(), cells["k"].to_numpy()
    bands = [_band_actions(count[b], hits[b], names) for b in range(bins.BAND_COUNT)]
    return {"seasons": seasons, "names": names, "bands": bands}


def _band_actions(count: FloatArray, hits: FloatArray, names: list[str]) -> Facts:
    share = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    kept = np.flatnonzero(share.mean(axis=0) >= MIN_ACTION_SHARE)
    mean = hits.sum() / max(count.sum(), 1)
    rate = (hits.sum(axis=0) + PRIOR_SHOTS * mean) / (count.sum(axis=0) + PRIOR_SHOTS)
    return {
        "action": kept.tolist() if len(names) else [],
        "share": _rounded(share[:, kept]),
        "rate": _rounded(rate[kept], 3),
    }


def _places(shots: pl.DataFrame) -> list[Facts]:
    """Per zone: squares of the court (corner and side, in feet) and shots in each, per 100,000."""
    x, y = shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy()
    zone = shots["zone"].to_numpy()
    size = bins.cell_size_ft(zone, court.distance_ft(x, y))
    origin = (x == 0) & (y == 0)
    squares = pl.DataFrame(
        {"zone": zone, "x": np.floor(x / size) * size, "y": np.floor(y / size) * size, "s": size}
    ).filter(pl.Series(~origin))
    counted = squares.group_by("zone", "x", "y", "s").len().sort("zone", "y", "x")
    facts = []
    for index in range(bins.ZONE_COUNT):
        here = counted.filter(pl.col("zone") == index + 1)
        in_zone = zone == index + 1
        weight = here["len"].to_numpy() / max(here["len"].sum(), 1) * 1e5
        facts.append(
            {
                "x": _rounded(here["x"], 1),
                "y": _rounded(here["y"], 1),
                "size": _rounded(here["s"], 1),
                "weight": _rounded(weight, 0),
                "at_origin": round(float(origin[in_zone].mean()) if in_zone.any() else 0.0, 4),
            }
        )
    return facts


def _clock(shots: pl.DataFrame) -> list[list[float]]:
    """Per clock group: the share of its regulation shots in each bin of the game clock."""
    rows = shots.filter(pl.col("period") <= 4)
    group = np.asarray(bins.CLOCK_GROUP)[rows["zone"].to_numpy() - 1]
    clock = rows["clock_s"].to_numpy()
    edges = bins.CLOCK_EDGES_S
    shares = []
    for index in range(bins.CLOCK_GROUP_COUNT):
        count = np.histogram(clock[group == index], edges)[0]
        shares.append(_rounded(count / max(count.sum(), 1), 5))
    return shares


def _clock_effect(shots: pl.DataFrame) -> list[list[float]]:
    """Per clock group: log odds of a make in each clock bin against the group's own.

    Heaves from the backcourt are too few to measure: zero.
    """
    rows = shots.filter(pl.col("period") <= 4)
    group = np.asarray(bins.CLOCK_GROUP)[rows["zone"].to_numpy() - 1]
    clock, made = rows["clock_s"].to_numpy(), rows["made"].to_numpy().astype(np.float64)
    effects = []
    for index in range(bins.CLOCK_GROUP_COUNT - 1):
        here = group == index
        count = np.histogram(clock[here], bins.CLOCK_EFFECT_EDGES_S)[0]
        hits = np.histogram(clock[here], bins.CLOCK_EFFECT_EDGES_S, weights=made[here])[0]
        mean = made[here].mean() if here.any() else 0.5
        rate = (hits + PRIOR_SHOTS * mean) / (count + PRIOR_SHOTS)
        effects.append(_rounded(logit(rate) - logit(mean), 3))
    return [*effects, [0.0] * (len(bins.CLOCK_EFFECT_EDGES_S) - 1)]


def _period_effect(shots: pl.DataFrame) -> list[float]:
    """Log odds of a make in periods 1 to 4 and in overtime, against a shot of the same zone."""
    expected = shots.with_columns(pl.col("made").mean().over("season", "zone").alias("expected"))
    by_period = (
        expected.group_by(pl.min_horizontal("period", pl.lit(5)).alias("p"))
        .agg(pl.col("made").mean(), pl.col("expected").mean())
        .sort("p")
    )
    actual, usual = by_period["made"].to_numpy(), by_period["expected"].to_numpy()
    return _rounded_list(logit(actual) - logit(usual), 3)


def _period_share(shots: pl.DataFrame) -> list[float]:
    count = np.bincount(shots["period"].to_numpy(), minlength=5)[1:5]
    return _rounded_list(count / count.sum())


def _overtime_share(shots: pl.DataFrame) -> float:
    periods = shots.group_by("season", "game_id").agg(pl.col("period").max())["period"]
    return round(float((periods.to_numpy() > 4).mean()), 4)


def _preference_covariance(shots: pl.DataFrame) -> list[list[float]]:
    """Covariance over player seasons: log of the shots in zones 2 to 6 against those in zone 1."""
    counts = (
        shots.filter(pl.col("zone") < bins.ZONE_COUNT)
        .group_by("season", "player_id")
        .agg(*[(pl.col("zone") == z).sum().alias(str(z)) for z in range(1, bins.ZONE_COUNT)])
        .drop("season", "player_id")
        .to_numpy()
        .astype(np.float64)
    )
    total = counts.sum(axis=1, keepdims=True)
    league = counts.sum(axis=0) / counts.sum()
    # Twelve shots as the league takes them are added: no zone is without any, and has a logarithm.
    smoothed = np.log((counts + 12 * league) / (total + 12))[total[:, 0] >= MIN_PLAYER_SHOTS]
    ratio = smoothed[:, 1:] - smoothed[:, :1]
    covariance: list[list[float]] = _rounded(np.cov(ratio.T), 3)
    return covariance


def _skill_sd(shots: pl.DataFrame) -> list[float]:
    """Per zone 1 to 6: spread of the players' log odds beyond chance, each season on its own."""
    cells = (
        shots.filter(pl.col("zone") < bins.ZONE_COUNT)
        .with_columns(pl.col("made").mean().over("season", "zone").alias("r"))
        .group_by("season", "player_id", "zone")
        .agg(pl.len().alias("n"), pl.col("made").mean().alias("rate"), pl.col("r").first())
        .filter(pl.col("n") >= MIN_PLAYER_ZONE_SHOTS)
    )
    spread = []
    for zone in range(1, bins.ZONE_COUNT):
        n, rate, r = cells.filter(pl.col("zone") == zone).select("n", "rate", "r").to_numpy().T
        deviation = rate - r
        mean = np.average(deviation, weights=n)
        # Method of moments: what rates vary beyond r (1 - r) / n, which is chance, is skill.
        # Divided by r (1 - r), the logistic function's slope, it is on the log odds (delta method).
        excess = np.average((deviation - mean) ** 2 - r * (1 - r) / n, weights=n)
        spread.append(float(np.sqrt(max(excess, 0.0)) / np.average(r * (1 - r), weights=n)))
    return _rounded_list(spread, 3)
