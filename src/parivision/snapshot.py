"""The snapshot: all shots of silver in one file, so that later stages see the same games.

Training, evaluation and promotion read this file, whatever arrives in the lake meanwhile.
"""

from datetime import date
from pathlib import Path

import polars as pl

from parivision import tables
from parivision.errors import DataError
from parivision.lake.base import Lake


def write_snapshot(lake: Lake, path: Path, *, until: date | None = None) -> int:
    """Write silver (games before `until`) as one Parquet file in time order; returns the rows."""
    shots = lake.silver(until=until)
    if shots.is_empty():
        before = f" before {until}" if until else ""
        raise DataError(
            f"silver has no shots{before}: run `parivision ingest` and `parivision refine`"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    shots.write_parquet(partial)
    partial.replace(path)
    return len(shots)


def read_snapshot(path: Path) -> pl.DataFrame:
    """Shots of a snapshot, in time order."""
    try:
        return tables.in_time_order(pl.read_parquet(path))
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(f"no shots in {path} ({error}); run `parivision refine`") from error
