"""What every source of shots is: batches of records as they came, and a way to resume."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl

FAULTY_SCHEMA: Final = {
    "file": pl.String(),
    "line": pl.Int64(),
    "text": pl.String(),
    "occurrence": pl.Int64(),
    "reason": pl.String(),
}
"""Faulty lines: where they are, what they say, the how manyth of this text in its file, and why."""


@dataclass(frozen=True)
class Batch:
    """Records as they came (all columns are strings) and the cursor behind the last of them.

    `records` carries the format's own columns. `cursor` is opaque; handing it back to
    `Source.batches` goes on with the next record. None: the batch ends a pass over the source.
    `format` is that of the records where it is not the source's. `faulty` are what came and is no
    record, with the columns FAULTY_SCHEMA; a source that cannot tell such things has none.
    """

    records: pl.DataFrame
    cursor: str | None
    format: str = ""
    faulty: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FAULTY_SCHEMA))


class Source(Protocol):
    """An adapter to one origin of shots.

    `name` identifies the origin (cursors are kept under it); `format` names the layout of its
    records, a key of `parivision.sources.FORMATS`, which knows how to make canonical shots of them.
    """

    @property
    def name(self) -> str:
        """The origin, without credentials."""
        ...

    @property
    def format(self) -> str:
        """The layout of the records."""
        ...

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches from the cursor on; raises SourceError when the origin cannot be read."""
        ...
