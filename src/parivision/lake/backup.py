"""Backups of MongoDB databases: a tar of BSON, written and read as a stream.

A member `NAME/COLLECTION/NUMBER.bson` holds some thousand documents one after the other, as
mongodump writes them; the last one, `counts.json`, says how many there were of each collection, so
that a backup that was cut off is known. What is there already is left alone, so restoring again
changes nothing.

A database may be written to meanwhile. Cursors are read first and batches second, so that what they
speak of is there when the rest is read; what belongs to later batches is left out. The backup is
the lake of that moment then, and the next run brings what came since.
"""

import io
import json
import tarfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import PurePosixPath
from typing import IO, Any, Final

from bson import CodecOptions, decode_iter
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from parivision import strict_json
from parivision.errors import StoreError
from parivision.lake.documents import Document
from parivision.lake.mongo_client import (
    DEFAULT_DATABASE,
    DUPLICATE_KEY,
    chunked,
    client_of,
    translating_errors,
    without_credentials,
)

DOCUMENTS_AT_ONCE: Final = 2_000
BYTES_AT_ONCE: Final = 8_000_000
COUNTS: Final = "counts.json"
_FIRST: Final = ("cursors", "batches")
_RAW: Final = CodecOptions(document_class=RawBSONDocument)

Progress = Callable[[int, int], None]


def dump(databases: Mapping[str, str], stream: IO[bytes], progress: Progress) -> Counter[str]:
    """Write all collections of databases, URLs by name; returns documents by NAME/COLLECTION."""
    counts: Counter[str] = Counter()
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, url in databases.items():
            with _opened(url) as database:
                numbers: Counter[str] = Counter()
                for collection, documents in _all(database):
                    path = f"{name}/{collection}"
                    counts[path] += len(documents)
                    if documents:
                        raw = b"".join(each.raw for each in documents)
                        _add(archive, f"{path}/{numbers[path]:06d}.bson", raw)
                        numbers[path] += 1
                        progress(counts.total(), 0)
        _add(archive, COUNTS, strict_json.text(counts).encode())
    return counts


def load(databases: Mapping[str, str], stream: IO[bytes], progress: Progress) -> Counter[str]:
    """Bring a backup's documents to databases; returns how many of each collection were new.

    Raises StoreError for what is no backup, or only the beginning of one, which is restored.
    """
    read: Counter[str] = Counter()
    new: Counter[str] = Counter()
    # Until the last member is read nothing passes for a whole backup.
    counts: Mapping[str, int] = {"the end": 1}
    for path, content in _members(stream):
        if path.name == COUNTS:
            counts = json.loads(content)
            continue
        name, collection, _ = path.parts
        if name not in databases:
            raise StoreError(f"the backup holds a database {name!r}, and no URL is set for it")
        with _opened(databases[name]) as database:
            documents: list[Any] = list(decode_iter(content, _RAW))
            new[str(path.parent)] += _insert(database[collection], documents)
        read[str(path.parent)] += len(documents)
        progress(read.total(), 0)
    if missing := [path for path, count in counts.items() if read[path] != count]:
        raise StoreError(f"the backup was cut off: {', '.join(missing)} is not all there")
    return new


@contextmanager
def _opened(url: str) -> Iterator[Database[Document]]:
    shown = without_credentials(url)
    with closing(client_of(url, shown)) as client, translating_errors(shown):
        yield client.get_default_database(default=DEFAULT_DATABASE)


def _all(database: Database[Document]) -> Iterator[tuple[str, list[RawBSONDocument]]]:
    """All documents, some at a time, with their collection's name; an empty one comes, too."""
    # None, because what names no batch belongs to no later one.
    batches: set[str | None] = {None}
    there = database.list_collection_names()
    first = [name for name in _FIRST if name in there]
    for name in [*first, *sorted(set(there).difference(first))]:
        yield name, []
        for documents in _some(database, name):
            if name == "batches":
                batches.update(each["_id"] for each in documents)
            yield name, [each for each in documents if each.get("batch") in batches]


def _some(database: Database[Document], name: str) -> Iterator[list[RawBSONDocument]]:
    """A collection's documents, as many at a time as fit a message of the server."""
    usual = database.command("collStats", name).get("avgObjSize", 0)
    at_once = max(1, min(DOCUMENTS_AT_ONCE, BYTES_AT_ONCE // max(1, int(usual))))
    collection = database[name].with_options(codec_options=_RAW)
    return chunked(collection.find(batch_size=at_once), at_once)


def _insert(collection: Collection[Document], documents: Sequence[Any]) -> int:
    """Insert what is not there; returns how many were not."""
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(failure["code"] != DUPLICATE_KEY for failure in error.details["writeErrors"]):
            raise
        return int(error.details["nInserted"])
    return len(documents)


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _members(stream: IO[bytes]) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                opened = archive.extractfile(member)
                if opened is None:
                    raise StoreError(f"{member.name} is no part of a backup")
                yield PurePosixPath(member.name), opened.read()
    except (tarfile.TarError, EOFError, ValueError, BSONError) as error:
        raise StoreError(f"this is no backup, or it was cut off ({error})") from error
