"""The report's sections about the record: action types, missing values, duplicates, places."""

from typing import Final

import polars as pl

from parivision.reports.eda.rates import percent
from parivision.reports.html import Block, Section, Table, Text
from parivision.shots import court, schema
from parivision.shots.court import Zone

TOP_ACTIONS: Final = 20
MIN_SEASON_SHOTS: Final = 200
"""Shots of an action type that a season must hold for its make rate to be compared."""
_COLUMNS_MEAN: Final = (
    "Distance agrees: the reported whole feet are those of the place. Value agrees: a three lies "
    "on or beyond the line. Zone agrees: ours and the league's are the same. Shots at exactly "
    "(0, 0) were logged at the rim without a place of their own."
)
_LEAGUE_ZONES: Final = {
    "Restricted Area": (Zone.RESTRICTED_AREA,),
    "In The Paint (Non-RA)": (Zone.PAINT,),
    "Mid-Range": (Zone.MID_RANGE_LEFT, Zone.MID_RANGE_RIGHT_CENTRE),
    "Above the Break 3": (Zone.ABOVE_BREAK_3,),
    "Left Corner 3": (Zone.CORNER_3,),
    "Right Corner 3": (Zone.CORNER_3,),
    "Backcourt": (Zone.BACKCOURT_OTHER,),
}


def actions(shots: pl.DataFrame) -> Section:
    """The most frequent action types and how their make rates moved over the seasons."""
    total = action_rates(shots)
    if total.height == 0:
        return Section("Action types", [Text("No shot carries an action type.", is_reading=True)])
    n_seasons = shots["season"].n_unique()
    columns = {"action_type": "action type", "n_shots": "shots", "share": "share"}
    columns["made_rate"] = "made"
    if n_seasons > 1:
        first, last = shots.select(pl.col("season").min(), last=pl.col("season").max()).row(0)
        columns["rate_first"], columns["rate_last"] = f"made in {first}", f"made in {last}"
        columns["change"], columns["seasons"] = "change", "seasons"
    rates = dict.fromkeys(("share", "made_rate", "rate_first", "rate_last"), ".1%")
    table = Table(
        total.head(TOP_ACTIONS),
        columns,
        {"n_shots": ",", "change": "+.1%", **rates},
        caption=f"The {min(TOP_ACTIONS, total.height)} most frequent of {total.height} types",
    )
    return Section(
        "Action types", [Text(_action_reading(total, n_seasons), is_reading=True), table]
    )


