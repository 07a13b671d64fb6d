"""nba_api's own table of shots: the 24 columns of the league's endpoint shotchartdetail.

The live source reads it from the league, and files hold it as people kept it: CSV with or without
pandas' index, JSON, Parquet. Each way writes some cells otherwise (0022200001 and 22200001, 7 and
7.0, 20221018 and 2022-10-18), so a record is brought to the feed's columns in the league's own
spelling first: a shot that came both ways is one record, with one key and one digest.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

import polars as pl

from parivision.shots import schema, spellings
from parivision.sources import feed22, game_number
from parivision.sources.format import Converted, Needs, as_records, first_known, flag, whole

COLUMNS: Final = MappingProxyType(
    {
        "GAME_ID": "Game ID",
        "GAME_EVENT_ID": "Game Event ID",
        "PLAYER_ID": "Player ID",
        "PLAYER_NAME": "Player Name",
        "TEAM_ID": "Team ID",
        "TEAM_NAME": "Team Name",
        "PERIOD": "Period",
        "MINUTES_REMAINING": "Minutes Remaining",
        "SECONDS_REMAINING": "Seconds Remaining",
        "ACTION_TYPE": "Action Type",
        "SHOT_TYPE": "Shot Type",
        "SHOT_ZONE_BASIC": "Shot Zone Basic",
        "SHOT_ZONE_AREA": "Shot Zone Area",
        "SHOT_ZONE_RANGE": "Shot Zone Range",
        "SHOT_DISTANCE": "Shot Distance",
        "LOC_X": "X Location",
        "LOC_Y": "Y Location",
        "SHOT_MADE_FLAG": "Shot Made Flag",
        "GAME_DATE": "Game Date",
        "HTM": "Home Team",
        "VTM": "Away Team",
    }
)
"""The league's columns and the feed's. GRID_TYPE, EVENT_TYPE and SHOT_ATTEMPTED_FLAG tell nothing
else; the season type is the one that was asked for, or the game number's."""
SEASON_TYPE: Final = "Season Type"

_NUMBERS: Final = tuple(name for name, feed in COLUMNS.items() if feed in feed22.FORMAT.numbers)
_GAME_DIGITS: Final = 10


def feed_records(records: pl.DataFrame, season_type: str | None = None) -> pl.DataFrame:
    """Feed records of nba_api's (all text, the columns COLUMNS), in the league's own spelling.

    A cell that cannot be read stays as it is. Without `season_type` it is the game number's.
    """
    named = records.select(pl.col(name).alias(feed) for name, feed in COLUMNS.items())
    spelled = named.with_columns(
        _spelled(named[feed], _SPELLING[name]) for name, feed in COLUMNS.items()
    )
    part = pl.lit(season_type, pl.String)
    if season_type is None:
        part = game_number.stated_type(whole("Game ID", pl.Int64).value)
    return spelled.with_columns(part.alias(SEASON_TYPE)).select(feed22.COLUMNS)


class NbaApi:
    """The format `nba_api`."""

    name: Final = "nba_api"
    columns: Final = tuple(COLUMNS)
    needs: Final[Needs] = tuple(
        (name,) for name, feed in COLUMNS.items() if feed not in feed22.MAY_LACK
    )
    numbers: Final = frozenset(_NUMBERS)
    partial_events: Final = 0

    def keys(self, records: pl.DataFrame) -> pl.DataFrame:
        """Game and event number, and the digest of the feed's record that it means."""
        return feed22.FORMAT.keys(self._feed(records))

    def made(self, records: pl.DataFrame) -> pl.Series:
        """Whether each record's shot went in, as far as it is told."""
        return first_known(records, flag("SHOT_MADE_FLAG"))

    def to_shots(
        self,
        records: pl.DataFrame,
        *,
        keys: pl.DataFrame | None = None,
        check_geometry: bool = True,
    ) -> Converted:
        """Canonical shots of nba_api's records, and the records that cannot be one."""
        feed = feed22.FORMAT.to_shots(self._feed(records), keys=keys, check_geometry=check_geometry)
        reasons = pl.Series(schema.REASON, map(_in_own_names, feed.bad[schema.REASON]), pl.String)
        own = as_records(records, self.columns, self.name, self.needs)[feed.bad_rows]
        return Converted(feed.shots, own.with_columns(reasons), feed.shot_rows, feed.bad_rows)

    def _feed(self, records: pl.DataFrame) -> pl.DataFrame:
        return feed_records(as_records(records, self.columns, self.name, self.needs))


def _spelled(cells: pl.Series, spelling: Callable[[str], str | None]) -> pl.Series:
    """Cells in the league's spelling; each different one is looked at once."""
    known = {cell: spelling(cell) for cell in cells.drop_nulls().unique()}
    other = {cell: meant for cell, meant in known.items() if cell != meant}
    return cells.replace(other) if other else cells


def _words(cell: str) -> str | None:
    return None if spellings.is_missing_word(cell) else cell.strip()


def _number(cell: str) -> str | None:
    meant = spellings.whole(cell)
    return str(meant) if meant is not None else cell


def _game(cell: str) -> str | None:
    """A game's number with the two digits of its league, as the league writes it."""
    meant = spellings.whole(cell)
    return str(meant).zfill(_GAME_DIGITS) if meant is not None else cell


def _day(cell: str) -> str | None:
    meant = spellings.day(cell)
    return f"{meant:%Y%m%d}" if meant is not None else cell


def _flag(cell: str) -> str | None:
    meant = spellings.flag(cell)
    return str(meant) if meant is not None else cell


_SPELLING: Final = MappingProxyType(
    {
        **dict.fromkeys(COLUMNS, _words),
        **dict.fromkeys(_NUMBERS, _number),
        "GAME_ID": _game,
        "GAME_DATE": _day,
        "SHOT_MADE_FLAG": _flag,
    }
)
"""How a column's cells come to the league's own spelling."""


def _in_own_names(reason: str) -> str:
    """A reason that begins with a column of the feed, with nba_api's name for it."""
    for name, feed in COLUMNS.items():
        if reason.startswith(f"{feed} is "):
            return reason.replace(feed, name, 1)
    return reason


FORMAT: Final = NbaApi()
