"""Batches in MongoDB: a document for each, its stream and number as `_id`.

The collections `predictions`, `outcomes` and `labelled` hold batches; `streams` how far each stream
has got, and `games` the games that they named. All is asked for by `_id` or in whole:
FerretDB scans for anything else. A batch is a text of JSON lines: as nested documents FerretDB
needs forty times as long to read it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError

from parivision.errors import StoreError
from parivision.prediction_log.batch import RecordBatch

DEFAULT_DATABASE: Final = "parivision"
# Short: a writer that waits lets its queue fill.
FIND_SERVER_MS: Final = 1_000
ANSWER_MS: Final = 5_000

Document = dict[str, Any]


class MongoStore:
    """A store (`prediction_log.batch.Store`) in one database; it connects when it is first used."""

    def __init__(self, url: str) -> None:
        """Raises StoreError for a URL that is none. Its credentials are never shown."""
        try:
            self._client: MongoClient[Document] = MongoClient(
                url,
                serverSelectionTimeoutMS=FIND_SERVER_MS,
                connectTimeoutMS=FIND_SERVER_MS,
                socketTimeoutMS=ANSWER_MS,
                appname="parivision-log",
            )
            self._database = self._client.get_default_database(default=DEFAULT_DATABASE)
        except (PyMongoError, ValueError, OSError) as error:
            # The driver may quote the URL in its message, so only the error's kind is told.
            raise StoreError(
                f"PARIVISION_PREDICTION_LOG is not a URL of MongoDB ({type(error).__name__}): "
                "expected mongodb://user:password@host:port/database"
            ) from None
        self._noted: set[int] = set()

    def append(self, batch: RecordBatch) -> bool:
        """Keep a batch unless there is one of its number."""
        with _translating_errors():
            self._note_games(batch)
            # First, so that a batch that is there is never unknown to readers.
            self._database.streams.update_one(
                {"_id": f"{batch.kind}:{batch.stream}"},
                {"$max": {"end": batch.number + 1}},
                upsert=True,
            )
            lines = batch.to_lines().decode()
            document = {"_id": _key(batch.stream, batch.number), "lines": lines}
            try:
                self._database[batch.kind].insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    def ends(self, kind: str) -> dict[str, int]:
        """The streams of a kind and the number after the last batch that was announced."""
        with _translating_errors():
            ends = [(each["_id"].partition(":"), each["end"]) for each in self._all("streams")]
        return {stream: end for (of_kind, _, stream), end in sorted(ends) if of_kind == kind}

    def read(self, kind: str, stream: str, number: int) -> RecordBatch | None:
        """A batch, or None when it is not there."""
        with _translating_errors():
            document = self._database[kind].find_one({"_id": _key(stream, number)})
        if document is None:
            return None
        return RecordBatch.of_lines(kind, stream, number, document["lines"].encode())

    def games(self) -> set[int]:
        """Ids of all games that batches named."""
        with _translating_errors():
            return {int(game["_id"]) for game in self._all("games")}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _all(self, collection: str) -> list[Document]:
        return list(self._database[collection].find({}))

    def _note_games(self, batch: RecordBatch) -> None:
        # Remembered, so that a game costs one write a process and not one a batch.
        for game in set(batch.games) - self._noted:
            self._database.games.update_one(
                {"_id": str(game)}, {"$set": {"game_id": game}}, upsert=True
            )
            self._noted.add(game)


def _key(stream: str, number: int) -> str:
    # With leading zeros keys sort as their numbers do.
    return f"{stream}:{number:08d}"


@contextmanager
def _translating_errors() -> Iterator[None]:
    """Translate the driver's errors, without credentials."""
    try:
        yield
    except (PyMongoError, BSONError) as error:
        # The driver goes on with a description of all servers, pages long.
        message = str(error).partition(", Timeout:")[0][:300]
        raise StoreError(
            f"the prediction log's MongoDB could not be used ({type(error).__name__}: {message}): "
            "check that it runs, and user and password in PARIVISION_PREDICTION_LOG."
        ) from error