def action_rates(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots and make rates by action type, the most frequent first, overall and at both ends.

    Columns: action_type, n_shots, share, made_rate, seasons (in which it occurs), rate_first and
    rate_last (make rate in the table's first and last season; null below MIN_SEASON_SHOTS there)
    and their difference, change.
    """
    ends = shots.select(first=pl.col("season").min(), last=pl.col("season").max()).row(0)
    by_season = (
        shots.filter(pl.col("action_type").is_not_null())
        .group_by("action_type", "season")
        .agg(n_shots=pl.len().cast(pl.Int64), makes=pl.col("made").sum().cast(pl.Int64))
        .with_columns(rate=pl.col("makes") / pl.col("n_shots"))
    )
    enough = pl.col("n_shots") >= MIN_SEASON_SHOTS
    rate_first, rate_last = (
        pl.col("rate").filter(enough & (pl.col("season") == end)).first() for end in ends
    )
    return (
        by_season.group_by("action_type")
        .agg(
            n_shots=pl.col("n_shots").sum(),
            made_rate=pl.col("makes").sum() / pl.col("n_shots").sum(),
            seasons=pl.len().cast(pl.Int64),
            rate_first=rate_first,
            rate_last=rate_last,
        )
        .with_columns(
            share=pl.col("n_shots") / shots.height,
            change=pl.col("rate_last") - pl.col("rate_first"),
        )
        .sort("n_shots", "action_type", descending=[True, False])
    )


def _action_reading(total: pl.DataFrame, n_seasons: int) -> str:
    top = total.row(0, named=True)
    sentences = [
        (
            f"The most frequent action type, {top['action_type']!r}, makes up "
            f"{percent(top['share'])} of the shots and goes in {percent(top['made_rate'])} of the "
            "time."
        )
    ]
    if n_seasons > 1:
        partly = total.filter(pl.col("seasons") < n_seasons).height
        sentences.append(f"{partly} of the types do not occur in every season.")
    moved = total.filter(pl.col("change").is_not_null()).sort(pl.col("change").abs()).tail(1)
    if n_seasons > 1 and moved.height:
        row = moved.row(0, named=True)
        sentences.append(
            f"The make rate moved most for {row['action_type']!r}: from "
            f"{percent(row['rate_first'])} to {percent(row['rate_last'])}."
        )
    return " ".join(sentences)


def quality(shots: pl.DataFrame) -> Section:
    """Missing values, duplicates, and whether place, distance, value and zone agree, by season."""
    table = agreement(shots)
    missing = {
        name: n for name, n in zip(shots.columns, shots.null_count().row(0), strict=True) if n
    }
    keys = shots.height - shots.select(schema.KEY).n_unique()
    facts = [name for name in schema.NAMES if name != "event_id"]
    # By hashes of 64 bits, which take a fraction of the rows' memory. That two of four million rows
    # share one has a chance below one in a million.
    repeated = shots.height - shots.select(facts).hash_rows(seed=0).n_unique()
    columns = {
        "season": "season", "n_shots": "shots", "games": "games", "missing": "missing values",
        "distance_ok": "distance agrees", "value_ok": "value agrees", "zone_ok": "zone agrees",
        "at_origin": "at exactly (0, 0)",
    }  # fmt: skip
    shares = dict.fromkeys(("distance_ok", "value_ok", "zone_ok"), ".2%") | {"at_origin": ".1%"}
    formats = {"n_shots": ",", "games": ",", "missing": ",", **shares}
    blocks: list[Block] = [
        Text(_quality_reading(table, missing, keys, repeated), is_reading=True),
        Table(table, columns, formats),
        Text(_COLUMNS_MEAN),
    ]
    return Section("Data quality", blocks)


def agreement(shots: pl.DataFrame) -> pl.DataFrame:
    """Counts and shares by season: how far place, distance, value and zone agree.

    Columns: season, n_shots, games, missing, and the shares distance_ok, value_ok, zone_ok (null
    where no shot names the league's zone) and at_origin.
    """
    x, y = shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy()
    zone = pl.Series(court.zone(x, y))
    # The league names both corners and one mid-range; ours has one corner and two mid-ranges.
    zone_ok = pl.any_horizontal(
        *[
            (pl.col("zone_basic") == name) & pl.col("zone").is_in([int(z) for z in allowed])
            for name, allowed in _LEAGUE_ZONES.items()
        ]
    )
    checked = shots.select(
        "season", "game_id",
        missing=pl.sum_horizontal(pl.col(schema.NAMES).is_null()),
        distance_ok=pl.Series(court.distance_ft(x, y)).floor() == pl.col("distance_ft"),
        value_ok=pl.Series(court.shot_value(x, y)) == pl.col("shot_value"),
        zone_basic=pl.col("zone_basic"), zone=zone,
        at_origin=(pl.col("x_ft") == 0) & (pl.col("y_ft") == 0),
    )  # fmt: skip
    return (
        checked.with_columns(zone_ok=zone_ok)
        .group_by("season")
        .agg(
            pl.col("distance_ok", "value_ok", "zone_ok", "at_origin").mean(),
            n_shots=pl.len().cast(pl.Int64),
            games=pl.col("game_id").n_unique().cast(pl.Int64),
            missing=pl.col("missing").sum().cast(pl.Int64),
        )
        .sort("season")
    )


def _quality_reading(table: pl.DataFrame, missing: dict[str, int], keys: int, repeated: int) -> str:
    worst = table.sort("distance_ok").row(0, named=True)
    geometry = (
        "Place and reported distance agree on every shot."
        if worst["distance_ok"] == 1
        else f"Place and reported distance agree least in {worst['season']}, on "
        f"{percent(worst['distance_ok'])} of its shots."
    )
    gaps = (
        ", ".join(f"{name} ({n:,})" for name, n in sorted(missing.items()))
        if missing
        else "no column"
    )
    return (
        f"Values are missing in {gaps}. {keys:,} shots repeat another's key, {repeated:,} repeat "
        f"everything but the event number. {geometry}"
    )
