"""The snapshot: all shots of silver in one file, so that later stages see the same games.

Training, evaluation and promotion read this file, whatever arrives in the lake meanwhile. Games of
which only the makes are there stay out (`parivision.lake.makes_only`), and come in with their
misses.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from parivision.durable import replacing
from parivision.errors import DataError
from parivision.features import tables
from parivision.lake.base import Lake
from parivision.lake.makes_only import Doubted, doubted


@dataclass(frozen=True)
class Snapshot:
    """What was written: so many rows, without the games that are doubted."""

    rows: int
    doubted: Doubted


def write_snapshot(lake: Lake, path: Path, *, until: date | None = None) -> Snapshot:
    """Write silver (games before `until`) as one Parquet file in time order."""
    shots = lake.silver(until=until)
    before = f" before {until}" if until else ""
    if shots.is_empty():
        raise DataError(
            f"silver has no shots{before}: run `parivision ingest` and `parivision refine`"
        )
    doubtful = doubted(shots)
    if len(doubtful.left_out):
        shots = shots.filter(~pl.col("game_id").is_in(doubtful.left_out.implode()))
    if shots.is_empty():
        raise DataError(f"silver has no whole game{before} to train on: {doubtful.sentence}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        shots.write_parquet(temporary)
    return Snapshot(len(shots), doubtful)


def read_snapshot(path: Path) -> pl.DataFrame:
    """Shots of a snapshot, in time order."""
    try:
        return tables.in_time_order(pl.read_parquet(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"no shots in {path} ({error}); run `parivision refine`") from error
