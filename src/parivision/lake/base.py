"""What a lake of shots is: three layers, and the promises that both stores keep.

bronze      records as they came, one for each key (game id, event id); records without a usable
            key are kept too, told apart by their content
silver      canonical, typed, valid shots, one for each key
quarantine  what could not become a shot, with the reason and the record as JSON; also lines of
            files that are no records, with their file, number and text

Every operation may be repeated: what is there already is counted as a duplicate and changes
nothing. A record with the key of an earlier one and other content goes to quarantine. A process
killed at any moment leaves a lake that the same steps, run again, bring to the same end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from parivision.shots import schema
from parivision.shots.league_games import is_of
from parivision.shots.leagues import NBA, League

KEYS: Final = ("game_id", "event_id", "digest")
CONFLICT: Final = "another record with the same game and event came first"
SILVER_ORDER: Final = ("game_date", "game_id", "period", "clock_s", "event_id")
QUARANTINE_ORDER: Final = ("game_id", "event_id", "digest", "reason")

QUARANTINE_SCHEMA: Final = {
    "game_id": pl.Int64(),
    "event_id": pl.Int64(),
    "digest": pl.Int64(),
    "source": pl.String(),
    "format": pl.String(),
    "reason": pl.String(),
    "record": pl.String(),
}


@dataclass(frozen=True)
class Appended:
    """What became of records handed to bronze: new + duplicates + conflicts is their number."""

    new: int
    duplicates: int
    conflicts: int


@dataclass(frozen=True)
class Pending:
    """Records of bronze that are not refined yet.

    `records` holds the format's columns, `keys` the columns KEYS and `source` of the same rows.
    `token` tells the lake what to mark as refined.
    """

    format: str
    records: pl.DataFrame
    keys: pl.DataFrame
    token: str


@dataclass(frozen=True)
class RefinedRows:
    """How many rows a write added; `duplicates` were there already."""

    silver: int
    quarantined: int
    duplicates: int


@dataclass(frozen=True)
class LayerCounts:
    """Rows of each layer; `pending` rows of bronze are not refined yet."""

    bronze: int
    pending: int
    silver: int
    quarantine: int


class Lake(Protocol):
    """A store of shots. Its methods raise StoreError when the store cannot be read or written."""

    @property
    def url(self) -> str:
        """Where the lake is, without credentials."""
        ...

    def cursor(self, source: str) -> str | None:
        """The cursor last committed for a source."""
        ...

    def commit_cursor(self, source: str, cursor: str | None) -> None:
        """Remember how far a source was read; call it when the records before it are appended.

        Committing the same cursor again says that the source was read and had nothing new.
        """
        ...

    def last_ingest(self) -> datetime | None:
        """When a cursor was last committed, in UTC; None before the first time."""
        ...

    def append_bronze(
        self, records: pl.DataFrame, keys: pl.DataFrame, *, source: str, layout: str
    ) -> Appended:
        """Keep records of the format `layout`, durably; `keys` are what its `keys` gives."""
        ...

    def add_quarantine(self, refused: pl.DataFrame) -> int:
        """Keep what is no record, such as faulty lines; how many of them were not there yet.

        `refused` has the columns of QUARANTINE_SCHEMA.
        """
        ...

    def pending(self) -> Iterator[Pending]:
        """Records not refined yet, part by part."""
        ...

    def write_refined(
        self, pending: Pending, shots: pl.DataFrame, bad: pl.DataFrame
    ) -> RefinedRows:
        """Keep what became of pending records and mark them as refined.

        `bad` has the columns of QUARANTINE_SCHEMA.
        """
        ...

    def silver(
        self,
        columns: Sequence[str] | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        league: League | None = NBA,
    ) -> pl.DataFrame:
        """A league's shots with since <= game_date < until, in the order in which they were taken.

        One league unless somebody asks for all by None: what is computed from shots of two would
        be true of neither. Sorted by date, game, period, clock (running down) and event.
        """
        ...

    def quarantine(self) -> pl.DataFrame:
        """Everything in quarantine, sorted by key and digest."""
        ...

    def counts(self) -> LayerCounts:
        """Rows of each layer."""
        ...

    def export_silver(self, path: Path) -> int:
        """Write all shots of all leagues as CSV sorted by key, and return their number.

        Equal lakes give equal bytes, whatever way they were filled.
        """
        ...

    def close(self) -> None:
        """Let go of connections; the lake is not used afterwards."""
        ...


def quarantined(
    records: pl.DataFrame, keys: pl.DataFrame, reasons: pl.Series | str, *, layout: str
) -> pl.DataFrame:
    """Rows for quarantine: records with their keys and `source`, and the reason of each."""
    reason = pl.lit(reasons, pl.String) if isinstance(reasons, str) else reasons.alias("reason")
    return keys.with_columns(
        pl.lit(layout).alias("format"), reason.alias("reason"), as_json(records).alias("record")
    ).select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE_SCHEMA.items())


def as_json(records: pl.DataFrame) -> pl.Series:
    """Each record as the text of a JSON object."""
    return records.select(pl.struct(pl.all()).struct.json_encode()).to_series()


def in_order_taken(shots: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Shots sorted as `Lake.silver` promises, with `columns` left."""
    descending = [name == "clock_s" for name in SILVER_ORDER]
    return shots.sort(SILVER_ORDER, descending=descending).select(columns)


def within(since: date | None, until: date | None, league: League | None) -> pl.Expr:
    """The condition since <= game_date < until, for a league's games; either end may be open."""
    day = pl.col("game_date")
    condition = pl.lit(value=True) if league is None else is_of(league, pl.col("game_id"))
    if since is not None:
        condition = condition & (day >= since)
    if until is not None:
        condition = condition & (day < until)
    return condition


def needed_columns(columns: Sequence[str] | None) -> list[str]:
    """The columns to read for `Lake.silver`: those asked for and those it sorts by."""
    if columns is None:
        return list(schema.NAMES)
    return [name for name in schema.NAMES if name in {*columns, *SILVER_ORDER}]
