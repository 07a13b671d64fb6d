"""Batches of records, what a store of them promises, and how one is opened."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

import pydantic_core

from parivision.errors import StoreError
from parivision.prediction_log.lines import Record, line, records

PREDICTIONS: Final = "predictions"
OUTCOMES: Final = "outcomes"
LABELLED: Final = "labelled"
BATCH_RECORDS: Final = 1_000
"""At most so many records a batch: some 400 KB."""


@dataclass(frozen=True)
class RecordBatch:
    """Records of one kind that were written together, in their order.

    `stream` names who wrote it and `number` counts its batches of that kind from 0. `shared` is
    what holds for all records. `games` are the ids of the games that its records name. A batch that
    is being written may hold `lines` of so many records (`count`) instead of the records.
    """

    kind: str
    stream: str
    number: int
    records: Sequence[Record]
    shared: Record = field(default_factory=dict)
    games: Sequence[int] = ()
    lines: Sequence[bytes] = field(default=(), compare=False, repr=False)
    count: int = field(default=0, compare=False, repr=False)

    @property
    def size(self) -> int:
        """The number of its records."""
        return self.count or len(self.records)

    def to_lines(self) -> bytes:
        """JSON lines: what its records share and its games, then the records."""
        head = line({"shared": self.shared, "games": self.games})
        return b"".join([head, *(self.lines or map(line, self.records))])

    @classmethod
    def of_lines(cls, kind: str, stream: str, number: int, lines: bytes) -> "RecordBatch":
        """What `to_lines` wrote; raises ValueError or KeyError for anything else."""
        first, *others = lines.splitlines()
        head = pydantic_core.from_json(first)
        return cls(kind, stream, number, [*records(others)], head["shared"], head["games"])


class Store(Protocol):
    """Keeps batches for ever. Its methods raise StoreError when the store cannot be used."""

    def append(self, batch: RecordBatch) -> bool:
        """Keep a batch; False when one of that kind, stream and number is there, which stays."""
        ...

    def ends(self, kind: str) -> dict[str, int]:
        """The streams of a kind, and the number that no batch of theirs has reached yet.

        A batch below it may be missing still, for ever if its writer died.
        """
        ...

    def read(self, kind: str, stream: str, number: int) -> RecordBatch | None:
        """A batch, or None when it is not there (yet)."""
        ...

    def games(self) -> set[int]:
        """Ids of all games that batches named."""
        ...

    def close(self) -> None:
        """Let go of connections; the store is not used afterwards."""
        ...


def open_store(url: str) -> Store:
    """The store in a folder (a path) or in MongoDB (mongodb://user:password@host/database)."""
    scheme, separator, _ = url.partition("://")
    if scheme in ("mongodb", "mongodb+srv") and separator:
        from parivision.prediction_log.mongo import MongoStore

        return MongoStore(url)
    if not url or separator:
        raise StoreError(
            "PARIVISION_PREDICTION_LOG is of a kind that is not known: expected a folder or "
            "mongodb://user:password@host/database"
        )
    from parivision.prediction_log.folder import FolderStore

    return FolderStore(Path(url))


def instant(seconds: float) -> str:
    """A moment (seconds since 1970) as UTC text; texts compare as the moments do."""
    # Rounded to microseconds first: a float just below a millisecond must not lose it.
    return _instant(round(seconds * 1e6) // 1000)


@lru_cache(64)
def _instant(millis: int) -> str:
    """A millisecond as text: many records share it, and it takes two microseconds."""
    whole, rest = divmod(millis, 1000)
    return f"{datetime.fromtimestamp(whole, UTC).isoformat()[:19]}.{rest:03d}+00:00"


def as_text(moment: datetime) -> str:
    """An aware moment as UTC text in milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
