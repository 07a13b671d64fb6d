"""What a format of records is, and how cells of text become typed columns.

A format knows its columns, the key of a record, and how to make canonical shots of its records.
Whatever cannot become a shot comes back with the reason; nothing is dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import polars as pl

from parivision import schema
from parivision.errors import SchemaError
from parivision.limits import CONTROL_CHARACTERS
from parivision.sources import game_number

DIGEST: Final = "digest"
ROW: Final = "row"
PLACE_DECIMALS: Final = 4
UNPRINTABLE: Final = "a cell holds a line break or control character: is a quotation mark missing?"


@dataclass(frozen=True)
class Converted:
    """Records after conversion.

    `shots` holds canonical, valid rows; `bad` the other records as they came, with their `reason`.
    `shot_rows` and `bad_rows` say which record (0 is the first) each of them was.
    """

    shots: pl.DataFrame
    bad: pl.DataFrame
    shot_rows: pl.Series
    bad_rows: pl.Series


class Format(Protocol):
    """A layout of records whose cells are all text."""

    @property
    def name(self) -> str:
        """The format's name, as sources declare it."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of its records, in their usual order."""
        ...

    def keys(self, records: pl.DataFrame) -> pl.DataFrame:
        """`game_id` and `event_id` of each record (missing where unusable), and its `digest`.

        The digest is a fingerprint of the record's content: two records with one key and the same
        digest are one record that came twice.
        """
        ...

    def to_shots(
        self,
        records: pl.DataFrame,
        *,
        keys: pl.DataFrame | None = None,
        check_geometry: bool = True,
    ) -> Converted:
        """Canonical shots of records, and the records that cannot be one.

        `keys` are what the method of that name gave for them, if the caller has them still.
        """
        ...


@dataclass(frozen=True)
class Cell:
    """How a canonical column is read from a record: the value, or missing and then the problem.

    The value is computed on cells without surrounding blanks, where an empty cell is missing.
    `problem` is said when `source`, the record's cell, holds something and the value is missing.
    """

    source: str
    value: pl.Expr
    problem: str


def as_records(records: pl.DataFrame, columns: tuple[str, ...], where: str) -> pl.DataFrame:
    """The format's columns of a table of text, in their order; raises SchemaError.

    Columns beyond the format's are left out.
    """
    missing = [name for name in columns if name not in records.columns]
    if missing:
        raise SchemaError(
            f"{where}: the records lack the columns {missing}; they have {records.columns[:40]}. "
            "Check that this is the right format for this source."
        )
    wrong = [name for name in columns if records.schema[name] not in (pl.String(), pl.Null())]
    if wrong:
        raise SchemaError(f"{where}: the columns {wrong} are not text; read all cells as strings.")
    return records.select(pl.col(columns).cast(pl.String))


def text(source: str) -> Cell:
    """A cell's text."""
    return Cell(source, pl.col(source), f"{source} is blank")


def spelled(source: str, spelling: Callable[[str], str]) -> Cell:
    """A cell's text in this library's spelling; each different text is looked at once."""

    def respelled(cells: pl.Series) -> pl.Series:
        known = {words: spelling(words) for words in cells.drop_nulls().unique()}
        other = {words: meant for words, meant in known.items() if words != meant}
        return cells.replace(other) if other else cells

    value = pl.col(source).map_batches(respelled, return_dtype=pl.String)
    return Cell(source, value, f"{source} is blank")


def whole(source: str, dtype: pl.DataType | type[pl.DataType]) -> Cell:
    """A whole number; `12.0`, as some tools write it, is one too."""
    number = pl.col(source).str.strip_suffix(".0").cast(pl.Int64, strict=False)
    problem = f"{source} is not a whole number of a possible size"
    return Cell(source, number.cast(dtype, strict=False), problem)


def decimal(source: str) -> Cell:
    """A finite decimal number."""
    number = pl.col(source).cast(pl.Float64, strict=False)
    value = pl.when(number.is_finite()).then(number)
    return Cell(source, value, f"{source} is not a number")


def day(source: str, *patterns: str) -> Cell:
    """A date of the calendar, written in one of the strptime `patterns`."""
    return Cell(
        source,
        pl.coalesce(*[pl.col(source).str.to_date(pattern, strict=False) for pattern in patterns]),
        f"{source} is not a date of the calendar",
    )


