"""What a format of records is, and how cells of text become typed columns.

A format knows its columns, the key of a record, and how to make canonical shots of its records.
Whatever cannot become a shot comes back with the reason; nothing is dropped.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

import polars as pl

from parivision.errors import SchemaError
from parivision.shots import leagues, schema, spellings
from parivision.shots.leagues import League
from parivision.sources import game_number
from parivision.sources.cells import Read, cleaned, read_on, without_exchanged, words

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

    def made(self, records: pl.DataFrame) -> pl.Series:
        """1 for each record of a shot that went in, 0 for others, missing where none is told."""
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
    value = _mapped(source, words, pl.String())
    return Cell(source, value, f"{source} is blank")


def spelled(source: str, spelling: Callable[[str], str]) -> Cell:
    """A cell's text in this library's spelling; each different text is looked at once."""

    def respelled(cells: pl.Series) -> pl.Series:
        known = words(cells)
        meant = {word: spelling(word) for word in known.drop_nulls().unique()}
        other = {word: meaning for word, meaning in meant.items() if word != meaning}
        return known.replace(other) if other else known

    value = _mapped(source, respelled, pl.String())
    return Cell(source, value, f"{source} is blank")


def whole(source: str, dtype: pl.DataType | type[pl.DataType]) -> Cell:
    """A whole number, as `spellings.whole` reads it."""

    def read(cells: pl.Series) -> pl.Series:
        quick = cells.str.strip_suffix(".0").cast(pl.Int64, strict=False)
        return read_on(cells, quick, spellings.whole).cast(dtype, strict=False)

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
        return without_exchanged(cells, read_on(cells, quick, spellings.day))

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
    league: League = leagues.NBA,
) -> Converted:
    """Canonical shots of records, by the rules of their league.

    `cells` are read first, `early` columns are made of them, `derived` ones of both, and `rules`
    (reason: what must not be) look at all of these and at the record's own columns. A row's reason
    is the first problem that it has: a broken rule, a cell that cannot be read, then a rule of the
    schema.
    """
    bare, unprintable = cleaned(records)
    read = (
        bare.lazy()
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
        pl.coalesce(*broken, *unread, game_number.problem("game_id", league)).alias(schema.REASON),
    ).collect()
    readable = typed.filter(pl.col(schema.REASON).is_null()).drop(schema.REASON)
    checked = schema.split_valid(
        readable, where, check_geometry=check_geometry, keep=(ROW,), league=league
    )
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
    bare, _ = cleaned(records.select(sources))
    return bare.select(pl.when(value >= low).then(value).alias(name) for name, value, low in values)


def first_known(records: pl.DataFrame, *cells: Cell) -> pl.Series:
    """The value of the first cell that can be read, of each record."""
    bare, _ = cleaned(records.select(cell.source for cell in cells))
    return bare.select(pl.coalesce(*(cell.value for cell in cells)).alias("value")).to_series()


def tidy_ft(feet: pl.Expr) -> pl.Expr:
    """Feet without the noise of binary fractions, and never -0.0."""
    rounded = feet.round(PLACE_DECIMALS)
    return pl.when(rounded == 0).then(0.0).otherwise(rounded)


def _mapped(
    source: str, read: Callable[[pl.Series], pl.Series], dtype: pl.DataType | type[pl.DataType]
) -> pl.Expr:
    return pl.col(source).map_batches(read, return_dtype=dtype, is_elementwise=True)


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
        return read_on(cells, nothing, read)

    value = _mapped(source, numbers, pl.Int8())
    return Cell(source, value, f"{source} is not one of {list(usual)}", is_missing)


def _unread(name: str, cell: Cell) -> pl.Expr:
    """The cell's problem where it holds something that could not be read."""

    def problems(columns: Sequence[pl.Series]) -> pl.Series:
        values, cells = columns
        # As many values as cells: nothing was lost, which is the usual case.
        if values.null_count() == cells.null_count():
            return pl.repeat(None, cells.len(), dtype=pl.String, eager=True)
        lost = cells.zip_with(values.is_null(), cells.clear(cells.len()))
        unread = lost.unique().drop_nulls()
        problem_of = {word: cell.problem for word in unread if not cell.is_missing(word)}
        return lost.replace_strict(problem_of, default=None, return_dtype=pl.String)

    return pl.map_batches(
        [pl.col(name), pl.col(cell.source)], problems, return_dtype=pl.String, is_elementwise=True
    )


def _within(value: pl.Expr, low: int, high: int) -> pl.Expr:
    return pl.when(value.is_between(low, high)).then(value)
