"""What a format of records is, and how cells of text become typed columns.

A format knows its columns, the key of a record, and how to make canonical shots of its records.
Whatever cannot become a shot comes back with the reason; nothing is dropped.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from parivision import schema, spellings
from parivision.errors import SchemaError

DIGEST: Final = "digest"
ROW: Final = "row"
PLACE_DECIMALS: Final = 4
UNPRINTABLE: Final = "a cell holds a line break or control character: is a quotation mark missing?"

_CONTROL: Final = r"[\x00-\x1f\x7f]"


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

    @property
    def needs(self) -> "Needs":
        """The columns without which no shot can be made: of each group, one."""
        ...

    @property
    def numbers(self) -> frozenset[str]:
        """The columns whose cells are numbers, where a decimal comma is a decimal point."""
        ...

    @property
    def partial_events(self) -> int:
        """Event numbers below this are of records that lack columns, where content is the number.

        0 where the league numbers events.
        """
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
    `problem` is said when `source`, the record's cell, holds something and the value is missing,
    unless the text stands for a missing value.
    """

    source: str
    value: pl.Expr
    problem: str
    is_missing: Callable[[str], bool] = spellings.is_missing_word


Read = Callable[[str], int | date | None]
"""The meaning of a text, None if it has none: a function of `parivision.spellings`."""
Needs = tuple[tuple[str, ...], ...]
"""Columns that a format cannot do without: of each group, one."""


def lacking(names: Collection[str], needs: Needs) -> list[str]:
    """What is needed and not among the names; alternatives are joined by `or`."""
    return [" or ".join(group) for group in needs if not any(name in names for name in group)]


def as_records(
    records: pl.DataFrame, columns: tuple[str, ...], where: str, needs: Needs | None = None
) -> pl.DataFrame:
    """The format's columns of a table of text, in their order; raises SchemaError.

    Columns beyond the format's are left out, and cells of those that may be missing are missing.
    Without `needs` all columns are needed.
    """
    every = tuple((name,) for name in columns)
    missing = lacking(records.columns, every if needs is None else needs)
    if missing:
        raise SchemaError(
            f"{where}: the records lack the columns {missing}; they have {records.columns[:40]}. "
            "Check that this is the right format for this source."
        )
    present = [name for name in columns if name in records.columns]
    wrong = [name for name in present if records.schema[name] not in (pl.String(), pl.Null())]
    if wrong:
        raise SchemaError(f"{where}: the columns {wrong} are not text; read all cells as strings.")
    return records.select(
        pl.col(name).cast(pl.String) if name in present else pl.lit(None, pl.String).alias(name)
        for name in columns
    )


def text(source: str) -> Cell:
    """A cell's words; a text that stands for a missing value is none."""
    value = _mapped(source, _words, pl.String())
    return Cell(source, value, f"{source} is blank")


def whole(source: str, dtype: pl.DataType | type[pl.DataType]) -> Cell:
    """A whole number, as `spellings.whole` reads it."""

    def read(cells: pl.Series) -> pl.Series:
        quick = cells.str.strip_suffix(".0").cast(pl.Int64, strict=False)
        return _read_on(cells, quick, spellings.whole).cast(dtype, strict=False)

    problem = f"{source} is not a whole number of a possible size"
    return Cell(source, _mapped(source, read, dtype), problem)


def decimal(source: str) -> Cell:
    """A finite decimal number; NaN and NA are told as none, not as a missing one."""
    number = pl.col(source).str.replace("^\N{MINUS SIGN}", "-").cast(pl.Float64, strict=False)
    value = pl.when(number.is_finite()).then(number)
    return Cell(source, value, f"{source} is not a number", _is_no_number)


def day(source: str, pattern: str) -> Cell:
    """A day, as `spellings.day` reads it; `pattern` is the strptime form that is read at once."""

    def read(cells: pl.Series) -> pl.Series:
        quick = cells.str.to_date(pattern, strict=False)
        return _without_exchanged(cells, _read_on(cells, quick, spellings.day))

    problem = (
        f"{source} is not a date of the calendar that can be read in one way only: "
        "write it as 2025-11-05"
    )
    return Cell(source, _mapped(source, read, pl.Date()), problem)


def flag(source: str, *usual: str) -> Cell:
    """1 or 0, as `spellings.flag` reads it; `usual` are the format's own words, for the problem."""
    return _few(source, spellings.flag, usual)


