"""From a source to bronze: records as they came, each of them once."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from parivision.errors import FilesError, SchemaError
from parivision.lake.base import Lake, quarantined
from parivision.lake.makes_only import misses, without_miss
from parivision.shots import schema
from parivision.shots.row_digest import row_digests
from parivision.sources import FORMATS, Format
from parivision.sources.base import Batch, Source
from parivision.sources.format import as_records

Progress = Callable[[int, int], None]
"""Called with the records done so far and their number in all, 0 when that is not known."""


_COUNTED: Final = ("records", "new", "duplicates", "conflicts", "faulty")
_IDENTITY: Final = ("file", "text", "occurrence")
_RECORD: Final = ("file", "line", "text")


@dataclass(frozen=True)
class IngestReport:
    """What came of a source: new + duplicates + conflicts = records.

    `faulty` lines of files are no records; so many came to quarantine that were not there. `unread`
    are files that cannot be used, and why. Of `games_without_miss` no record is a miss.
    """

    source: str
    records: int
    new: int
    duplicates: int
    conflicts: int
    faulty: int = 0
    unread: Mapping[str, str] = field(default_factory=dict)
    games_without_miss: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """All of it in numbers."""
        return {
            "records": self.records,
            "new": self.new,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "faulty": self.faulty,
            "games_without_miss": self.games_without_miss,
        }


class UnreadFilesError(FilesError):
    """Files that an ingest could not use; what the others hold is in bronze, see `report`."""

    def __init__(self, error: FilesError, report: IngestReport) -> None:
        """`error` is what the source raised at its end."""
        super().__init__(str(error), error.files)
        self.report = report


def ingest(
    source: Source,
    lake: Lake,
    *,
    limit: int | None = None,
    progress: Progress | None = None,
    formats: Mapping[str, Format] = FORMATS,
) -> IngestReport:
    """Append a source's records to bronze, from where the last run stopped to the source's end.

    `limit` stops after that many records. The cursor moves behind whole batches only, so a batch
    that the limit cuts is read again by the next run, which changes nothing. A source without news
    commits its cursor again, so that the lake knows when it was last read.

    Raises UnreadFilesError when files of the source cannot be used, after all others were read; the
    next run tries them again.
    """
    known_format(source.format, formats)
    total, has_news, games = Counter[str](), False, list[pl.DataFrame]()
    cursor, failure = _cursor(source, lake), None
    try:
        for batch in source.batches(after=cursor):
            has_news = True
            room = None if limit is None else limit - total["records"]
            games.append(_take(batch, source, lake, formats, room, total))
            if progress is not None:
                progress(total["records"], limit or 0)
            if limit is not None and total["records"] >= limit:
                break
    except FilesError as error:
        failure = error
    # A source that is read and silent is alive: the exporter tells when it was last read.
    if not has_news:
        lake.commit_cursor(source.name, cursor)
    unread = failure.files if failure else {}
    records, new, duplicates, conflicts, faulty = (total[name] for name in _COUNTED)
    report = IngestReport(
        source.name, records, new, duplicates, conflicts, faulty, unread, without_miss(games)
    )
    if failure is not None:
        raise UnreadFilesError(failure, report)
    return report


def _cursor(source: Source, lake: Lake) -> str | None:
    """The cursor of a source, under its name or under one that it may have had."""
    names = (source.name, *getattr(source, "former_names", ()))
    cursors = (lake.cursor(name) for name in names)
    return next((cursor for cursor in cursors if cursor is not None), None)


def _take(
    batch: Batch,
    source: Source,
    lake: Lake,
    formats: Mapping[str, Format],
    room: int | None,
    total: Counter[str],
) -> pl.DataFrame:
    """Append a batch, at most `room` records of it, and count what came of them.

    Returns the misses of each game in it (`makes_only.misses`).
    """
    layout = known_format(batch.format or source.format, formats)
    if batch.faulty.height:
        total["faulty"] += lake.add_quarantine(faulty_lines(batch.faulty, source.name, layout.name))
    table = as_records(batch.records, layout.columns, source.name, layout.needs)
    table = table if room is None else table.head(room)
    keys = layout.keys(table)
    if table.height:
        added = lake.append_bronze(table, keys, source=source.name, layout=layout.name)
        total.update(records=table.height, **vars(added))
    # Last, and only behind a whole batch: a process killed before it reads the batch again.
    if table.height == batch.records.height:
        lake.commit_cursor(source.name, batch.cursor)
    return misses(keys["game_id"], layout.made(table))


def faulty_lines(faulty: pl.DataFrame, source: str, layout: str) -> pl.DataFrame:
    """Rows for quarantine of faulty lines (columns `sources.base.FAULTY_SCHEMA`).

    A line is told from others by its file, its text and the how manyth such line it is; not by its
    number, so that mending another line of the file does not make it a new one.
    """
    identity = faulty.select(pl.col(_IDENTITY).cast(pl.String))
    keys = pl.DataFrame({"digest": row_digests(identity, _IDENTITY)}).with_columns(
        *[pl.lit(None, pl.Int64).alias(name) for name in schema.KEY],
        pl.lit(source).alias("source"),
    )
    return quarantined(faulty.select(_RECORD), keys, faulty["reason"], layout=layout)


def known_format(name: str, formats: Mapping[str, Format]) -> Format:
    """The format of that name; raises SchemaError."""
    try:
        return formats[name]
    except KeyError:
        raise SchemaError(
            f"records of the format {name!r} are not known here, only of {sorted(formats)}: "
            "use the program's version that wrote them."
        ) from None
