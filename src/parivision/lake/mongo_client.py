"""Talking to a MongoDB server: connections, errors without credentials, documents in parts."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final, TypeVar

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError, ConnectionFailure, OperationFailure, PyMongoError

from parivision.errors import StoreError
from parivision.lake.documents import Document

Item = TypeVar("Item")
LakeDatabase = Database[Document]

DEFAULT_DATABASE: Final = "parivision"
SERVER_WAIT_MS: Final = 5_000
ANSWER_WAIT_MS: Final = 300_000
INSERT_DOCUMENTS: Final = 5_000
"""Small ones, of a key or a refused record."""

DUPLICATE_KEY: Final = 11_000
_SERVERS: Final = re.compile(
    r"([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?(,([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d+)?)*(/[\w.-]*)?"
)
"""Hosts, with ports or without, and a database."""
# MongoDB's codes Unauthorized and AuthenticationFailed.
_REFUSED: Final = (13, 18)


@contextmanager
def translating_errors(url: str) -> Iterator[None]:
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
        # Behind ", Timeout:" the driver lists the whole topology, which helps nobody here.
        message = str(error).partition(", Timeout:")[0][:300]
        raise StoreError(
            f"{url} could not be used ({type(error).__name__}: {message}): check that "
            "the server runs and can be reached, then run this again."
        ) from error


def is_away(error: BaseException) -> bool:
    """Whether an error is that the server could not be reached, or broke off."""
    return isinstance(error.__cause__, ConnectionFailure)


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
    login, _, server = rest.rpartition("@")
    shown = server.partition("?")[0]
    # An unescaped password, a secret among the options, or a password in the place of the host.
    if "?" in login or not _SERVERS.fullmatch(shown):
        return f"{scheme}://(hidden)"
    return f"{scheme}://{shown}"


def insert_missing(
    collection: Collection[Document],
    documents: Iterable[Document],
    at_once: int = INSERT_DOCUMENTS,
) -> list[str]:
    """Insert the documents whose `_id` is not there yet; returns the `_id`s that are."""
    present: list[str] = []
    for chunk in chunked(documents, at_once):
        try:
            # Unordered: the server goes on behind a document that is there already.
            collection.insert_many(chunk, ordered=False)
        except BulkWriteError as error:
            failures = error.details["writeErrors"]
            if any(failure["code"] != DUPLICATE_KEY for failure in failures):
                raise
            present += [chunk[failure["index"]]["_id"] for failure in failures]
    return present


def read_chunks(
    collection: Collection[Document],
    condition: Document,
    fields: Sequence[str] | None,
    at_once: int,
) -> Iterator[list[Document]]:
    """Documents that meet a condition, so many at a time, with these fields or with all."""
    projection = None if fields is None else {"_id": 0, **dict.fromkeys(fields, 1)}
    yield from chunked(collection.find(condition, projection, batch_size=at_once), at_once)


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """So many items at a time."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
