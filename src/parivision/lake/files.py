"""The embedded lake: Parquet files in a folder, one commit each write.

A write adds data files, then replaces the manifest that names them: readers see all of it or
nothing, and a process killed in between leaves files that nothing names. Rows lie in partitions by
game number, so a small batch touches small files. Writers take turns by a lock on the folder.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import polars as pl

from parivision import strict_json
from parivision.durable import exclusive, exporting
from parivision.lake import manifest as contents
from parivision.lake.base import (
    CONFLICT,
    KEYS,
    QUARANTINE_ORDER,
    QUARANTINE_SCHEMA,
    Appended,
    LayerCounts,
    Pending,
    RefinedRows,
    in_order_taken,
    needed_columns,
    quarantined,
    within,
)
from parivision.lake.deduplication import deduplicate
from parivision.lake.manifest import DataFile, LakeManifest
from parivision.lake.transaction import (
    ANY_LAYOUT,
    BRONZE,
    PARTITION,
    QUARANTINE,
    SEQ,
    SILVER,
    Transaction,
    by_partition,
    partition_of,
    reading,
)
from parivision.shots import schema
from parivision.shots.leagues import NBA, League

LOCK_NAME: Final = ".lock"
_KEPT_KEYS: Final = (*KEYS, "source")


class FilesLake:
    """A lake (`lake.base.Lake`) in the folder `root`.

    `wait_s` bounds how long a write waits for another process's.
    """

    def __init__(self, root: Path, wait_s: float = 60.0) -> None:
        self._root = root
        self._wait_s = wait_s

    @property
    def url(self) -> str:
        """The folder."""
        return str(self._root)

    def close(self) -> None:
        """Nothing to let go of."""

    def cursor(self, source: str) -> str | None:
        """The cursor last committed for a source."""
        return self._manifest().cursors.get(source)

    def commit_cursor(self, source: str, cursor: str | None) -> None:
        """Remember how far a source was read."""
        with self._transaction() as change:
            if cursor is None:
                change.manifest.cursors.pop(source, None)
            else:
                change.manifest.cursors[source] = cursor
            change.manifest.ingested_at = datetime.now(tz=UTC)

    def last_ingest(self) -> datetime | None:
        """When a cursor was last committed."""
        return self._manifest().ingested_at

    def append_bronze(
        self, records: pl.DataFrame, keys: pl.DataFrame, *, source: str, layout: str
    ) -> Appended:
        """Keep records as they came; see `lake.base.Lake`."""
        keys = keys.select(*KEYS, pl.lit(source).alias("source"))
        partitions = keys.select(partition_of(pl.col("game_id")).unique())[PARTITION]
        with self._transaction() as change:
            # Only the partitions of these games are read: equal keys are always in the same one.
            known = [
                change.read(segment, KEYS)
                for partition in partitions
                for segment in change.manifest.of(BRONZE, partition)
            ]
            unique = deduplicate(keys, pl.concat([keys.select(KEYS).clear(), *known]))
            new = pl.concat([keys[unique.new], records[unique.new]], how="horizontal")
            for partition, rows in by_partition(new):
                stamped = rows.with_columns(pl.lit(change.number).alias(SEQ))
                change.add(BRONZE, partition, layout, stamped)
            conflicts = quarantined(
                records[unique.conflicts], keys[unique.conflicts], CONFLICT, layout=layout
            )
            conflicting = change.add_quarantine(conflicts)
        # A conflict that is in quarantine already came again, and is a duplicate.
        repeated = len(unique.conflicts) - conflicting
        return Appended(len(unique.new), unique.duplicates + repeated, conflicting)

    def add_quarantine(self, refused: pl.DataFrame) -> int:
        """Keep what is no record."""
        with self._transaction() as change:
            return change.add_quarantine(refused)

    def pending(self) -> Iterator[Pending]:
        """Records not refined yet, one data file at a time; what comes meanwhile is left out."""
        # The manifest is read anew for each part: a write in between may have merged files.
        upto = self._manifest().commit
        handed: dict[tuple[int, str], int] = {}
        while part := self._next_pending(upto, handed):
            segment, after = part
            handed[segment.partition, segment.layout] = segment.last
            with reading("refine"):
                # A file that was merged holds rows that are refined already.
                rows = pl.read_parquet(self._root / segment.path).filter(pl.col(SEQ) > after)
            token = strict_json.text([segment.partition, segment.layout, after, segment.last])
            keys = rows.select(_KEPT_KEYS)
            yield Pending(segment.layout, rows.drop(*_KEPT_KEYS, SEQ), keys, token)

    def write_refined(
        self, pending: Pending, shots: pl.DataFrame, bad: pl.DataFrame
    ) -> RefinedRows:
        """Keep what became of pending records; nothing if another process did so first."""
        partition, layout, after, last = json.loads(pending.token)
        with self._transaction() as change:
            # Another process was faster: what it wrote is the same, so nothing is to be done.
            if change.manifest.refined_up_to(partition, layout) != after:
                return RefinedRows(0, 0, shots.height + bad.height)
            added = 0
            for part, rows in by_partition(shots):
                fresh = rows.unique(schema.KEY, keep="first", maintain_order=True)
                for segment in change.manifest.of(SILVER, part):
                    fresh = fresh.join(change.read(segment, schema.KEY), on=schema.KEY, how="anti")
                change.add(SILVER, part, ANY_LAYOUT, fresh)
                added += fresh.height
            quarantined_rows = change.add_quarantine(bad)
            change.manifest.mark_refined(partition, layout, last)
        duplicates = shots.height + bad.height - added - quarantined_rows
        return RefinedRows(added, quarantined_rows, duplicates)

    def silver(
        self,
        columns: Sequence[str] | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        league: League | None = NBA,
    ) -> pl.DataFrame:
        """A league's shots with since <= game_date < until, in the order they were taken in."""
        paths = [self._root / segment.path for segment in self._manifest().of(SILVER)]
        wanted = list(columns) if columns is not None else list(schema.NAMES)
        if not paths:
            return pl.DataFrame(schema=schema.POLARS_SCHEMA).select(wanted)
        with reading("silver"):
            shots = pl.scan_parquet(paths).filter(within(since, until, league))
            table = shots.select(needed_columns(columns)).collect()
        return in_order_taken(table, wanted)

    def quarantine(self) -> pl.DataFrame:
        """Everything in quarantine, sorted by key and digest."""
        with reading("quarantine"):
            tables = [
                pl.read_parquet(self._root / segment.path)
                for segment in self._manifest().of(QUARANTINE)
            ]
        return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *tables]).sort(QUARANTINE_ORDER)

    def counts(self) -> LayerCounts:
        """Rows of each layer."""
        manifest = self._manifest()
        with reading("counts"):
            pending = sum(self._unrefined_rows(manifest, file) for file in manifest.of(BRONZE))
        return LayerCounts(
            bronze=manifest.rows(BRONZE),
            pending=pending,
            silver=manifest.rows(SILVER),
            quarantine=manifest.rows(QUARANTINE),
        )

    def export_silver(self, path: Path) -> int:
        """Write all shots as CSV sorted by key, a partition at a time."""
        manifest = self._manifest()
        rows = 0
        with reading("export"), exporting(path) as stream:
            pl.DataFrame(schema=schema.POLARS_SCHEMA).write_csv(stream)
            # Partitions are ranges of game numbers: one behind the other they are sorted by key.
            for partition in sorted({segment.partition for segment in manifest.of(SILVER)}):
                paths = [self._root / file.path for file in manifest.of(SILVER, partition)]
                shots = pl.read_parquet(paths).sort(schema.KEY)
                shots.write_csv(stream, include_header=False)
                rows += shots.height
        return rows

    def _manifest(self) -> LakeManifest:
        with reading("lake"):
            return contents.read(self._root)

    @contextmanager
    def _transaction(self) -> Iterator[Transaction]:
        with reading("lake"):
            self._root.mkdir(parents=True, exist_ok=True)
            with exclusive(self._root / LOCK_NAME, self._wait_s):
                change = Transaction(self._root)
                yield change
                change.publish()

    def _next_pending(
        self, upto: int, handed: dict[tuple[int, str], int]
    ) -> tuple[DataFile, int] | None:
        manifest = self._manifest()
        for segment in sorted(manifest.of(BRONZE), key=lambda file: (file.partition, file.first)):
            kind = segment.partition, segment.layout
            after = max(manifest.refined_up_to(*kind), handed.get(kind, 0))
            if segment.first <= upto and segment.last > after:
                return segment, after
        return None

    def _unrefined_rows(self, manifest: LakeManifest, segment: DataFile) -> int:
        after = manifest.refined_up_to(segment.partition, segment.layout)
        if segment.last <= after:
            return 0
        if segment.first > after:
            return segment.rows
        stamps = pl.read_parquet(self._root / segment.path, columns=[SEQ])
        return int((stamps[SEQ] > after).sum())
