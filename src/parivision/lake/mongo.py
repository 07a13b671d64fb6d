"""The lake in MongoDB: a collection for each layer, the key as `_id`.

Every write is an insert by `_id`, and what is there already is left alone, so processes may repeat
each other's work, also at the same time. Bronze remembers the batch of each record: a batch is
open while it is written, closed when all of it is there, refined when all of it is in silver or
quarantine. A batch that a killed process left open is closed by the run that repeats it; until
then what it holds is refined by every run.

A record of bronze is kept as the text of its JSON, as in quarantine: for its twenty fields, by
which nobody asks, servers and drivers take several times as long.

Only what old servers and FerretDB know is used: no $lookup, TTL, change streams or transactions,
and no upsert by anything but `_id`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import polars as pl
from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    OperationFailure,
    PyMongoError,
)

from parivision import schema
from parivision.durable import exporting
from parivision.errors import StoreError
from parivision.lake.base import (
    CONFLICT,
    KEYS,
    QUARANTINE_ORDER,
    QUARANTINE_SCHEMA,
    Appended,
    Counts,
    Pending,
    Refined,
    as_json,
    in_order_taken,
    needed_columns,
    quarantined,
)
from parivision.lake.sift import sift

Document = dict[str, Any]
Item = TypeVar("Item")

DEFAULT_DATABASE: Final = "parivision"
SERVER_WAIT_MS: Final = 5_000
ANSWER_WAIT_MS: Final = 300_000
INSERT_ROWS: Final = 5_000
READ_ROWS: Final = 50_000
BATCHES_AT_ONCE: Final = 100

DUPLICATE_KEY: Final = 11_000
_REFUSED: Final = (13, 18)
_OPEN: Final = "open"
_CLOSED: Final = "closed"
_REFINED: Final = "refined"
_KEY_SCHEMA: Final = dict.fromkeys(KEYS, pl.Int64())


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
        """Keep records as they came; see `lake.base.Lake`."""
        keys = keys.select(*KEYS, pl.lit(source).alias("source"))
        batch = _batch_id(source, keys["digest"])
        shared = {"batch": batch, "format": layout}
        with asking(self._url):
            self._index()
            self._insert("batches", [{"_id": batch, "source": source, "state": _OPEN}])
            firsts = sift(keys, keys.clear()).new
            documents = (
                {"_id": _bronze_id(key), **key, **shared, "record": record}
                for key, record in zip(
                    keys[firsts].iter_rows(named=True), as_json(records[firsts]), strict=True
                )
            )
            present = self._insert("bronze", documents)
            sifted = sift(keys, self._known(present))
            conflicts = quarantined(
                records[sifted.conflicts], keys[sifted.conflicts], CONFLICT, layout=layout
            )
            conflicting = self._add_quarantine(conflicts)
            unfinished = {"_id": batch} if len(sifted.new) else {"_id": batch, "state": _OPEN}
            self._database.batches.update_one(unfinished, {"$set": {"state": _CLOSED}})
        repeated = len(sifted.conflicts) - conflicting
        return Appended(len(sifted.new), sifted.duplicates + repeated, conflicting)

    def pending(self) -> Iterator[Pending]:
        """Records not refined yet, part by part; what comes meanwhile is left out.

        Many batches are one question: a server that has no index for it reads all of bronze then,
        and once is enough. What a run that died had refined of them is a duplicate to the next.
        """
        with asking(self._url):
            batches = list(self._database.batches.find({"state": {"$ne": _REFINED}}))
        for several in _chunked(batches, BATCHES_AT_ONCE):
            of_several = {"batch": {"$in": [batch["_id"] for batch in several]}}
            whole = [batch["_id"] for batch in several if batch["state"] == _CLOSED]
            held: Pending | None = None
            for documents in self._read("bronze", of_several):
                for _, alike in groupby(documents, itemgetter("format")):
                    if held is not None:
                        yield held
                    held = _pending(list(alike))
            if held is not None:
                yield replace(held, token=json.dumps(whole))
            else:
                self._mark_refined(json.dumps(whole))

    def write_refined(self, pending: Pending, shots: pl.DataFrame, bad: pl.DataFrame) -> Refined:
        """Keep what became of pending records, and mark their batch with the last of them."""
        with asking(self._url):
            self._index()
            documents = (
                {"_id": f"{shot['game_id']}:{shot['event_id']}", **shot}
                for shot in _dated(shots).iter_rows(named=True)
            )
            silver = shots.height - len(self._insert("silver", documents))
            quarantined_rows = self._add_quarantine(bad)
        self._mark_refined(pending.token)
        duplicates = shots.height + bad.height - silver - quarantined_rows
        return Refined(silver, quarantined_rows, duplicates)

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
        tables = [
            _shots(documents, names)
            for documents in self._read("silver", {"game_date": days} if days else {}, names)
        ]
        return in_order_taken(
            pl.concat([_shots([], names), *tables]),
            list(columns) if columns is not None else list(schema.NAMES),
        )

    def quarantine(self) -> pl.DataFrame:
        """Everything in quarantine, sorted by key and digest."""
        tables = [
            pl.DataFrame(documents, schema=QUARANTINE_SCHEMA)
            for documents in self._read("quarantine", {}, list(QUARANTINE_SCHEMA))
        ]
        return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *tables]).sort(QUARANTINE_ORDER)

    def counts(self) -> Counts:
        """Rows of each layer; a batch counts as pending until all of it is refined."""
        with asking(self._url):
            unrefined = self._database.batches.find({"state": {"$ne": _REFINED}}, {"_id": 1})
            return Counts(
                bronze=self._count("bronze"),
                pending=self._count_of_batches([batch["_id"] for batch in unrefined]),
                silver=self._count("silver"),
                quarantine=self._count("quarantine"),
            )

    def export_silver(self, path: Path) -> int:
        """Write all shots as CSV sorted by key."""
        shots = self.silver().sort(schema.KEY)
        with exporting(path) as stream:
            shots.write_csv(stream)
        return shots.height

    def _count(self, collection: str) -> int:
        """All documents of a collection, a number that the server knows.

        Not the commands `count` and `aggregate`: for these FerretDB reads every document.
        """
        return int(self._database.command("collStats", collection)["count"])

    def _count_of_batches(self, batches: list[str]) -> int:
        """Documents of bronze in some batches; they are not counted if these are all or none."""
        if not batches:
            return 0
        if len(batches) == self._count("batches"):
            return self._count("bronze")
        condition = {"batch": {"$in": batches}}
        return int(self._database.command("count", "bronze", query=condition)["n"])

    def _index(self) -> None:
        if not self._indexed:
            self._database.bronze.create_index("batch")
            self._database.silver.create_index("game_date")
            self._indexed = True

    def _insert(self, collection: str, documents: Iterable[Document]) -> list[str]:
        """Insert what is not there yet, and return the `_id`s of what is."""
        present: list[str] = []
        for chunk in _chunked(documents, INSERT_ROWS):
            try:
                self._database[collection].insert_many(chunk, ordered=False)
            except BulkWriteError as error:
                failures = error.details["writeErrors"]
                if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                    raise
                present += [chunk[failure["index"]]["_id"] for failure in failures]
        return present

    def _known(self, identifiers: list[str]) -> pl.DataFrame:
        """The keys of records of bronze."""
        tables = [
            pl.DataFrame(documents, schema=_KEY_SCHEMA)
            for chunk in _chunked(identifiers, INSERT_ROWS)
            for documents in self._read("bronze", {"_id": {"$in": chunk}}, KEYS)
        ]
        return pl.concat([pl.DataFrame(schema=_KEY_SCHEMA), *tables])

    def _add_quarantine(self, rows: pl.DataFrame) -> int:
        documents = [{"_id": _quarantine_id(row), **row} for row in rows.iter_rows(named=True)]
        unique = list({document["_id"]: document for document in reversed(documents)}.values())
        return len(unique) - len(self._insert("quarantine", reversed(unique)))

    def _mark_refined(self, token: str) -> None:
        whole = json.loads(token)
        if whole:
            with asking(self._url):
                self._database.batches.update_many(
                    {"_id": {"$in": whole}}, {"$set": {"state": _REFINED}}
                )

    def _read(
        self, collection: str, condition: Document, fields: Sequence[str] | None = None
    ) -> Iterator[list[Document]]:
        """Documents that meet a condition, READ_ROWS at a time."""
        projection = None if fields is None else {"_id": 0, **dict.fromkeys(fields, 1)}
        with asking(self._url):
            found = self._database[collection].find(condition, projection)
            yield from _chunked(found, READ_ROWS)


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
    except (ConfigurationError, ValueError) as error:
        # The driver may quote the URL in its message, so only the error's kind is told.
        raise StoreError(
            f"{shown} is not a URL of MongoDB ({type(error).__name__}): expected "
            "mongodb://user:password@host:port/database, with :/?#[]@% in user or password "
            "written as %XX."
        ) from None


def without_credentials(url: str) -> str:
    """Server and database of a URL, to be shown to people."""
    scheme, _, rest = url.partition("://")
    before, _, place = rest.rpartition("@")
    if "?" in before:  # an unescaped password, or a secret among the options
        return f"{scheme}://(hidden)"
    return f"{scheme}://{place.partition('?')[0]}"


def _batch_id(source: str, digests: pl.Series) -> str:
    content = hashlib.blake2b(source.encode(), digest_size=16)
    content.update(digests.to_numpy().tobytes())
    return content.hexdigest()


def _bronze_id(key: Document) -> str:
    if key["game_id"] is None or key["event_id"] is None:
        return f"-:{key['digest']}"
    return f"{key['game_id']}:{key['event_id']}"


def _quarantine_id(row: Document) -> str:
    reason = hashlib.blake2b(row["reason"].encode(), digest_size=4).hexdigest()
    return f"{row['game_id']}:{row['event_id']}:{row['digest']}:{reason}"


def _pending(documents: list[Document]) -> Pending:
    """Records of one format; with them no batch is done yet."""
    columns = dict.fromkeys(json.loads(documents[0]["record"]), pl.String())
    records = pl.Series([document["record"] for document in documents], dtype=pl.String())
    return Pending(
        format=documents[0]["format"],
        records=records.str.json_decode(pl.Struct(columns)).struct.unnest(),
        keys=pl.DataFrame(documents, schema={**_KEY_SCHEMA, "source": pl.String()}),
        token=json.dumps([]),
    )


def _dated(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots with their day as the moment at which it begins; MongoDB has no days."""
    return shots.with_columns(pl.col("game_date").cast(pl.Datetime))


def _shots(documents: list[Document], names: Sequence[str]) -> pl.DataFrame:
    dtypes = {name: schema.POLARS_SCHEMA[name] for name in names}
    stored = {**dtypes, "game_date": pl.Datetime()}
    return pl.DataFrame(documents, schema=stored).cast({"game_date": pl.Date})


def _chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
