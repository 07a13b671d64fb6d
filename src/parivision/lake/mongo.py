"""The lake in MongoDB: documents that hold many rows, since what a document costs is its fields.

bronze      a batch of records, as a file of Parquet
keys        a key (game id, event id) of bronze: its record's digest, and the batch that holds it
batches     a batch: its source and format, how far it is, how many rows of it are in each layer
silver      a game's shots of a batch: what is true of the game, and an array for each column
quarantine  a refused record
cursors     how far a source was read

Every write is an insert by `_id`, and what is there already is left alone, so processes may repeat
each other's work, also at the same time. `lake/mongo_bronze.py` says how a batch goes from open to
refined, and what becomes of one that a killed process left half done.

Only what old servers and FerretDB know is used: no $lookup, TTL, change streams or transactions,
and no upsert by anything but `_id`.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

import polars as pl
from pymongo import MongoClient

from parivision.durable import exporting
from parivision.errors import StoreError
from parivision.lake import documents
from parivision.lake.base import (
    QUARANTINE_ORDER,
    QUARANTINE_SCHEMA,
    Appended,
    LayerCounts,
    Pending,
    RefinedRows,
    in_order_taken,
    needed_columns,
)
from parivision.lake.documents import Document
from parivision.lake.mongo_bronze import READ_DOCUMENTS, BronzeBatches, add_quarantine
from parivision.lake.mongo_client import (
    DEFAULT_DATABASE,
    client_of,
    insert_missing,
    is_away,
    read_chunks,
    translating_errors,
    without_credentials,
)
from parivision.settings.retry import NEVER, Retry, asks_again
from parivision.shots import schema
from parivision.shots.leagues import GAMES_PER_LEAGUE, NBA, League

INSERT_GAMES: Final = 100
READ_GAMES: Final = 200
"""Some ten megabytes; FerretDB sends all at once what it is not asked for in parts."""


class MongoLake:
    """A lake (`lake.base.Lake`) in one database of a MongoDB server."""

    def __init__(self, client: MongoClient[Document], url: str, retry: Retry = NEVER) -> None:
        """Use a client; `url` is shown to people and must hold no credentials."""
        self.retry = retry
        self._client = client
        self._url = url
        self._database = client.get_default_database(default=DEFAULT_DATABASE)
        self._batches = BronzeBatches(self._database, url)
        self._is_indexed = False

    @classmethod
    def connect(cls, url: str, retry: Retry = NEVER) -> "MongoLake":
        """The lake at mongodb://user:password@host:port/database; raises StoreError.

        The database is `parivision` if the URL names none. Users of another database need
        `?authSource=` as usual.
        """
        shown = without_credentials(url)
        client = client_of(url, shown)
        try:
            with translating_errors(shown):
                lake = cls(client, shown, retry)
            lake._ping()
        except StoreError:
            client.close()
            raise
        return lake

    @property
    def url(self) -> str:
        """The server and database, without credentials."""
        return self._url

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @asks_again(is_away)
    def cursor(self, source: str) -> str | None:
        """The cursor last committed for a source."""
        with translating_errors(self._url):
            stored = self._database.cursors.find_one({"_id": source})
        return None if stored is None else stored["cursor"]

    @asks_again(is_away)
    def commit_cursor(self, source: str, cursor: str | None) -> None:
        """Remember how far a source was read."""
        with translating_errors(self._url):
            self._database.cursors.replace_one(
                {"_id": source},
                {"_id": source, "cursor": cursor, "at": datetime.now(tz=UTC)},
                upsert=True,
            )

    @asks_again(is_away)
    def last_ingest(self) -> datetime | None:
        """When a cursor was last committed."""
        with translating_errors(self._url):
            moments = [each.get("at") for each in self._database.cursors.find({}, {"at": 1})]
        # MongoDB keeps moments in UTC, and its driver gives them without a zone.
        return max((at.replace(tzinfo=UTC) for at in moments if at is not None), default=None)

    @asks_again(is_away)
    def append_bronze(
        self, records: pl.DataFrame, keys: pl.DataFrame, *, source: str, layout: str
    ) -> Appended:
        """Keep records as they came; see `lake.base.Lake`.

        What a process that was killed meanwhile had brought to bronze counts as a duplicate.
        """
        with translating_errors(self._url):
            parts = [
                self._batches.append(batch, source=source, layout=layout)
                for batch in documents.batches(records, keys)
            ]
        return Appended(
            sum(part.new for part in parts),
            sum(part.duplicates for part in parts),
            sum(part.conflicts for part in parts),
        )

    @asks_again(is_away)
    def add_quarantine(self, refused: pl.DataFrame) -> int:
        """Keep what is no record."""
        with translating_errors(self._url):
            return add_quarantine(self._database, refused.select(*QUARANTINE_SCHEMA))

    def pending(self) -> Iterator[Pending]:
        """Records not refined yet, batch by batch; what comes meanwhile is left out."""
        # A generator cannot be called again when something was given already. Its parts can.
        for batch in self._unrefined():
            pending = self._pending(batch)
            if pending is not None:
                yield pending

    @asks_again(is_away)
    def write_refined(
        self, pending: Pending, shots: pl.DataFrame, bad: pl.DataFrame
    ) -> RefinedRows:
        """Keep what became of pending records, and mark their batch."""
        games = documents.silver(shots, pending.token)
        with translating_errors(self._url):
            self._index()
            present = set(insert_missing(self._database.silver, games, INSERT_GAMES))
            quarantined_rows = add_quarantine(self._database, bad)
            # The mark comes last: a process killed before it leaves the batch to be refined again.
            self._batches.mark_refined(pending.token, shots.height)
        silver = sum(documents.rows(game) for game in games if game["_id"] not in present)
        duplicates = shots.height + bad.height - silver - quarantined_rows
        return RefinedRows(silver, quarantined_rows, duplicates)

    @asks_again(is_away)
    def silver(
        self,
        columns: Sequence[str] | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        league: League | None = NBA,
    ) -> pl.DataFrame:
        """A league's shots with since <= game_date < until, in the order they were taken in."""
        names = needed_columns(columns)
        limits = {"$gte": since, "$lt": until}
        days = {sign: datetime.combine(day, time()) for sign, day in limits.items() if day}
        condition: Document = {"game_date": days} if days else {}
        if league is not None:
            end = league.first_game + GAMES_PER_LEAGUE
            condition["game_id"] = {"$gte": league.first_game, "$lt": end}
        chunks = self._read("silver", condition, names, READ_GAMES)
        tables = [documents.shots_of(games, names) for games in chunks]
        return in_order_taken(
            pl.concat([documents.shots_of([], names), *tables]),
            list(columns) if columns is not None else list(schema.NAMES),
        )

    @asks_again(is_away)
    def quarantine(self) -> pl.DataFrame:
        """Everything in quarantine, sorted by key and digest."""
        tables = [
            pl.DataFrame(refused, schema=QUARANTINE_SCHEMA)
            for refused in self._read("quarantine", {}, list(QUARANTINE_SCHEMA), READ_DOCUMENTS)
        ]
        return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *tables]).sort(QUARANTINE_ORDER)

    @asks_again(is_away)
    def counts(self) -> LayerCounts:
        """Rows of each layer; a batch counts as pending until all of it is refined."""
        with translating_errors(self._url):
            bronze, pending, silver = self._batches.rows()
            # Not the commands `count` and `aggregate`: for these FerretDB reads every document.
            quarantine = self._database.command("collStats", "quarantine")["count"]
        return LayerCounts(bronze, pending, silver, int(quarantine))

    def export_silver(self, path: Path) -> int:
        """Write all shots as CSV sorted by key."""
        shots = self.silver(league=None).sort(schema.KEY)
        with exporting(path) as stream:
            shots.write_csv(stream)
        return shots.height

    @asks_again(is_away)
    def _ping(self) -> None:
        with translating_errors(self._url):
            self._database.command("ping")

    @asks_again(is_away)
    def _unrefined(self) -> list[Document]:
        with translating_errors(self._url):
            return self._batches.unrefined()

    @asks_again(is_away)
    def _pending(self, batch: Document) -> Pending | None:
        with translating_errors(self._url):
            return self._batches.pending(batch)

    def _index(self) -> None:
        # With the first write, not when it connects: who may only read must not be refused.
        if not self._is_indexed:
            self._database.silver.create_index("game_date")
            self._is_indexed = True

    def _read(
        self, collection: str, condition: Document, fields: Sequence[str], at_once: int
    ) -> Iterator[list[Document]]:
        with translating_errors(self._url):
            yield from read_chunks(self._database[collection], condition, fields, at_once)
