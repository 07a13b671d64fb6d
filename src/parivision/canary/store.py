"""Rollouts in MongoDB, a document each. The only module here that knows it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from bson.errors import BSONError
from pymongo import MongoClient
from pymongo.errors import DuplicateKeyError, PyMongoError

from parivision import strict_json
from parivision.canary.record import Rollout
from parivision.errors import StoreError

DEFAULT_DATABASE: Final = "parivision"
COLLECTION: Final = "rollouts"
FIND_SERVER_MS: Final = 3_000
ANSWER_MS: Final = 10_000
_NO_ADDRESS: Final = (
    "PARIVISION_LAKE is no address of a MongoDB, where rollouts are remembered: "
    "expected mongodb://user:password@host:port/database"
)


class ChangedError(StoreError):
    """Another process has stored the rollout meanwhile."""


class Rollouts(Protocol):
    """Keeps rollouts. Its methods raise StoreError when the store cannot be used."""

    def all(self) -> list[Rollout]:
        """Every rollout, the oldest first."""
        ...

    def save(self, rollout: Rollout) -> None:
        """Keep a rollout, new or changed, whole or not at all.

        Raises ChangedError when the stored one is not the one that was read.
        """
        ...


class MongoRollouts:
    """Rollouts in one collection; it connects when it is first used."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("mongodb://", "mongodb+srv://")):
            raise StoreError(_NO_ADDRESS)
        try:
            self._client: MongoClient[dict[str, Any]] = MongoClient(
                url,
                appname="parivision-verdict",
                serverSelectionTimeoutMS=FIND_SERVER_MS,
                socketTimeoutMS=ANSWER_MS,
            )
            database = self._client.get_default_database(default=DEFAULT_DATABASE)
        except (PyMongoError, ValueError, OSError):
            raise StoreError(_NO_ADDRESS) from None
        self._rollouts = database[COLLECTION]

    def all(self) -> list[Rollout]:
        """Every rollout, the oldest first."""
        with _asking():
            rollouts = [_read(document) for document in self._rollouts.find({})]
        return sorted(rollouts, key=lambda rollout: (rollout.started_at, rollout.id))

    def save(self, rollout: Rollout) -> None:
        """Keep a rollout; its revision counts on."""
        read, rollout.revision = rollout.revision, rollout.revision + 1
        document = _written(rollout)
        try:
            with _asking():
                # Never an upsert. Of two processes that read the same revision, the insert or the
                # replacement of one finds nothing to match: it is refused, and has to read the
                # record again.
                if read == 0:
                    self._rollouts.insert_one(document)
                    return
                known = {"_id": rollout.id, "revision": read}
                is_ours = self._rollouts.replace_one(known, document).matched_count == 1
        except DuplicateKeyError:
            is_ours = False
        except StoreError:
            rollout.revision = read
            raise
        if not is_ours:
            raise ChangedError(f"another process changed the rollout {rollout.id}: read it again")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _written(rollout: Rollout) -> dict[str, Any]:
    """A few fields for people who look, and all of it as text: numbers and names stay as they are.

    Sums are whole numbers of any size, and names hold dots.
    """
    values = rollout.to_dict()
    seen = values.pop("seen")
    shown = {name: values[name] for name in ("key", "stage", "end", "reason", "revision")}
    return {"_id": rollout.id, **shown, "seen": seen, "body": strict_json.text(values)}


def _read(document: dict[str, Any]) -> Rollout:
    return Rollout.from_dict({**json.loads(document["body"]), "seen": bytes(document["seen"])})


@contextmanager
def _asking() -> Iterator[None]:
    """Translate the driver's errors, without credentials."""
    try:
        yield
    except DuplicateKeyError:
        raise
    except (PyMongoError, BSONError) as error:
        # Behind ", Timeout:" the driver lists the whole topology, which helps nobody here.
        message = str(error).partition(", Timeout:")[0][:300]
        raise StoreError(
            f"MongoDB, where rollouts are remembered, does not answer ({type(error).__name__}: "
            f"{message})"
        ) from error