def points(source: str, *usual: str) -> Cell:
    """Points that a shot is worth, as `spellings.points` reads them; NA is told as none of them."""
    return _few(source, spellings.points, usual, spellings.is_missing)


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
    early: Mapping[str, pl.Expr] = MappingProxyType({}),
    check_geometry: bool,
    where: str,
) -> Converted:
    """Canonical shots of records.

    `cells` are read first, `early` columns are made of them, `derived` ones of both, and `rules`
    (reason: what must not be) look at all of these and at the record's own columns. A row's reason
    is the first problem that it has: a broken rule, a cell that cannot be read, then a rule of the
    schema.
    """
    cleaned, unprintable = _cleaned(records)
    read = (
        cleaned.lazy()
        .with_row_index(ROW)
        .with_columns(**{name: cell.value for name, cell in cells.items()})
        .with_columns(**early)
        .with_columns(**derived)
    )
    rules = {UNPRINTABLE: pl.lit(unprintable), **rules}
    unread = [_unread(name, cell) for name, cell in cells.items()]
    broken = [pl.when(rule).then(pl.lit(reason)) for reason, rule in rules.items()]
    typed = read.select(
        ROW,
        *[pl.col(name).cast(dtype) for name, dtype in schema.POLARS_SCHEMA.items()],
        pl.coalesce(*broken, *unread).alias(schema.REASON),
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
    cleaned, _ = _cleaned(records.select(sources))
    return cleaned.select(
        pl.when(value >= low).then(value).alias(name) for name, value, low in values
    )


def tidy_ft(feet: pl.Expr) -> pl.Expr:
    """Feet without the noise of binary fractions, and never -0.0."""
    rounded = feet.round(PLACE_DECIMALS)
    return pl.when(rounded == 0).then(0.0).otherwise(rounded)


def _cleaned(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Cells without surrounding blanks, and whether a row has one that cannot be printed.

    A cell of which nothing is left is missing. Columns of shots hold few distinct texts, so these
    are looked at first, and all cells only where one of them needs it.
    """
    columns: list[pl.Series] = []
    unprintable = pl.repeat(value=False, n=records.height, eager=True)
    for cells in records:
        distinct = cells.unique().drop_nulls()
        stripped = distinct.str.strip_chars()
        kept = cells
        if ((stripped != distinct) | (stripped == "")).any():
            bare = cells.str.strip_chars()
            kept = bare.set((bare == "").fill_null(value=False), None)
        columns.append(kept)
        if stripped.str.contains(_CONTROL).any():
            unprintable = unprintable | kept.str.contains(_CONTROL).fill_null(value=False)
    return pl.DataFrame(columns), unprintable


def _mapped(
    source: str, read: Callable[[pl.Series], pl.Series], dtype: pl.DataType | type[pl.DataType]
) -> pl.Expr:
    return pl.col(source).map_batches(read, return_dtype=dtype, is_elementwise=True)


def _read_on(cells: pl.Series, quick: pl.Series, read: Read) -> pl.Series:
    """Values read quickly, and where that gave nothing, by `read`, once for each distinct text."""
    if quick.null_count() == cells.null_count():
        return quick
    unread = cells.filter(quick.is_null()).drop_nulls().unique()
    meanings = {cell: value for cell in unread if (value := read(cell)) is not None}
    if not meanings:
        return quick
    slow = cells.replace_strict(meanings, default=None, return_dtype=quick.dtype)
    return quick.zip_with(quick.is_not_null(), slow)


def _is_no_number(text: str) -> bool:
    return spellings.is_missing(text) and "nan" not in text.lower()


def _few(
    source: str,
    read: Read,
    usual: tuple[str, ...],
    is_missing: Callable[[str], bool] = spellings.is_missing_word,
) -> Cell:
    """A number for each of a few words; every distinct text is read once."""

    def numbers(cells: pl.Series) -> pl.Series:
        nothing = pl.repeat(None, cells.len(), dtype=pl.Int8, eager=True)
        return _read_on(cells, nothing, read)

    value = _mapped(source, numbers, pl.Int8())
    return Cell(source, value, f"{source} is not one of {list(usual)}", is_missing)


def _words(cells: pl.Series) -> pl.Series:
    """Cells whose text does not stand for a missing value; only short ones can."""
    short = cells.filter(cells.str.len_bytes() <= spellings.LONGEST_MISSING).unique()
    missing = [word for word in short.drop_nulls() if spellings.is_missing_word(word)]
    return cells.set(cells.is_in(missing).fill_null(value=False), None) if missing else cells


def _unread(name: str, cell: Cell) -> pl.Expr:
    """The cell's problem where it holds something that could not be read."""

    def problems(columns: Sequence[pl.Series]) -> pl.Series:
        values, cells = columns
        if values.null_count() == cells.null_count():
            return pl.repeat(None, cells.len(), dtype=pl.String, eager=True)
        lost = cells.zip_with(values.is_null(), cells.clear(cells.len()))
        unread = lost.unique().drop_nulls()
        told = {word: cell.problem for word in unread if not cell.is_missing(word)}
        return lost.replace_strict(told, default=None, return_dtype=pl.String)

    return pl.map_batches(
        [pl.col(name), pl.col(cell.source)], problems, return_dtype=pl.String, is_elementwise=True
    )


def _without_exchanged(cells: pl.Series, days: pl.Series) -> pl.Series:
    """Days without those whose day and month may be exchanged, if most of the column is so.

    A date like 05/11/2022 is read with the month first, as the league writes it. Dates like
    25/12/2022 show that their file has the day first.
    """
    if days.null_count() == cells.null_count():
        return days
    distinct = cells.filter(days.is_null()).drop_nulls().unique()
    day_first = [cell for cell in distinct if spellings.is_day_first(cell)]
    if not day_first:
        return days
    either = [cell for cell in cells.drop_nulls().unique() if spellings.is_either_first(cell)]
    may_be_either = cells.is_in(either).fill_null(value=False)
    month_first = (days.is_not_null() & ~may_be_either).sum()
    if cells.is_in(day_first).sum() <= month_first:
        return days
    return days.set(may_be_either, None)


def _within(value: pl.Expr, low: int, high: int) -> pl.Expr:
    return pl.when(value.is_between(low, high)).then(value)
