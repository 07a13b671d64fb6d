"""What the league's game numbers tell: part of the season and year, as in 2 03 01187."""

from datetime import date
from types import MappingProxyType
from typing import Final

import polars as pl

REGULAR_SEASON: Final = "Regular Season"
SEASON_TYPE_OF_DIGIT: Final = MappingProxyType(
    {1: "Pre Season", 2: REGULAR_SEASON, 3: "All Star", 4: "Playoffs", 5: "PlayIn"}
)

_TYPE_UNIT: Final = 10_000_000
_YEAR_UNIT: Final = 100_000
_FIRST_YEAR: Final = 46
_NEW_SEASON_MONTH: Final = date(2000, 9, 1).month


def season_type(game_id: str) -> pl.Expr:
    """The part of the season that the number's first digit means; regular season if none."""
    digit = pl.col(game_id) // _TYPE_UNIT
    return digit.replace_strict(
        dict(SEASON_TYPE_OF_DIGIT), default=REGULAR_SEASON, return_dtype=pl.String
    )


def season(game_id: str, game_date: str) -> pl.Expr:
    """The year in which the season ends.

    Taken from the game's number where that agrees with the date to a year (seasons have run into
    October), else from the date: a season begins in September at the earliest.
    """
    day = pl.col(game_date)
    by_date = day.dt.year() + (day.dt.month() >= _NEW_SEASON_MONTH).cast(pl.Int32)
    digits = pl.col(game_id) % _TYPE_UNIT // _YEAR_UNIT
    century = pl.when(digits >= _FIRST_YEAR).then(1900).otherwise(2000)
    by_number = (digits + century + 1).cast(pl.Int32)
    numbered = (pl.col(game_id) // _TYPE_UNIT).is_between(1, 5)
    trusted = numbered & ((by_number - by_date).abs() <= 1)
    return pl.when(trusted).then(by_number).otherwise(by_date).cast(pl.Int16)
