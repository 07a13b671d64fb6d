"""Bronze in MongoDB: batches of records, their keys, and how far each batch is.

A batch is *open* once its records are there. It is *closed* once its keys are there too and it
holds no record that another batch brought first. It is *refined* once silver and quarantine hold
all of it. Each step inserts what is missing, or writes what any other process would write. So who
meets a batch that a killed process left open does the step again, from its start.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from parivision.errors import StoreError
from parivision.lake import documents
from parivision.lake.base import CONFLICT, Appended, Pending, quarantined
from parivision.lake.deduplication import deduplicate
from parivision.lake.documents import Document
from parivision.lake.mongo_client import LakeDatabase, insert_missing, read_chunks

READ_DOCUMENTS: Final = 50_000
IDS_AT_ONCE: Final = 1_000
"""More are asked for as a range: FerretDB compares each with every document."""

_OPEN: Final = "open"
_CLOSED: Final = "closed"
_REFINED: Final = "refined"


class BronzeBatches:
    """The collections `bronze`, `keys` and `batches` of a lake; errors of the driver come as such.

    `url` names the lake in messages, without credentials.
    """

    def __init__(self, database: LakeDatabase, url: str) -> None:
        self._database = database
        self._url = url

    def append(self, table: pl.DataFrame, *, source: str, layout: str) -> Appended:
        """Bring a batch (a table of `documents.batches`) to bronze, and close it.

        Of a batch that is there already nothing is new, whoever brought it.
        """
        batch: Document = {
            "_id": documents.batch_id(source, table),
            "source": source,
            "format": layout,
            "state": _OPEN,
            "rows": table.height,
            "silver": 0,
        }
        stored = self._database.batches.find_one({"_id": batch["_id"]})
        if stored is None:
            # The records first: a batch that is in `batches` must never lack them.
            insert_missing(self._database.bronze, [documents.bronze(batch["_id"], table)])
            if not insert_missing(self._database.batches, [batch]):
                return self._close(batch)
        elif stored["state"] != _OPEN:
            return Appended(0, table.height, 0)
        closed = self._close(batch)
        return Appended(0, closed.new + closed.duplicates, closed.conflicts)

    def unrefined(self) -> list[Document]:
        """The documents of the batches that are not refined yet."""
        return list(self._database.batches.find({"state": {"$ne": _REFINED}}))

    def pending(self, batch: Document) -> Pending | None:
        """The records of an unrefined batch; None if closing it leaves none."""
        if batch["state"] == _OPEN and not self._close(batch).new:
            return None
        table = self._records(batch["_id"])
        return Pending(
            format=batch["format"],
            records=documents.records_of(table),
            keys=documents.keys_of(table, batch["source"]),
            token=batch["_id"],
        )

    def mark_refined(self, identifier: str, shots: int) -> None:
        """Note that a batch is refined, and how many shots came of it."""
        self._database.batches.update_one(
            {"_id": identifier}, {"$set": {"state": _REFINED, "silver": shots}}
        )

    def rows(self) -> tuple[int, int, int]:
        """Rows of all batches: in bronze, pending, in silver. A batch is pending until refined."""
        batches = list(self._database.batches.find())
        return (
            sum(batch["rows"] for batch in batches),
            sum(batch["rows"] for batch in batches if batch["state"] != _REFINED),
            sum(batch["silver"] for batch in batches),
        )

    def _close(self, batch: Document) -> Appended:
        """Bring the keys of an open batch, and take out of it what other batches brought first."""
        table = self._records(batch["_id"])
        keys = documents.keys_of(table, batch["source"])
        # Two processes may bring the same key at once. The `_id` decides: the insert of one of them
        # fails, and it then reads whose key is there.
        firsts = keys[deduplicate(keys, keys.clear()).new]
        present = insert_missing(self._database.keys, documents.keys(firsts, batch["_id"]))
        known = self._known(present).filter(pl.col("batch") != batch["_id"])
        unique = deduplicate(keys, known)
        own, others = table[unique.new], documents.records_of(table[unique.conflicts])
        conflicting = add_quarantine(
            self._database,
            quarantined(others, keys[unique.conflicts], CONFLICT, layout=batch["format"]),
        )
        self._keep(batch["_id"], own, whole=own.height == table.height)
        repeated = len(unique.conflicts) - conflicting
        return Appended(own.height, unique.duplicates + repeated, conflicting)

    def _keep(self, identifier: str, own: pl.DataFrame, *, whole: bool) -> None:
        """Leave a batch's own records in bronze, and note that it is closed."""
        # The content before the state: what is marked as closed is read as it stands.
        if not whole:
            content = documents.bronze(identifier, own)
            self._database.bronze.replace_one({"_id": identifier}, content)
        state = _CLOSED if own.height else _REFINED
        # Only if it is open still: another process may have closed and refined it meanwhile.
        self._database.batches.update_one(
            {"_id": identifier, "state": _OPEN}, {"$set": {"state": state, "rows": own.height}}
        )

    def _records(self, identifier: str) -> pl.DataFrame:
        """The records of a batch and their keys."""
        document = self._database.bronze.find_one({"_id": identifier})
        if document is None:
            raise StoreError(
                f"{self._url} lost the records of its batch {identifier}: restore the collection "
                "`bronze` from a backup, or delete that document of `batches` and ingest again."
            )
        return documents.batch_of(document)

    def _known(self, identifiers: Sequence[str]) -> pl.DataFrame:
        """The keys with these `_id`s, perhaps among others, and the batch of each."""
        if not identifiers:
            return documents.keys_from([])
        condition: Document = {"$in": identifiers}
        if len(identifiers) > IDS_AT_ONCE:
            condition = {"$gte": min(identifiers), "$lte": max(identifiers)}
        chunks = read_chunks(self._database.keys, {"_id": condition}, None, READ_DOCUMENTS)
        return pl.concat([documents.keys_from([]), *map(documents.keys_from, chunks)])


def add_quarantine(database: LakeDatabase, refused: pl.DataFrame) -> int:
    """Keep refused records; returns how many of them were not there. The first of equals stays."""
    rows = [documents.quarantine(row) for row in refused.iter_rows(named=True)]
    unique = list({row["_id"]: row for row in reversed(rows)}.values())
    return len(unique) - len(insert_missing(database.quarantine, reversed(unique)))
