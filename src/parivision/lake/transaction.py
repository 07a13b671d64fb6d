"""One commit of the file lake: data files first, then the manifest that names them."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

import polars as pl
from polars.exceptions import PolarsError

from parivision.durable import sync
from parivision.errors import StoreError
from parivision.lake import manifest as contents
from parivision.lake.base import QUARANTINE_SCHEMA
from parivision.lake.manifest import DataFile, LakeManifest

BRONZE: Final = "bronze"
SILVER: Final = "silver"
QUARANTINE: Final = "quarantine"
ANY_LAYOUT: Final = ""
SEQ: Final = "seq"
"""Column of bronze: the commit that added the row."""
PARTITION: Final = "partition"
DATA: Final = "data"
MAX_MERGED_ROWS: Final = 400_000
"""Files are not merged beyond this, so that no step holds much more than a season in memory."""
READERS_GRACE_S: Final = 120.0
"""How long a replaced file stays for readers that know only the old manifest."""

_NO_KEY: Final = -1
_GAMES_PER_PARTITION: Final = 100_000
_LAST_PARTITION: Final = 1_000


def partition_of(game_id: pl.Expr) -> pl.Expr:
    """The partition of a game: a season each for the league's numbers.

    Numbers too high for the league's scheme share one, and so do records without a number. Lower
    numbers lie in lower partitions.
    """
    return (
        (game_id // _GAMES_PER_PARTITION)
        .clip(0, _LAST_PARTITION)
        .fill_null(_NO_KEY)
        .alias(PARTITION)
    )


def by_partition(table: pl.DataFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """A table's rows by the partition of their `game_id`."""
    marked = table.with_columns(partition_of(pl.col("game_id")))
    for (partition,), rows in marked.group_by(PARTITION, maintain_order=True):
        yield int(str(partition)), rows.drop(PARTITION)


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Translate what goes wrong with files into a StoreError that says what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise StoreError(
            f"{what}: a file of the lake is gone ({error.filename or error}). If another process "
            "writes to it, run this again; otherwise restore it, or fill a new lake."
        ) from error
    except (OSError, PolarsError) as error:
        raise StoreError(
            f"{what}: the lake cannot be read or written ({type(error).__name__}: "
            f"{str(error)[:200]}). Check the folder's permissions, the disk's space and its files."
        ) from error


class Transaction:
    """Changes to a lake, made visible at once by `publish`; the caller holds the lake's lock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.manifest: LakeManifest = contents.read(root)
        self.number = self.manifest.commit + 1
        self._touched: set[Path] = set()
        self._obsolete: list[Path] = []

    def read(self, segment: DataFile, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Rows of a data file."""
        return pl.read_parquet(
            self._root / segment.path, columns=list(columns) if columns is not None else None
        )

    def add(self, layer: str, partition: int, layout: str, rows: pl.DataFrame) -> None:
        """Add rows, merging them with the newest files of their kind that are no larger.

        So a partition has few files however small the batches, and a row is rewritten few times:
        the size-tiered compaction of log-structured stores.
        """
        if rows.height == 0:
            return
        first = self.number
        older = list(self.manifest.of(layer, partition, layout))
        while older and older[-1].rows <= rows.height <= MAX_MERGED_ROWS - older[-1].rows:
            merged = older.pop()
            rows = pl.concat([self.read(merged), rows])
            first = merged.first
            self.manifest.segments.remove(merged)
            self._obsolete.append(self._root / merged.path)
        path = f"{DATA}/{layer}/{partition:05d}/{self.number:08d}-{uuid4().hex[:8]}.parquet"
        self._write(self._root / path, rows)
        self.manifest.segments.append(
            DataFile(layer, partition, layout, path, rows.height, first, self.number)
        )

    def add_quarantine(self, rows: pl.DataFrame) -> int:
        """Add what is not in quarantine yet, and return the number of rows added."""
        added = 0
        for partition, part in by_partition(rows.select(*QUARANTINE_SCHEMA)):
            identity = ["game_id", "event_id", "digest", "reason"]
            fresh = part.unique(identity, keep="first", maintain_order=True)
            for segment in self.manifest.of(QUARANTINE, partition):
                known = self.read(segment, identity)
                fresh = fresh.join(known, on=identity, how="anti", nulls_equal=True)
            self.add(QUARANTINE, partition, ANY_LAYOUT, fresh)
            added += fresh.height
        return added

    def publish(self) -> None:
        """Make the changes visible and durable, then remove what no reader can need any more."""
        for folder in sorted(self._touched):
            sync(folder)
        self.manifest.commit = self.number
        for path in self._obsolete:
            os.utime(path)  # readers of the old manifest have their grace from now on
        contents.write(self._root, self.manifest)
        self._remove_unnamed()

    def _write(self, path: Path, rows: pl.DataFrame) -> None:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True)
            # Up to the lake's own folder: a new folder is on disk when the one above it is, too.
            self._touched.update(path.parents[:4])
        rows.write_parquet(path, compression="zstd", compression_level=1)
        sync(path)
        # A new file is on disk when its folder is, too; `publish` brings each folder once.
        self._touched.add(path.parent)

    def _remove_unnamed(self) -> None:
        named = {self._root / segment.path for segment in self.manifest.segments}
        old = time.time() - READERS_GRACE_S
        of_killed_writers = self._root.glob(f".{contents.FILE_NAME}.*")
        for path in (*(self._root / DATA).glob("*/*/*"), *of_killed_writers):
            # Replaced files, and those of a writer that was killed before any manifest named them.
            if path not in named and path.stat().st_mtime < old:
                path.unlink(missing_ok=True)
