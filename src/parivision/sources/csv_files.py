"""Shots in files: CSV, JSON and Parquet, bare, gzipped or zipped, one file or a folder of them.

Reading resumes at the record where it stopped, and a file that was read to its end is read again
only when its content changes. What cannot be used costs itself only: a faulty line comes beside the
records, a file that is damaged, empty or of another layout is passed over and told at the end.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import polars as pl

from parivision import strict_json
from parivision.errors import FilesError, SourceError
from parivision.sources import FILE_FORMATS, feed22, season_csv
from parivision.sources.base import FAULTY_SCHEMA, Batch
from parivision.sources.csv_members import Member, members, unreadable
from parivision.sources.csv_table import read_csv
from parivision.sources.dialect import likely_format
from parivision.sources.format import Format
from parivision.sources.json_table import read_json
from parivision.sources.parquet_table import read_parquet
from parivision.sources.text_table import Block, FaultyLine, TextTable

BATCH_ROWS: Final = 250_000
"""More than any season has, so that a season file is one batch."""

CONTAINERS: Final[Mapping[str, Callable[[Member, Iterable[Format]], TextTable]]] = MappingProxyType(
    {
        **dict.fromkeys((".csv", ".csv.gz", ".tsv", ".tsv.gz"), read_csv),
        **dict.fromkeys((".json", ".json.gz", ".jsonl", ".ndjson"), read_json),
        ".parquet": read_parquet,
    }
)
"""How a file's table is read, by the end of its name; the names are in `csv_members` too."""


class CsvFiles:
    """The tables in files at a path, in the order of their names (`sources.base.Source`).

    Files of a folder with another ending are left alone, and so is what macOS adds to zips. Each
    file is of the format that its columns tell; columns beyond the format's are not read. `layout`
    is the format after which the source is named, that of the first file as a rule.
    """

    def __init__(self, path: Path, layout: Format, batch_rows: int = BATCH_ROWS) -> None:
        self.name = f"{layout.name}:{path.resolve()}"
        self.format = layout.name
        # Another first file may give the same files another name; their cursors say the same.
        self.former_names = tuple(
            f"{name}:{path.resolve()}" for name in FILE_FORMATS if name != layout.name
        )
        self._path = path
        # The nearest of equally near formats is the first.
        self._layouts = (layout, *(other for other in FILE_FORMATS.values() if other is not layout))
        self._batch_rows = batch_rows

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches of at most `batch_rows` records; none when nothing is new behind `after`.

        Raises FilesError at the end when there are files that cannot be used.
        """
        progress = _Progress(after)
        unusable: dict[str, str] = {}
        files = 0
        for member in members(self._path):
            files += 1
            try:
                yield from self._batches_of(member, progress)
            except SourceError as error:
                unusable[member.label] = str(error)
        if unusable:
            raise FilesError(_told(unusable, files), unusable)

    def _batches_of(self, member: Member, progress: "_Progress") -> Iterator[Batch]:
        with unreadable(member.label):
            # By content and not by time: a file that was copied or touched is not read again.
            mark = member.fingerprint()
        # Records have no place in a compressed text that could be gone to: they are read and passed
        # over.
        skip = progress.rows(member.label, mark)
        if skip is None:
            return
        table = _container(member)(member, self._layouts)
        lines = _Faulty(member.label)
        for block, end, is_last in _counted(_records(member, table, self._batch_rows)):
            faulty = lines.table(block.faulty)
            cursor = progress.at(member.label, mark, end, is_last=is_last)
            if end > skip or (is_last and faulty.height):
                fresh = block.cells.tail(max(0, end - skip))
                yield Batch(fresh, cursor, table.match.layout.name, faulty)


class SeasonZips(CsvFiles):
    """The league's season files: a zip (or CSV) or a folder of them."""

    def __init__(self, path: Path, batch_rows: int = BATCH_ROWS) -> None:
        super().__init__(path, season_csv.FORMAT, batch_rows)


class FeedCsv(CsvFiles):
    """CSV in the feed's 22 columns: a file or a folder of them."""

    def __init__(self, path: Path, batch_rows: int = 50_000) -> None:
        super().__init__(path, feed22.FORMAT, batch_rows)


