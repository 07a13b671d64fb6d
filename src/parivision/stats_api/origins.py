"""What the stats API can replay: feed files, season files, tables of shots, lakes, a made league.

An origin hands out feed records, a bounded number at a time, so that an archive of millions of
shots never lies in memory whole.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from parivision.errors import SourceError
from parivision.lake.base import Lake
from parivision.shots import schema
from parivision.sources import FORMATS, feed22
from parivision.sources.csv_files import open_files
from parivision.sources.csv_members import SUFFIXES
from parivision.sources.synthetic import SyntheticConfig, SyntheticSource, season_size

SHOTS_A_READ: Final = 100_000
_TABLE_SUFFIXES: Final = (".parquet", ".pq")


@dataclass(frozen=True)
class Origin:
    """Where an archive's records come from.

    `label` says it in words. `fingerprint` changes when the records may have changed, and is cheap
    to know. `records` gives them, as text in the feed's columns. `identity` is what its readers'
    cursors hold on to; None takes the content's.
    """

    label: str
    fingerprint: str
    records: Callable[[], Iterator[pl.DataFrame]]
    identity: str | None = None
    rows: int = 0
    """Number of records, 0 when that is not known."""


def synthetic_origin(config: SyntheticConfig) -> Origin:
    """A synthetic league; its identity leaves out the drift, so that a drift can be switched on."""
    source = SyntheticSource(config)
    return Origin(
        label=f"synthetic league, seed {config.seed}, seasons {list(config.seasons)}",
        fingerprint=_short(repr(config)),
        records=lambda: (batch.records for batch in source.batches()),
        identity=_short(repr(config.without_drift())),
        rows=sum(season_size(config, season) for season in config.seasons),
    )


def lake_origin(lake: Lake) -> Origin:
    """The shots of a lake's silver layer, of all leagues, in the order in which they were taken."""
    return Origin(
        label=f"silver layer of the lake {lake.url}",
        fingerprint=_short(f"{lake.url} {lake.counts()}"),
        records=lambda: _lake_records(lake),
        rows=lake.counts().silver,
    )


def file_origin(path: Path) -> Origin:
    """Files: CSV of feed records, season zips or CSV, or Parquet of canonical shots.

    A folder holds one of the three kinds. Raises SourceError when there is nothing to read.
    """
    files = _files(path)
    is_table = files[0].suffix in _TABLE_SUFFIXES
    stats = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return Origin(
        label=str(path),
        fingerprint=_short(repr((str(path.resolve()), stats))),
        records=lambda: _table_records(files) if is_table else _csv_records(path),
    )


def _short(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _files(path: Path) -> list[Path]:
    suffixes = (*SUFFIXES, *_TABLE_SUFFIXES)
    if not path.exists():
        raise SourceError(f"There is no archive {path}; give a file or a folder that exists.")
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    files = [file for file in inside if file.is_file() and file.name.lower().endswith(suffixes)]
    if not files:
        raise SourceError(
            f"{path} holds no archive; expected files that end in {', '.join(suffixes)}."
        )
    return files


def _lake_records(lake: Lake) -> Iterator[pl.DataFrame]:
    days = lake.silver(["game_date"], league=None)["game_date"]
    if days.is_empty():
        return
    # A year at a time bounds the memory, whatever the lake holds.
    for year in days.dt.year().unique().sort():
        shots = lake.silver(since=date(year, 1, 1), until=date(year + 1, 1, 1), league=None)
        yield feed22.records_from_shots(shots)


def _table_records(files: list[Path]) -> Iterator[pl.DataFrame]:
    for file in files:
        try:
            table = pq.ParquetFile(file)
            lacking = [name for name in schema.NAMES if name not in table.schema_arrow.names]
            if lacking:
                raise SourceError(
                    f"{file} lacks the columns {lacking}; expected a Parquet file of canonical "
                    "shots, as a lake or the synthetic league writes it."
                )
            for block in table.iter_batches(SHOTS_A_READ, columns=list(schema.NAMES)):
                yield feed22.records_from_shots(pl.DataFrame(pa.Table.from_batches([block])))
        except pa.ArrowException as error:
            raise SourceError(
                f"{file} is no whole Parquet file: {error}; fetch it anew."
            ) from error


def _csv_records(path: Path) -> Iterator[pl.DataFrame]:
    source = open_files(path)
    for batch in source.batches():
        layout = FORMATS[batch.format or source.format]
        if layout.name == feed22.FORMAT.name:
            yield batch.records
        else:
            yield feed22.records_from_shots(layout.to_shots(batch.records).shots)
