"""Tell new records from those that came before.

A record's identity is its key. The first record with a key is the original, whether it is known or
stands earlier in the same table. A later one with the same digest is a duplicate, and one with
another digest is a conflict.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from parivision.lake.base import KEYS

_NO_GAME: Final = -1
_IDENTITY: Final = ("game", "event")


@dataclass(frozen=True)
class Deduplicated:
    """Positions of records that are new, and of those that conflict with an earlier record."""

    new: pl.Series
    conflicts: pl.Series
    duplicates: int


def deduplicate(keys: pl.DataFrame, known: pl.DataFrame) -> Deduplicated:
    """Compare records with each other, the first first, and with the `known` ones.

    Both tables have the columns KEYS. A record without a game or event number is its content.
    """
    # Joins keep the left table's order, so positions stay those of the caller's rows.
    incoming = _identified(keys).with_row_index("row")
    seen = _identified(known).rename({"digest": "known_digest"})
    judged = (
        incoming.join(seen, on=_IDENTITY, how="left", maintain_order="left")
        .with_columns(
            is_first=pl.struct(_IDENTITY).is_first_distinct(),
        )
        .join(
            incoming.unique(_IDENTITY, keep="first").select(*_IDENTITY, first_digest="digest"),
            on=_IDENTITY,
            how="left",
            maintain_order="left",
        )
    )
    is_new = pl.col("known_digest").is_null() & pl.col("is_first")
    # What came first: a known record, or else the first one of this table with that key.
    original = pl.coalesce("known_digest", "first_digest")
    same = pl.col("digest") == original
    new = judged.filter(is_new)["row"]
    conflicts = judged.filter(~is_new & ~same)["row"]
    return Deduplicated(new, conflicts, keys.height - len(new) - len(conflicts))


def _identified(keys: pl.DataFrame) -> pl.DataFrame:
    usable = pl.col("game_id").is_not_null() & pl.col("event_id").is_not_null()
    return keys.select(KEYS).select(
        pl.when(usable).then("game_id").otherwise(_NO_GAME).alias("game"),
        pl.when(usable).then("event_id").otherwise("digest").alias("event"),
        "digest",
    )
