"""What the absent columns of a season file would hold, where its other columns tell.

Season files differ from year to year in their columns, and their shots are numbered by content: a
column that others tell is filled in the usual words, so that the file has the same shots with and
without it. Only columns that are absent as a whole are filled; cells of a file stay as they are.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import polars as pl

from parivision import spellings
from parivision.sources import game_number
from parivision.sources.format import day, whole

ZONE_ABBREVIATIONS: Final = MappingProxyType(
    {
        "Back Court": "BC",
        "Center": "C",
        "Left Side": "L",
        "Left Side Center": "LC",
        "Right Side": "R",
        "Right Side Center": "RC",
    }
)
EVENTS: Final = MappingProxyType({1: "Made Shot", 0: "Missed Shot"})
MADE: Final = MappingProxyType({1: "TRUE", 0: "FALSE"})


def filled(records: pl.DataFrame) -> pl.DataFrame:
    """Records of all 26 columns, of which absent ones (all null) are told by the others.

    What nothing tells stays null; see `is_partial`.
    """
    for name, told in _TOLD.items():
        if records.height and records[name].null_count() == records.height:
            cells = told(records)
            if cells.null_count() < records.height:
                records = records.with_columns(cells.fill_null("").alias(name))
    return records


def is_partial(records: pl.DataFrame) -> pl.Series:
    """Whether a record lacks columns that nothing tells, so that its content is not all of it."""
    return records.select(pl.any_horizontal(pl.all().is_null()).alias("is_partial")).to_series()


def season_in_words(words: str) -> pl.Expr:
    """The year in which a season like 2003-04 ends."""
    return pl.col(words).str.extract(r"^\s*(\d{4})-\d{2}\s*$").cast(pl.Int16, strict=False) + 1


def _season(records: pl.DataFrame) -> pl.Series:
    numbers = records.select(
        season_in_words("SEASON_2").alias("in_words"),
        whole("GAME_ID", pl.Int64).value.alias("game_id"),
        day("GAME_DATE", "%m-%d-%Y").value.alias("game_date"),
    )
    season = pl.coalesce("in_words", game_number.season("game_id", "game_date"))
    return numbers.select(season.cast(pl.String)).to_series()


def _season_words(records: pl.DataFrame) -> pl.Series:
    end = whole("SEASON_1", pl.Int64).value
    words = pl.format("{}-{}", end - 1, (end % 100).cast(pl.String).str.zfill(2))
    return records.select(words).to_series()


def _told_by(source: str, told: Callable[[str], str | None]) -> Callable[[pl.DataFrame], pl.Series]:
    """Cells told by another column's, each distinct one once."""

    def cells(records: pl.DataFrame) -> pl.Series:
        words = {word: told(word) for word in records[source].unique().drop_nulls()}
        known = {word: cell for word, cell in words.items() if cell is not None}
        return records[source].replace_strict(known, default=None, return_dtype=pl.String)

    return cells


def _flag(words: Mapping[int, str]) -> Callable[[str], str | None]:
    return lambda cell: words.get(made) if (made := spellings.flag(cell)) is not None else None


def _group(position: str) -> str | None:
    """G of SG and of PG-SF; NA is a position and a group."""
    first = position.strip().partition("-")[0]
    return first if first == "NA" else first[-1:] or None


_TOLD: Final[Mapping[str, Callable[[pl.DataFrame], pl.Series]]] = MappingProxyType(
    {
        "SEASON_1": _season,
        "SEASON_2": _season_words,
        "POSITION_GROUP": _told_by("POSITION", _group),
        "ZONE_ABB": _told_by("ZONE_NAME", lambda zone: ZONE_ABBREVIATIONS.get(zone.strip())),
        "EVENT_TYPE": _told_by("SHOT_MADE", _flag(EVENTS)),
        "SHOT_MADE": _told_by("EVENT_TYPE", _flag(MADE)),
    }
)
"""How an absent column is told, in the order in which one may need another."""