def open_files(path: Path) -> CsvFiles:
    """The files at a path as a source, named after the format of the first that has one."""
    name = first_format(path)
    if name == feed22.FORMAT.name:
        return FeedCsv(path)
    return (
        SeasonZips(path) if name == season_csv.FORMAT.name else CsvFiles(path, FILE_FORMATS[name])
    )


def first_format(path: Path) -> str:
    """The format of the first file whose columns tell one; else that of season files."""
    for member in members(path):
        try:
            read = _container(member)
            if read is read_csv:
                return likely_format(member, FILE_FORMATS.values()).name
            return read(member, FILE_FORMATS.values()).match.layout.name
        except SourceError:
            continue
    return season_csv.FORMAT.name


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


class _Faulty:
    """Faulty lines of a file as tables, each with its number among those of the same text."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._seen: Counter[str] = Counter()

    def table(self, lines: Iterable[FaultyLine]) -> pl.DataFrame:
        rows = []
        for line in lines:
            self._seen[line.text] += 1
            rows.append((self._label, line.line, line.text, self._seen[line.text], line.reason))
        return pl.DataFrame(rows, schema=FAULTY_SCHEMA, orient="row")


def _container(member: Member) -> Callable[[Member, Iterable[Format]], TextTable]:
    name = member.label.lower()
    return next((read for suffix, read in CONTAINERS.items() if name.endswith(suffix)), read_csv)


def _counted(blocks: Iterable[Block]) -> Iterator[tuple[Block, int, bool]]:
    """Blocks with the number of records up to their end, and whether they are the last."""
    end = 0
    # One block is held back: whether it is the last shows only when the next one does not come.
    held: Block | None = None
    for block in blocks:
        if held is not None:
            yield held, end, False
        held = block
        end += block.cells.height
    if held is not None:
        yield held, end, True


def _records(member: Member, table: TextTable, rows: int) -> Iterator[Block]:
    """Records of all the format's columns, `rows` at a time; the last may be fewer.

    Raises SourceError when there is none.
    """
    held: list[pl.DataFrame] = []
    faulty: list[FaultyLine] = []
    count, is_empty = 0, True
    for block in table.blocks():
        rest = _in_full(block.cells, table)
        faulty += block.faulty
        is_empty = is_empty and rest.height == 0
        while count + rest.height >= rows:
            yield Block(_joined([*held, rest[: rows - count]]), faulty)
            rest = rest[rows - count :]
            held, faulty, count = [], [], 0
        if rest.height:
            held.append(rest)
            count += rest.height
    if is_empty:
        raise _no_record(member, faulty)
    if held or faulty:
        yield Block(_joined(held or [rest]), faulty)


def _joined(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Tables as one whose columns lie in one piece: what follows picks rows of it."""
    return pl.concat(parts, rechunk=True)


def _in_full(cells: pl.DataFrame, table: TextTable) -> pl.DataFrame:
    """All columns of the format, with decimal points.

    A cell is null where its column is absent, and empty where it is missing: what is numbered by
    its content is told by that.
    """
    layout = table.match.layout
    columns = [
        pl.col(name).fill_null("")
        if name in table.match.at
        else pl.lit(None, pl.String).alias(name)
        for name in layout.columns
    ]
    whole = cells.select(columns)
    if not table.has_decimal_commas:
        return whole
    comma, point = r"^(\s*[+-]?\d*),(\d+\s*)$", "${1}.${2}"
    numbers = [name for name in layout.columns if name in layout.numbers]
    return whole.with_columns(pl.col(numbers).str.replace(comma, point))


def _no_record(member: Member, faulty: list[FaultyLine]) -> SourceError:
    if faulty:
        first = faulty[0]
        return SourceError(
            f"{member.label} holds no record: of its {len(faulty)} lines none is one, since in "
            f"line {first.line} {first.reason}. Check its columns and separators."
        )
    return SourceError(f"{member.label} has a header but holds no record: fetch it anew.")


def _told(unusable: Mapping[str, str], files: int) -> str:
    """What is said of files that cannot be used; of a single file, just what is wrong with it."""
    if files == 1:
        return next(iter(unusable.values()))
    rest = "the others were read" if len(unusable) < files else "none is left"
    reasons = "".join(f"\n  {reason}" for reason in unusable.values())
    return (
        f"{len(unusable)} of {files} files cannot be used, {rest}:{reasons}\n"
        "Mend or remove them, and read the folder again."
    )
