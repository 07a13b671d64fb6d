"""A Parquet file as a table of text: whatever a column's type, as a CSV file would write it."""

import io
from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from parivision.errors import SourceError
from parivision.sources.csv_members import Member, opened
from parivision.sources.format import Format
from parivision.sources.headers import Match, nearest
from parivision.sources.text_table import Block

BLOCK_ROWS: Final = 100_000


class ParquetTable:
    """A table (`text_table.TextTable`) in a Parquet file, whose bytes are held."""

    has_decimal_commas: Final = False

    def __init__(self, label: str, file: "pq.ParquetFile", match: Match) -> None:
        self._label = label
        self._file = file
        self._match = match

    @property
    def match(self) -> Match:
        """The format that its columns have."""
        return self._match

    def blocks(self) -> Iterator[Block]:
        """All records in their order."""
        names = self._file.schema_arrow.names
        own = {names[index]: name for name, index in self._match.at.items()}
        try:
            for batch in self._file.iter_batches(BLOCK_ROWS, columns=list(own)):
                cells = pl.DataFrame(pa.Table.from_batches([batch])).rename(own)
                yield Block(cells.select(self._text(column) for column in cells))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self._label, error) from error

    def _text(self, cells: pl.Series) -> pl.Series:
        """A column's cells as text; whole numbers have no point, days no time."""
        kind = cells.dtype
        if kind.is_float():
            known = cells.fill_nan(None)
            # pandas keeps whole numbers with gaps as floats: 7.0 is written as 7 again.
            is_whole = (known.drop_nulls() == known.drop_nulls().round()).all()
            cells = known.cast(pl.Int64, strict=False) if is_whole else known
        elif kind.is_temporal() and kind != pl.Duration():
            return cells.cast(pl.Date).dt.strftime("%Y-%m-%d")
        elif kind.is_nested() or kind in (pl.Binary(), pl.Duration()):
            raise SourceError(
                f"{self._label}: the column {cells.name} is {kind}; expected text, numbers, flags "
                "or days."
            )
        return cells.cast(pl.String)


def read_parquet(member: Member, layouts: Iterable[Format]) -> ParquetTable:
    """The table in a Parquet file; raises SourceError when it is none, or of no known format."""
    with opened(member) as stream:
        # In memory: Parquet is read from its end, where a stream out of a zip cannot go at once.
        content = stream.read()
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        names = file.schema_arrow.names
    except (pa.ArrowException, OSError) as error:
        raise _damaged(member.label, error) from error
    match = nearest(names, layouts)
    if not match.is_usable:
        problem = match.problem(names)
        raise SourceError(f"{member.label} {problem}. Check that it is the right file.")
    return ParquetTable(member.label, file, match)


def _damaged(label: str, error: Exception) -> SourceError:
    return SourceError(
        f"{label} is no whole Parquet file ({str(error)[:200]}); it may be cut off or damaged: "
        "fetch it anew."
    )
