"""The lake in MongoDB: documents that hold many rows, since what a document costs is its fields.

bronze      a batch of records, as a file of Parquet
keys        a key (game id, event id) of bronze: its record's digest, and the batch that holds it
batches     a batch: its source and format, how far it is, how many rows of it are in each layer
silver      a game's shots of a batch: what is true of the game, and an array for each column
quarantine  a refused record
cursors     how far a source was read

Every write is an insert by `_id`, and what is there already is left alone, so processes may repeat
each other's work, also at the same time. A batch comes to bronze whole and is open then; it is
closed when all its keys are there and what is not its own is out of it; it is refined when all of
it is in silver or quarantine. Whoever meets a batch that a killed process left open closes it.

Only what old servers and FerretDB know is used: no $lookup, TTL, change streams or transactions,
and no upsert by anything but `_id`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import polars as pl
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    OperationFailure,
    PyMongoError,
)

from parivision.durable import exporting
from parivision.errors import StoreError
from parivision.lake import documents
from parivision.lake.base import (
    CONFLICT,
    QUARANTINE_ORDER,
    QUARANTINE_SCHEMA,
    Appended,
    LayerCounts,
    Pending,
    RefinedRows,
    in_order_taken,
    needed_columns,
    quarantined,
)
from parivision.lake.deduplication import sift
from parivision.lake.documents import Document
from parivision.shots import schema

Item = TypeVar("Item")

DEFAULT_DATABASE: Final = "parivision"
SERVER_WAIT_MS: Final = 5_000
ANSWER_WAIT_MS: Final = 300_000
INSERT_DOCUMENTS: Final = 5_000
"""Small ones, of a key or a refused record."""
INSERT_GAMES: Final = 100
READ_DOCUMENTS: Final = 50_000
READ_GAMES: Final = 200
"""Some ten megabytes; FerretDB sends all at once what it is not asked for in parts."""
IDS_AT_ONCE: Final = 1_000
"""More are asked for as a range: FerretDB compares each with every document."""

DUPLICATE_KEY: Final = 11_000
_SERVERS: Final = re.compile(
    r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?(,([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?)*(/[\w.-]*)?"
)
"""Hosts, with ports or without, and a database."""
_REFUSED: Final = (13, 18)
_OPEN: Final = "open"
_CLOSED: Final = "closed"
_REFINED: Final = "refined"


class MongoLake:
    """A lake (`lake.base.Lake`) in one database of a MongoDB server."""

    def __init__(self, client: MongoClient[Document], url: str) -> None:
        """Use a client; `url` is shown to people and must hold no credentials."""
        self._client = client
        self._url = url
        self._database = client.get_default_database(default=DEFAULT_DATABASE)
        self._indexed = False

    @classmethod
    def connect(cls, url: str) -> "MongoLake":
        """The lake at mongodb://user:password@host:port/database; raises StoreError.

        The database is `parivision` if the URL names none. Users of another database need
        `?authSource=` as usual.
        """
        shown = without_credentials(url)
        client = client_of(url, shown)
        try:
            with asking(shown):
                lake = cls(client, shown)
                lake._database.command("ping")
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

    def cursor(self, source: str) -> str | None:
        """The cursor last committed for a source."""
        with asking(self._url):
            found = self._database.cursors.find_one({"_id": source})
        return None if found is None else found["cursor"]

    def commit_cursor(self, source: str, cursor: str | None) -> None:
        """Remember how far a source was read."""
        with asking(self._url):
            self._database.cursors.replace_one(
                {"_id": source},
                {"_id": source, "cursor": cursor, "at": datetime.now(tz=UTC)},
                upsert=True,
            )

    def last_ingest(self) -> datetime | None:
        """When a cursor was last committed."""
        with asking(self._url):
            found = [document.get("at") for document in self._database.cursors.find({}, {"at": 1})]
        moments = [at.replace(tzinfo=UTC) for at in found if at is not None]
        return max(moments, default=None)

    def append_bronze(
        self, records: pl.DataFrame, keys: pl.DataFrame, *, source: str, layout: str
    ) -> Appended:
        """Keep records as they came; see `lake.base.Lake`.

        What a process that was killed meanwhile had brought to bronze counts as a duplicate.
        """
        with asking(self._url):
            parts = [
                self._append(batch, source=source, layout=layout)
                for batch in documents.batches(records, keys)
            ]
        return Appended(
            sum(part.new for part in parts),
            sum(part.duplicates for part in parts),
            sum(part.conflicts for part in parts),
        )

    def add_quarantine(self, refused: pl.DataFrame) -> int:
        """Keep what is no record."""
        with asking(self._url):
            return self._add_quarantine(refused.select(*QUARANTINE_SCHEMA))

    def pending(self) -> Iterator[Pending]:
        """Records not refined yet, batch by batch; what comes meanwhile is left out."""
        with asking(self._url):
            unrefined = list(self._database.batches.find({"state": {"$ne": _REFINED}}))
        for batch in unrefined:
            with asking(self._url):
                if batch["state"] == _OPEN and not self._close(batch).new:
                    continue
                held = self._batch(batch["_id"])
            yield Pending(
                format=batch["format"],
                records=documents.records_of(held),
                keys=documents.keys_of(held, batch["source"]),
                token=batch["_id"],
            )

    def write_refined(
        self, pending: Pending, shots: pl.DataFrame, bad: pl.DataFrame
    ) -> RefinedRows:
        """Keep what became of pending records, and mark their batch."""
        games = documents.silver(shots, pending.token)
        with asking(self._url):
            self._index()
            present = set(self._insert("silver", games, INSERT_GAMES))
            quarantined_rows = self._add_quarantine(bad)
            self._database.batches.update_one(
                {"_id": pending.token}, {"$set": {"state": _REFINED, "silver": shots.height}}
            )
        silver = sum(documents.rows(game) for game in games if game["_id"] not in present)
        duplicates = shots.height + bad.height - silver - quarantined_rows
        return RefinedRows(silver, quarantined_rows, duplicates)

    def silver(
        self,
        columns: Sequence[str] | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
    ) -> pl.DataFrame:
        """Shots with since <= game_date < until, in the order in which they were taken."""
        names = needed_columns(columns)
        limits = {"$gte": since, "$lt": until}
        days = {sign: datetime.combine(day, time()) for sign, day in limits.items() if day}
        condition = {"game_date": days} if days else {}
        found = self._read("silver", condition, names, READ_GAMES)
        tables = [documents.shots_of(games, names) for games in found]
        return in_order_taken(
            pl.concat([documents.shots_of([], names), *tables]),
            list(columns) if columns is not None else list(schema.NAMES),
        )

    def quarantine(self) -> pl.DataFrame:
        """Everything in quarantine, sorted by key and digest."""
        tables = [
            pl.DataFrame(refused, schema=QUARANTINE_SCHEMA)
            for refused in self._read("quarantine", {}, list(QUARANTINE_SCHEMA), READ_DOCUMENTS)
        ]
        return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *tables]).sort(QUARANTINE_ORDER)

    def counts(self) -> LayerCounts:
        """Rows of each layer; a batch counts as pending until all of it is refined."""
        with asking(self._url):
            batches = list(self._database.batches.find())
            # Not the commands `count` and `aggregate`: for these FerretDB reads every document.
            quarantine = self._database.command("collStats", "quarantine")["count"]
        return LayerCounts(
            bronze=sum(batch["rows"] for batch in batches),
            pending=sum(batch["rows"] for batch in batches if batch["state"] != _REFINED),
            silver=sum(batch["silver"] for batch in batches),
            quarantine=int(quarantine),
        )

    def export_silver(self, path: Path) -> int:
        """Write all shots as CSV sorted by key."""
        shots = self.silver().sort(schema.KEY)
        with exporting(path) as stream:
            shots.write_csv(stream)
        return shots.height

    def _append(self, table: pl.DataFrame, *, source: str, layout: str) -> Appended:
        """Bring a batch to bronze and close it; who finds it there already brings nothing new."""
        batch: Document = {
            "_id": documents.batch_id(source, table),
            "source": source,
            "format": layout,
            "state": _OPEN,
            "rows": table.height,
            "silver": 0,
        }
        found = self._database.batches.find_one({"_id": batch["_id"]})
        if found is None:
            self._insert("bronze", [documents.bronze(batch["_id"], table)])
            if not self._insert("batches", [batch]):
                return self._close(batch)
        elif found["state"] != _OPEN:
            return Appended(0, table.height, 0)
        closed = self._close(batch)
        return Appended(0, closed.new + closed.duplicates, closed.conflicts)

    def _close(self, batch: Document) -> Appended:
        """Bring the keys of an open batch, and take out of it what others brought first."""
        held = self._batch(batch["_id"])
        keys = documents.keys_of(held, batch["source"])
        firsts = keys[sift(keys, keys.clear()).new]
        present = self._insert("keys", documents.keys(firsts, batch["_id"]))
        known = self._known(present).filter(pl.col("batch") != batch["_id"])
        sifted = sift(keys, known)
        own, others = held[sifted.new], documents.records_of(held[sifted.conflicts])
        conflicting = self._add_quarantine(
            quarantined(others, keys[sifted.conflicts], CONFLICT, layout=batch["format"])
        )
        if own.height < held.height:
            content = documents.bronze(batch["_id"], own)
            self._database.bronze.replace_one({"_id": batch["_id"]}, content)
        state = _CLOSED if own.height else _REFINED
        self._database.batches.update_one(
            {"_id": batch["_id"], "state": _OPEN}, {"$set": {"state": state, "rows": own.height}}
        )
        repeated = len(sifted.conflicts) - conflicting
        return Appended(own.height, sifted.duplicates + repeated, conflicting)

    def _batch(self, identifier: str) -> pl.DataFrame:
        """The records of a batch and their keys."""
        found = self._database.bronze.find_one({"_id": identifier})
        if found is None:
            raise StoreError(
                f"{self._url} lost the records of its batch {identifier}: restore the collection "
                "`bronze` from a backup, or delete that document of `batches` and ingest again."
            )
        return documents.batch_of(found)

    def _known(self, identifiers: list[str]) -> pl.DataFrame:
        """The keys with these `_id`s, perhaps among others, and the batch of each."""
        condition: Document = {"$in": identifiers}
        if len(identifiers) > IDS_AT_ONCE:
            condition = {"$gte": min(identifiers), "$lte": max(identifiers)}
        found = self._read("keys", {"_id": condition}, None, READ_DOCUMENTS) if identifiers else ()
        return pl.concat([documents.keys_from([]), *map(documents.keys_from, found)])

    def _index(self) -> None:
        if not self._indexed:
            self._database.silver.create_index("game_date")
            self._indexed = True

    def _insert(
        self, collection: str, items: Iterable[Document], at_once: int = INSERT_DOCUMENTS
    ) -> list[str]:
        """Insert what is not there yet, and return the `_id`s of what is."""
        present: list[str] = []
        for chunk in chunked(items, at_once):
            try:
                self._database[collection].insert_many(chunk, ordered=False)
            except BulkWriteError as error:
                failures = error.details["writeErrors"]
                if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                    raise
                present += [chunk[failure["index"]]["_id"] for failure in failures]
        return present

    def _add_quarantine(self, table: pl.DataFrame) -> int:
        refused = [documents.quarantine(row) for row in table.iter_rows(named=True)]
        unique = list({one["_id"]: one for one in reversed(refused)}.values())
        return len(unique) - len(self._insert("quarantine", reversed(unique)))

    def _read(
        self, collection: str, condition: Document, fields: Sequence[str] | None, at_once: int
    ) -> Iterator[list[Document]]:
        """Documents that meet a condition, so many at a time, with these fields or with all."""
        projection = None if fields is None else {"_id": 0, **dict.fromkeys(fields, 1)}
        with asking(self._url):
            found = self._database[collection].find(condition, projection, batch_size=at_once)
            yield from chunked(found, at_once)


@contextmanager
def asking(url: str) -> Iterator[None]:
    """Translate the driver's errors into one that says what to do, without credentials."""
    try:
        yield
    except OperationFailure as error:
        if error.code in _REFUSED:
            raise StoreError(
                f"{url} refused the user or password: check both in the lake's URL, and whether "
                "the user lives in another database (then add ?authSource=NAME)."
            ) from None
        raise StoreError(f"{url} refused a command: {str(error)[:300]}") from error
    except (PyMongoError, BSONError) as error:
        said = str(error).partition(", Timeout:")[0][:300]
        raise StoreError(
            f"{url} could not be used ({type(error).__name__}: {said}): check that "
            "the server runs and can be reached, then run this again."
        ) from error


def client_of(url: str, shown: str) -> MongoClient[Document]:
    """A client that connects when it is used; raises StoreError for a URL that is none."""
    try:
        return MongoClient(
            url,
            serverSelectionTimeoutMS=SERVER_WAIT_MS,
            socketTimeoutMS=ANSWER_WAIT_MS,
            appname="parivision",
        )
    except (PyMongoError, ValueError, OSError) as error:
        # The driver may quote the URL in its message, so only the error's kind is told.
        raise StoreError(
            f"{shown} is not a URL of MongoDB ({type(error).__name__}): expected "
            "mongodb://user:password@host:port/database, with :/?#[]@% in user or password "
            "written as %XX, and files such as tlsCAFile that are there."
        ) from None


def without_credentials(url: str) -> str:
    """Server and database of a URL, to be shown to people."""
    scheme, _, rest = url.partition("://")
    before, _, place = rest.rpartition("@")
    shown = place.partition("?")[0]
    # An unescaped password, a secret among the options, or a password in the place of the host.
    if "?" in before or not _SERVERS.fullmatch(shown):
        return f"{scheme}://(hidden)"
    return f"{scheme}://{shown}"


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """So many items at a time."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
