"""An archive of feed records on disk, cut into pages, and the one position of those who take.

Any origin is written once to a Parquet file of small row groups. Reading a page decodes the one or
two groups it lies in, so memory stays small and pages come in milliseconds, however long the
archive is.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from parivision import durable
from parivision.durable import exclusive, replacing
from parivision.errors import SourceError, StoreError
from parivision.shots.row_digest import row_digests
from parivision.sources import feed22
from parivision.stats_api.origins import Origin

GROUP_ROWS: Final = 5_000
GROUPS_IN_MEMORY: Final = 16
LOCK_WAIT_S: Final = 600.0
_IDENTITY: Final = b"parivision.archive"

Progress = Callable[[int, int], None]
"""Called with the records written so far and their number in all, 0 when that is not known."""


class Archive:
    """Feed records in a fixed order; any number of threads may read.

    `identity` names the content: cursors and positions hold for one identity only.
    """

    def __init__(self, path: Path) -> None:
        """Open what `open_archive` wrote."""
        try:
            self._file = pq.ParquetFile(path)
            self.identity = self._file.metadata.metadata[_IDENTITY].decode()
        except (OSError, pa.ArrowException, KeyError, TypeError) as error:
            raise StoreError(f"{path} is no archive of the stats API; delete it.") from error
        self.size: int = self._file.metadata.num_rows
        self._groups: OrderedDict[int, pl.DataFrame] = OrderedDict()
        self._lock = threading.Lock()

    def records(self, start: int, count: int) -> pl.DataFrame:
        """Records `start` to `start + count - 1`, as text; fewer at the end of the archive."""
        end = min(start + count, self.size)
        if end <= start:
            return pl.DataFrame(schema=dict.fromkeys(feed22.COLUMNS, pl.String))
        first, last = start // GROUP_ROWS, (end - 1) // GROUP_ROWS
        groups = pl.concat([self._group(number) for number in range(first, last + 1)])
        return groups.slice(start - first * GROUP_ROWS, end - start)

    def _group(self, number: int) -> pl.DataFrame:
        with self._lock:
            if number not in self._groups:
                self._groups[number] = pl.DataFrame(self._file.read_row_group(number))
            self._groups.move_to_end(number)
            # The one that was used least recently goes: readers go forward, page by page.
            if len(self._groups) > GROUPS_IN_MEMORY:
                self._groups.popitem(last=False)
            return self._groups[number]


def open_archive(origin: Origin, folder: Path, progress: Progress | None = None) -> Archive:
    """The archive of an origin, converted into `folder` unless that was done before.

    Raises SourceError when the origin cannot be read or is empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"archive-{origin.fingerprint}.parquet"
    if not path.exists():
        with exclusive(folder / ".archive.lock", LOCK_WAIT_S):
            # Asked again under the lock: another process may have made it while this one waited.
            if not path.exists():
                _convert(origin, path, progress or _ignore)
    return Archive(path)


def _ignore(_done: int, _of: int) -> None:
    return


def _convert(origin: Origin, path: Path, progress: Progress) -> None:
    # The identity is that of all records in their order: equal archives share cursors and
    # positions.
    written, content = 0, hashlib.blake2b(digest_size=8)
    columns = pa.schema([(name, pa.string()) for name in feed22.COLUMNS])
    with replacing(path) as temporary:
        with pq.ParquetWriter(temporary, columns, compression="zstd") as writer:
            for group in _groups(origin.records()):
                writer.write_table(group.to_arrow().cast(columns), row_group_size=GROUP_ROWS)
                content.update(row_digests(group, feed22.COLUMNS).to_numpy().tobytes())
                written += group.height
                progress(written, origin.rows)
            # Last, because only now the content is known; Parquet keeps it at the end of the file.
            writer.add_key_value_metadata({_IDENTITY: origin.identity or content.hexdigest()})
        if not written:
            raise SourceError(f"{origin.label} holds no shots; there is nothing to replay.")


def _groups(batches: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same records in tables of whole row groups; only the last has an incomplete one."""
    rest: pl.DataFrame | None = None
    for batch in batches:
        records = batch.select(pl.col(feed22.COLUMNS).cast(pl.String))
        table = records if rest is None else pl.concat([rest, records])
        whole = table.height // GROUP_ROWS * GROUP_ROWS
        if whole:
            yield table.head(whole)
        rest = table.tail(table.height - whole)
    if rest is not None and rest.height:
        yield rest


class Position:
    """How many records of an archive were given away; kept on disk, shared between processes.

    A record is counted before it is handed out: a reader that dies in between may lose a page, but
    nobody ever gets a record that somebody else got.
    """

    def __init__(self, path: Path, identity: str) -> None:
        """`path` is the file that keeps it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._identity = identity
        self._lock = threading.Lock()
        self.value()

    def value(self) -> int:
        """The position; raises StoreError when its file is damaged or another archive's."""
        if not self._path.exists():
            return 0
        try:
            state: dict[str, Any] = json.loads(self._path.read_text("utf-8"))
            identity, position = str(state["archive"]), int(state["position"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise StoreError(
                f"{self._path} is no position of the stats API; delete it to start from record 0."
            ) from error
        if identity != self._identity or position < 0:
            raise StoreError(
                f"{self._path} belongs to the archive {identity}, not {self._identity}; give this "
                "archive another state file, or delete that one to start from record 0."
            )
        return position

    def take(self, count: int, size: int) -> int:
        """Count the next `count` of `size` records as given; returns where they start."""
        with self._lock, exclusive(self._path.with_suffix(".lock"), LOCK_WAIT_S):
            # Read from the file each time: another process may have given records away.
            start = self.value()
            end = min(start + count, size)
            if end > start:
                self._write(end)
            return start

    def reset(self) -> None:
        """Start again from record 0."""
        with self._lock, exclusive(self._path.with_suffix(".lock"), LOCK_WAIT_S):
            self._write(0)

    def _write(self, position: int) -> None:
        state = {"archive": self._identity, "position": position}
        durable.put_json(self._path, state, indent=None)
