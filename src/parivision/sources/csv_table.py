"""A CSV file as a table of text, by Arrow's parser.

A file in UTF-8 whose quotation marks are in order goes to the parser as it is. Where that does not
do, or a row turns out to be faulty, `CsvLines` sorts the lines first.
"""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.csv as pa_csv  # type: ignore[import-untyped]

from parivision.errors import SourceError
from parivision.sources.csv_lines import CsvLines
from parivision.sources.csv_members import CHUNK_BYTES, Member, opened
from parivision.sources.dialect import dialect_of, text_of
from parivision.sources.format import Format
from parivision.sources.headers import Match, plain
from parivision.sources.text_table import Block

_BLOCK_BYTES: Final = 16 << 20


def read_csv(member: Member, layouts: Iterable[Format]) -> "CsvTable":
    """The table in a CSV file; raises SourceError when it is none, or cannot be read to its end."""
    return CsvTable(member, layouts)


class CsvTable:
    """A table (`text_table.TextTable`) in a CSV file that was read to its end once."""

    def __init__(self, member: Member, layouts: Iterable[Format]) -> None:
        self._member = member
        self._dialect = dialect_of(member, layouts)
        self._columns = {str(index): name for name, index in self.match.at.items()}

    @property
    def match(self) -> Match:
        """The format that its columns have."""
        return self._dialect.match

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma in a number is a decimal one."""
        return self._dialect.has_decimal_commas

    def blocks(self) -> Iterator[Block]:
        """All records in their order."""
        # First the fast way. At the first faulty row the slow way begins anew, and what was handed
        # over already is skipped: both give the same records in the same order.
        handed = 0
        if self._is_orderly():
            try:
                for cells in self._parsed_whole():
                    yield Block(cells)
                    handed += cells.height
            except _FaultyRowError:
                pass
            else:
                return
        yield from _behind(self._sorted(), handed)

    def _is_orderly(self) -> bool:
        """Whether the parser's lines are everybody's, and each quotation mark has its other."""
        survey = self._dialect.survey
        if not survey.is_plain or self._dialect.header_line:
            return False
        return not survey.has_quotes or _has_orderly_quotes(self._member, self._dialect.separator)

    def _parsed_whole(self) -> Iterator[pl.DataFrame]:
        """The file as it is; raises _FaultyRowError before the first block with a faulty row."""
        faulty: list[object] = []

        def note(row: object) -> str:
            faulty.append(row)
            return "skip"

        first = next(iter(self.match.at))
        words = frozenset(map(plain, self._dialect.names)) - {""}
        with opened(self._member) as stream:
            for cells in self._parse(stream, note, skip_rows=1, newlines=False):
                records = self._frame(cells)
                # A header that comes again has as many cells as a record: only its words tell it.
                is_header = any(plain(cell) in words for cell in records[first].unique())
                if faulty or is_header:
                    raise _FaultyRowError
                yield records
            if faulty:
                raise _FaultyRowError

    def _sorted(self) -> Iterator[Block]:
        """The file line by line."""
        reported = 0
        with text_of(self._member, self._dialect.survey.encoding) as text:
            lines = CsvLines(
                text,
                self._dialect.names,
                label=self._member.label,
                separator=self._dialect.separator,
                encoding=self._dialect.survey.encoding,
                header_line=self._dialect.header_line,
            )
            source: Any = io.BufferedReader(_Chunks(lines.chunks()), CHUNK_BYTES)
            for cells in self._parse(source, None, skip_rows=0, newlines=True):
                faulty = tuple(lines.faulty[reported:])
                reported += len(faulty)
                yield Block(self._frame(cells), faulty)
            if rest := tuple(lines.faulty[reported:]):
                yield Block(self._frame(self._no_record()), rest)

    def _parse(
        self,
        stream: IO[bytes],
        on_faulty: Callable[[Any], str] | None,
        *,
        skip_rows: int,
        newlines: bool,
    ) -> Iterator[pa.RecordBatch]:
        names = [str(index) for index in range(len(self._dialect.names))]
        try:
            yield from pa_csv.open_csv(
                stream,
                read_options=pa_csv.ReadOptions(
                    block_size=_BLOCK_BYTES, column_names=names, skip_rows=skip_rows
                ),
                parse_options=pa_csv.ParseOptions(
                    delimiter=self._dialect.separator,
                    newlines_in_values=newlines,
                    invalid_row_handler=on_faulty,
                ),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(self._columns, pa.string()),
                    include_columns=list(self._columns),
                ),
            )
        except pa.ArrowException as error:
            if _is_empty(error):
                return
            raise SourceError(
                f"{self._member.label} is not a whole CSV table ({str(error)[:200]}); "
                "it may be cut off or damaged: fetch it anew."
            ) from error

    def _frame(self, cells: pa.RecordBatch) -> pl.DataFrame:
        return pl.DataFrame(pa.Table.from_batches([cells])).rename(self._columns)

    def _no_record(self) -> pa.RecordBatch:
        schema = pa.schema([(name, pa.string()) for name in self._columns])
        return pa.RecordBatch.from_pylist([], schema=schema)


class _FaultyRowError(Exception):
    """A row has too few or too many cells, or is a header: the lines must be sorted."""


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        taken = self._rest[: len(buffer)]
        self._rest = self._rest[len(taken) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _behind(blocks: Iterable[Block], handed: int) -> Iterator[Block]:
    """Blocks without their first records; the faulty lines among these are told."""
    for block in blocks:
        skipped = min(handed, block.cells.height)
        handed -= skipped
        yield Block(block.cells[skipped:], block.faulty)


def _has_orderly_quotes(member: Member, separator: str) -> bool:
    """Whether each quotation mark opens or closes a cell, or is doubled in one, of a single line.

    A mark within a cell, or one that is open at a line's end, may be a stray one.
    """
    mark = re.escape(separator)
    cell = f'(?:[^"{mark}]*|"(?:[^"]|"")*")'
    pattern = f"^{cell}(?:{mark}{cell})*\r?$"
    rest = b""
    with opened(member) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            whole, _, rest = (rest + chunk).rpartition(b"\n")
            if not _all_match(whole, pattern):
                return False
    return _all_match(rest, pattern)


def _all_match(text: bytes, pattern: str) -> bool:
    lines = pl.Series([text.decode()]).str.split("\n").explode()
    return bool(lines.str.contains(pattern).all())


def _is_empty(error: pa.ArrowException) -> bool:
    """Whether the parser was given no line, or the header only."""
    return "Empty CSV" in str(error) or "Could not skip initial" in str(error)