def choice(source: str, values: Mapping[str, int]) -> Cell:
    """A number for each of a few words; letter case does not matter."""
    words = {word.lower(): number for word, number in values.items()}
    number = (
        pl.col(source).str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Int8)
    )
    return Cell(source, number, f"{source} is not one of {list(values)}")


def clock(minutes: str, seconds: str) -> tuple[Cell, Cell]:
    """Cells of the clock's two parts; together they are the seconds left in the period."""
    parts = whole(minutes, pl.Int16), whole(seconds, pl.Int16)
    return (
        Cell(minutes, _within(parts[0].value, 0, 20), f"{minutes} is not between 0 and 20"),
        Cell(seconds, _within(parts[1].value, 0, 59), f"{seconds} is not between 0 and 59"),
    )


def clock_s(minutes: pl.Expr, seconds: pl.Expr) -> pl.Expr:
    """Seconds left in the period."""
    return (minutes * 60 + seconds).cast(pl.Int16)


def convert(
    records: pl.DataFrame,
    cells: Mapping[str, Cell],
    derived: Mapping[str, pl.Expr],
    rules: Mapping[str, pl.Expr],
    *,
    check_geometry: bool,
    where: str,
) -> Converted:
    """Canonical shots of records.

    `cells` are read first, `derived` columns are made of them, and `rules` (reason: what must not
    be) look at both and at the record's own columns. A row's reason is the first problem that it
    has: a broken rule, a cell that cannot be read, then a rule of the schema.
    """
    read = (
        records.lazy()
        .with_columns(_cleaned())
        .with_row_index(ROW)
        .with_columns(**{name: cell.value for name, cell in cells.items()})
        .with_columns(**derived)
    )
    unprintable = pl.any_horizontal(pl.col(records.columns).str.contains(CONTROL_CHARACTERS))
    rules = {UNPRINTABLE: unprintable, **rules}
    unread = [
        pl.when(pl.col(name).is_null() & pl.col(cell.source).is_not_null()).then(
            pl.lit(cell.problem)
        )
        for name, cell in cells.items()
    ]
    broken = [pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()]
    typed = read.select(
        ROW,
        *[pl.col(name).cast(dtype) for name, dtype in schema.POLARS_SCHEMA.items()],
        pl.coalesce(*broken, *unread, game_number.problem("game_id")).alias(schema.REASON),
    ).collect()
    readable = typed.filter(pl.col(schema.REASON).is_null()).drop(schema.REASON)
    checked = schema.split_valid(readable, where, check_geometry=check_geometry, keep=(ROW,))
    return _converted(records, typed, checked)


def _converted(records: pl.DataFrame, typed: pl.DataFrame, checked: schema.Checked) -> Converted:
    unreadable = typed.filter(pl.col(schema.REASON).is_not_null())
    reasons = pl.concat(
        [part.select(ROW, schema.REASON) for part in (unreadable, checked.bad)]
    ).sort(ROW)
    return Converted(
        shots=checked.good.select(schema.NAMES),
        bad=records[reasons[ROW]].with_columns(reasons[schema.REASON]),
        shot_rows=checked.good[ROW],
        bad_rows=reasons[ROW],
    )


def key_columns(records: pl.DataFrame, cells: Mapping[str, Cell], *names: str) -> pl.DataFrame:
    """The named cells where they can be part of a key: numbers not below the column's lowest."""
    lowest = {column.name: column.low for column in schema.SHOTS}
    sources = [cells[name].source for name in names]
    values = [(name, cells[name].value, lowest[name]) for name in names]
    return (
        records.select(sources)
        .with_columns(_cleaned())
        .select(pl.when(value >= low).then(value).alias(name) for name, value, low in values)
    )


def tidy_ft(feet: pl.Expr) -> pl.Expr:
    """Feet without the noise of binary fractions, and never -0.0."""
    rounded = feet.round(PLACE_DECIMALS)
    return pl.when(rounded == 0).then(0.0).otherwise(rounded)


def _cleaned() -> pl.Expr:
    """All cells without surrounding blanks; a cell of which nothing is left is missing."""
    stripped = pl.all().str.strip_chars()
    return pl.when(stripped != "").then(stripped)


def _within(value: pl.Expr, low: int, high: int) -> pl.Expr:
    return pl.when(value.is_between(low, high)).then(value)
