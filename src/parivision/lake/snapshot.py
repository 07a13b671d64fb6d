"""The snapshot: shots of silver in one file, so that later stages see the same games.

They are of one league and of the parts of the season that are asked for: a model of two leagues, or
one that learns how players shoot from games that do not count, is right about neither.

Training, evaluation and promotion read this file, whatever arrives in the lake meanwhile. Games of
which only the makes are there stay out (`parivision.lake.makes_only`), and come in with their
misses.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl

from parivision.durable import replacing
from parivision.errors import DataError, SettingsError
from parivision.features import tables
from parivision.lake.base import Lake
from parivision.lake.makes_only import Doubted, doubted
from parivision.shots import schema
from parivision.shots.leagues import NBA, League

REGULAR_SEASON: Final = (schema.SEASON_TYPES[0],)


@dataclass(frozen=True)
class Snapshot:
    """What was written: so many rows, without the games that are doubted.

    `other_parts` counts the league's shots of parts of the season that were not asked for.
    """

    rows: int
    doubted: Doubted
    other_parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def other_parts_sentence(self) -> str:
        """A sentence on shots of other parts of the season; empty where there are none."""
        if not self.other_parts:
            return ""
        parts = ", ".join(f"{part} ({n:,} shots)" for part, n in sorted(self.other_parts.items()))
        return (
            f"Other parts of the season are in the lake and not in the snapshot: {parts}. "
            "The season types of `refine` choose."
        )


def write_snapshot(
    lake: Lake,
    path: Path,
    *,
    until: date | None = None,
    league: League = NBA,
    season_types: Collection[str] = REGULAR_SEASON,
) -> Snapshot:
    """Write a league's silver (games before `until`) as one Parquet file in time order.

    Raises SettingsError for a league of which no model can be made, and DataError without shots.
    """
    if league.no_model:
        raise SettingsError(league.no_model)
    everything = lake.silver(until=until, league=league)
    before = f" before {until}" if until else ""
    is_asked = pl.col("season_type").is_in(list(season_types))
    shots, others = everything.filter(is_asked), everything.filter(~is_asked)
    if shots.is_empty():
        chosen = f" of the {league.title} ({', '.join(season_types)})"
        is_plain = league is NBA and everything.is_empty()
        raise DataError(
            f"silver has no shots{'' if is_plain else chosen}{before}: run `parivision ingest` and "
            "`parivision refine`"
        )
    other_parts = dict(others["season_type"].value_counts().iter_rows())
    # Judged on what was asked for: another part of the season is no evidence on these games.
    doubtful = doubted(shots)
    if len(doubtful.left_out):
        shots = shots.filter(~pl.col("game_id").is_in(doubtful.left_out.implode()))
    if shots.is_empty():
        raise DataError(f"silver has no whole game{before} to train on: {doubtful.sentence}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        shots.write_parquet(temporary)
    return Snapshot(len(shots), doubtful, other_parts)


def read_snapshot(path: Path) -> pl.DataFrame:
    """Shots of a snapshot, in time order."""
    try:
        # In one piece, arrays of a column are views of it; of several they are copies.
        return tables.in_time_order(pl.read_parquet(path).rechunk())
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"no shots in {path} ({error}); run `parivision refine`") from error
