"""What the league's game numbers tell: league, part of the season and year, as in 00 2 03 01187.

Numbers have ten digits: two of the league (00 is the NBA's, so they are left out where a number is
kept as one), one of the part of the season, two of the year in which it begins, five of the game.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

import polars as pl

from parivision.errors import SettingsError
from parivision.shots import leagues
from parivision.shots.leagues import League

REGULAR_SEASON: Final = "Regular Season"
ALL_STAR: Final = "All Star"
SEASON_TYPE_OF_DIGIT: Final = MappingProxyType(
    {
        1: "Pre Season",
        2: REGULAR_SEASON,
        3: ALL_STAR,
        4: "Playoffs",
        5: "PlayIn",
        6: "NBA Cup",
    }
)
LEAGUE_OF_CODE: Final = MappingProxyType(
    {
        **{league.code: league.title for league in leagues.LEAGUES},
        "01": "ABA",
        "13": "Summer League, Sacramento",
        "14": "Summer League, Orlando",
        "15": "Summer League, Las Vegas",
        "16": "Summer League, Utah",
    }
)
"""Leagues and tournaments by the first two of a number's ten digits."""
NO_LEAGUE: Final = (
    "game_id has more than eight digits, and the first two of ten are no known league's"
)

SPELLINGS: Final = MappingProxyType(
    {
        REGULAR_SEASON: ("regular", "reg"),
        "Pre Season": ("pre",),
        "PlayIn": ("play in tournament", "play in game", "play ins"),
        "Playoffs": ("playoff", "post season", "post"),
        ALL_STAR: ("all star game", "all stars", "all star weekend"),
        "NBA Cup": ("IST", "in season tournament", "emirates nba cup", "nba cup final", "cup"),
    }
)
"""What others call a part of the season, beside its own name."""

_TYPE_UNIT: Final = 10_000_000
_TYPES: Final = 10
_YEAR_UNIT: Final = 100_000
# The league's first season began in 1946: two digits below that are of this century.
_FIRST_YEAR: Final = 46
_NEW_SEASON_MONTH: Final = date(2000, 9, 1).month


def season_type(game_id: str) -> pl.Expr:
    """The part of the season that the number's digit of the type means.

    A number of less than eight digits has none, as other numbering has it: the regular season is
    meant there. `problem` says which numbers mean nothing.
    """
    digit = _type_digit(pl.col(game_id))
    return digit.replace_strict(
        {0: REGULAR_SEASON, **SEASON_TYPE_OF_DIGIT}, default=None, return_dtype=pl.String
    )


def stated_type(number: pl.Expr) -> pl.Expr:
    """The same of a game's number, missing where that has no digit of the type that is known."""
    return _type_digit(number).replace_strict(
        dict(SEASON_TYPE_OF_DIGIT), default=None, return_dtype=pl.String
    )


def problem(game_id: str, league: League = leagues.NBA) -> pl.Expr:
    """Why a number is not one of a game of the league; missing where it may be one."""

    def problems(numbers: pl.Series) -> pl.Series:
        return _problems(numbers, league)

    return pl.col(game_id).map_batches(problems, return_dtype=pl.String)


def part_of_season(words: str) -> str:
    """A part of the season in this library's spelling: `Play-In` is PlayIn.

    Neither case nor what stands between the letters matters. Other words come back as they are.
    """
    return _PARTS.get(_letters(words), words)


def season_parts(text: str) -> tuple[str, ...]:
    """Parts of the season, separated by commas, in any spelling; raises SettingsError."""
    parts = tuple(part_of_season(words.strip()) for words in text.split(","))
    unknown = [part for part in parts if part not in SEASON_TYPE_OF_DIGIT.values()]
    if unknown:
        known = ", ".join(SEASON_TYPE_OF_DIGIT.values())
        raise SettingsError(f"{unknown[0]!r} is no part of a season: expected some of {known}")
    return parts


def _type_digit(number: pl.Expr) -> pl.Expr:
    """The digit of the part of the season; that of an unknown league's number is not looked at."""
    return number // _TYPE_UNIT % _TYPES


def _problems(numbers: pl.Series, league: League) -> pl.Series:
    prefix = numbers // _TYPE_UNIT
    first, last = int(league.code) * _TYPES, int(league.code) * _TYPES + max(SEASON_TYPE_OF_DIGIT)
    if prefix.is_between(first, last).all():  # nearly always, and much faster than to look at each
        return pl.Series(numbers.name, [None], pl.String).new_from_index(0, len(numbers))
    reasons = {code: _reason(code, league) for code in prefix.drop_nulls().unique()}
    return prefix.replace_strict(reasons, default=None, return_dtype=pl.String)


def _reason(prefix: int, league: League) -> str | None:
    """What is wrong with a number whose league and type are these digits."""
    code, digit = f"{prefix // _TYPES:02d}", prefix % _TYPES
    if code == league.code:
        is_known = digit <= max(SEASON_TYPE_OF_DIGIT)
        types = ", ".join(f"{key} {words}" for key, words in SEASON_TYPE_OF_DIGIT.items())
        return None if is_known else f"game_id has the type digit {digit}: known are {types}"
    if code in LEAGUE_OF_CODE:
        own = f"{league.code} ({league.title})"
        return f"game_id is of another league: {code} ({LEAGUE_OF_CODE[code]}), not {own}"
    return NO_LEAGUE


def _letters(words: str) -> str:
    return "".join(filter(str.isalpha, words.lower()))


def _parts() -> Mapping[str, str]:
    return {
        _letters(words): part for part, others in SPELLINGS.items() for words in (part, *others)
    }


def season(game_id: str, game_date: str, league: League = leagues.NBA) -> pl.Expr:
    """The year in which the season ends.

    Taken from the game's number where that agrees with the date to a year (seasons have run into
    October), else from the date: a season begins in September at the earliest.
    """
    day = pl.col(game_date)
    if not league.spans_years:
        return day.dt.year().cast(pl.Int16)
    by_date = day.dt.year() + (day.dt.month() >= _NEW_SEASON_MONTH).cast(pl.Int32)
    digits = pl.col(game_id) % _TYPE_UNIT // _YEAR_UNIT
    century = pl.when(digits >= _FIRST_YEAR).then(1900).otherwise(2000)
    by_number = (digits + century + 1).cast(pl.Int32)
    numbered = _type_digit(pl.col(game_id)).is_between(1, max(SEASON_TYPE_OF_DIGIT))
    trusted = numbered & ((by_number - by_date).abs() <= 1)
    return pl.when(trusted).then(by_number).otherwise(by_date).cast(pl.Int16)


_PARTS: Final = _parts()
