"""Columns of text as values: all cells at once, and what that leaves by its distinct texts."""

from collections.abc import Callable
from datetime import date

import polars as pl

from parivision.shots import spellings
from parivision.shots.limits import CONTROL_CHARACTERS

Read = Callable[[str], int | date | None]
"""The meaning of a text, None if it has none: a function of `parivision.shots.spellings`."""


def cleaned(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
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
        if stripped.str.contains(CONTROL_CHARACTERS).any():
            unprintable = unprintable | kept.str.contains(CONTROL_CHARACTERS).fill_null(value=False)
    return pl.DataFrame(columns), unprintable


def read_on(cells: pl.Series, quick: pl.Series, read: Read) -> pl.Series:
    """Values read quickly, and where that gave nothing, by `read`, once for each distinct text."""
    if quick.null_count() == cells.null_count():
        return quick
    unread = cells.filter(quick.is_null()).drop_nulls().unique()
    meanings = {cell: value for cell in unread if (value := read(cell)) is not None}
    if not meanings:
        return quick
    slow = cells.replace_strict(meanings, default=None, return_dtype=quick.dtype)
    return quick.zip_with(quick.is_not_null(), slow)


def words(cells: pl.Series) -> pl.Series:
    """Cells whose text does not stand for a missing value; only short ones can."""
    short = cells.filter(cells.str.len_bytes() <= spellings.LONGEST_MISSING).unique()
    missing = [word for word in short.drop_nulls() if spellings.is_missing_word(word)]
    return cells.set(cells.is_in(missing).fill_null(value=False), None) if missing else cells


def without_exchanged(cells: pl.Series, days: pl.Series) -> pl.Series:
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
    # A few such dates are slips of the pen. More of them than of dates that show the month first
    # are the file's way of writing, and then those that could be either were read wrongly.
    either = [cell for cell in cells.drop_nulls().unique() if spellings.is_either_first(cell)]
    may_be_either = cells.is_in(either).fill_null(value=False)
    month_first = (days.is_not_null() & ~may_be_either).sum()
    if cells.is_in(day_first).sum() <= month_first:
        return days
    return days.set(may_be_either, None)
