"""Shots in files: CSV, bare, gzipped or zipped, one file or a folder of them.

Reading resumes at the record where it stopped, and a file that was read to its end is read again
only when its content changes. A file that is damaged, empty or of another layout is a SourceError
before any of its records is handed out, as far as a checksum can tell.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]

from parivision import strict_json
from parivision.errors import SourceError
from parivision.sources import feed22, season_csv
from parivision.sources.base import Batch
from parivision.sources.csv_members import Member, members, opened, unreadable, verify
from parivision.sources.format import Format

BATCH_ROWS: Final = 250_000
"""More than any season has, so that a season file is one batch."""

_BLOCK_BYTES: Final = 16 << 20
_HEADER_BYTES: Final = 1 << 16


class CsvFiles:
    """The CSV files at a path, in the order of their names, as a source (`sources.base.Source`).

    Files of a folder that are neither .csv, .csv.gz nor .zip are left alone, and so is what macOS
    adds to zips. Columns beyond the format's are not read.
    """

    def __init__(self, path: Path, layout: Format, batch_rows: int = BATCH_ROWS) -> None:
        self.name = f"{layout.name}:{path.resolve()}"
        self.format = layout.name
        self._path = path
        self._columns = layout.columns
        self._batch_rows = batch_rows

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches of at most `batch_rows` records; none when nothing is new behind `after`."""
        progress = _Progress(after)
        for member in members(self._path):
            with unreadable(member.label):
                mark = member.fingerprint()
            skip = progress.rows(member.label, mark)
            if skip is None:
                continue
            verify(member)
            chunks = _chunks(member, self._columns, self._batch_rows)
            for records, end, is_last in _counted(chunks):
                cursor = progress.at(member.label, mark, end, is_last=is_last)
                if end > skip:
                    yield Batch(records.tail(end - skip), cursor)


class SeasonZips(CsvFiles):
    """The league's season files: a zip (or CSV) or a folder of them."""

    def __init__(self, path: Path, batch_rows: int = BATCH_ROWS) -> None:
        super().__init__(path, season_csv.FORMAT, batch_rows)


class FeedCsv(CsvFiles):
    """CSV in the feed's 22 columns: a file or a folder of them."""

    def __init__(self, path: Path, batch_rows: int = 50_000) -> None:
        super().__init__(path, feed22.FORMAT, batch_rows)


def is_feed(path: Path) -> bool:
    """Whether the CSV texts at a path have the feed's columns; if not they are season files."""
    first = next(iter(members(path)))
    with opened(first) as stream:
        header = stream.readline(1 << 16).decode("utf-8-sig", "replace")
    return feed22.COLUMNS[1] in _names(header)


class _Progress:
    """What a cursor says: fingerprints of the files read whole, and a place in the one begun."""

    def __init__(self, cursor: str | None) -> None:
        try:
            state = json.loads(cursor) if cursor else {"done": {}, "begun": None}
            self._done: dict[str, str] = dict(state["done"])
            self._begun: tuple[str, str, int] | None = state["begun"] and tuple(state["begun"])
        except (ValueError, TypeError, KeyError) as error:
            raise SourceError(
                f"{str(cursor)[:80]!r} is no cursor of files: start without one."
            ) from error

    def rows(self, label: str, mark: str) -> int | None:
        """How many records of a file were read, or None for all of them."""
        if self._done.get(label) == mark:
            return None
        if self._begun is not None and self._begun[:2] == (label, mark):
            return self._begun[2]
        return 0

    def at(self, label: str, mark: str, rows: int, *, is_last: bool) -> str:
        """The cursor behind a record of a file."""
        if is_last:
            self._done[label] = mark
        begun = None if is_last else (label, mark, rows)
        return strict_json.text({"done": self._done, "begun": begun}, sort_keys=True)


def _counted(chunks: Iterable[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, int, bool]]:
    """Chunks with the number of records up to their end, and whether they are the last."""
    end = 0
    held: pl.DataFrame | None = None
    for chunk in chunks:
        if held is not None:
            yield held, end, False
        held = chunk
        end += chunk.height
    if held is not None:
        yield held, end, True


def _chunks(member: Member, columns: tuple[str, ...], rows: int) -> Iterator[pl.DataFrame]:
    """Tables of `rows` records, all text; the last may be shorter. There is at least one."""
    held: list[pa.RecordBatch] = []
    count, is_empty = 0, True
    for block in _blocks(member, columns):
        rest = block
        while count + rest.num_rows >= rows:
            yield _frame([*held, rest.slice(0, rows - count)])
            held, count, rest = [], 0, rest.slice(rows - count)
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
        is_empty = is_empty and block.num_rows == 0
    if is_empty:
        raise _no_record(member)
    if held:
        yield _frame(held)


def _frame(blocks: list[pa.RecordBatch]) -> pl.DataFrame:
    return pl.DataFrame(pa.Table.from_batches(blocks))


def _blocks(member: Member, columns: tuple[str, ...]) -> Iterator[pa.RecordBatch]:
    header = _header(member, columns)
    with opened(member) as stream:
        try:
            yield from pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(
                    block_size=_BLOCK_BYTES, column_names=header, skip_rows=1
                ),
                parse_options=pa_csv.ParseOptions(newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
                ),
            )
        except pa.ArrowException as error:
            raise SourceError(
                f"{member.label} is not a whole CSV table in UTF-8 ({str(error)[:200]}); "
                "it may be cut off or damaged: fetch it anew."
            ) from error


def _header(member: Member, columns: tuple[str, ...]) -> list[str]:
    """The names of a file's columns; raises SourceError when one that is needed lacks."""
    with opened(member) as stream:
        line = stream.readline(_HEADER_BYTES).decode("utf-8-sig")
        names = _names(line)
        is_only_line = not stream.read(1)
    lacking = [name for name in columns if name not in names]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if lacking or doubled:
        problem = f"lacks the columns {lacking}" if lacking else f"has {doubled} more than once"
        raise SourceError(
            f"{member.label} {problem}; it has {names[:40]}. Check that it is the right file."
        )
    if is_only_line:
        raise _no_record(member)
    return names


def _names(header: str) -> list[str]:
    """The column names of a header line; of a line that is none, what is there, as one name."""
    try:
        return [name.strip() for name in next(csv.reader([header]), [])]
    except csv.Error:
        return [header]


def _no_record(member: Member) -> SourceError:
    return SourceError(f"{member.label} has a header but holds no record: fetch it anew.")
