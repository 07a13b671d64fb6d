"""From a source to bronze: records as they came, each of them once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from parivision.errors import SchemaError
from parivision.lake.base import Lake
from parivision.sources import FORMATS, Format
from parivision.sources.base import Source
from parivision.sources.format import as_records

Progress = Callable[[int, int], None]
"""Called with the records done so far and their number in all, 0 when that is not known."""


@dataclass(frozen=True)
class IngestReport:
    """What came of a source: new + duplicates + conflicts = records."""

    source: str
    records: int
    new: int
    duplicates: int
    conflicts: int


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
    """
    layout = known_format(source.format, formats)
    records = new = duplicates = conflicts = 0
    cursor, has_news = lake.cursor(source.name), False
    for batch in source.batches(after=cursor):
        has_news = True
        room = batch.records.height if limit is None else limit - records
        table = as_records(batch.records, layout.columns, source.name).head(room)
        if table.height:
            added = lake.append_bronze(
                table, layout.keys(table), source=source.name, layout=layout.name
            )
            records += table.height
            new += added.new
            duplicates += added.duplicates
            conflicts += added.conflicts
        if table.height == batch.records.height:
            lake.commit_cursor(source.name, batch.cursor)
        if progress is not None:
            progress(records, limit or 0)
        if limit is not None and records >= limit:
            break
    if not has_news:
        lake.commit_cursor(source.name, cursor)
    return IngestReport(source.name, records, new, duplicates, conflicts)


def known_format(name: str, formats: Mapping[str, Format]) -> Format:
    """The format of that name; raises SchemaError."""
    try:
        return formats[name]
    except KeyError:
        raise SchemaError(
            f"records of the format {name!r} are not known here, only of {sorted(formats)}: "
            "use the program's version that wrote them."
        ) from None
