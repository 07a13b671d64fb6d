"""The documents of a lake in MongoDB, made of tables and read into tables.

A document's fields are what it costs, in the server and in its driver. Measured with FerretDB: a
shot in a document of its own takes three times as long as its share of its game's arrays, and a
record's text in one takes twice as long as its key and its share of a file of Parquet. What belongs
to a batch names it in `batch`, so that a backup can tell.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl

from parivision.lake.base import KEYS
from parivision.shots import schema

Document = dict[str, Any]

BATCH_BYTES: Final = 8_000_000
"""Text of the records of a batch, well within a document's 16 MB."""

_KEY: Final = "key:"
"""Before the names of KEYS in bronze, whose records may have columns of the same name."""
_KEY_COLUMNS: Final = [f"{_KEY}{name}" for name in KEYS]
_OF_GAME: Final = ("game_id", "season", "season_type", "game_date", "home_team", "away_team")


def batches(records: pl.DataFrame, keys: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Records and their keys as tables that fit a document each."""
    table = records.hstack(keys.select(pl.col(name).alias(f"{_KEY}{name}") for name in KEYS))
    bytes_so_far = pl.sum_horizontal(
        pl.col(records.columns).str.len_bytes().fill_null(0).cast(pl.Int64)
    ).cum_sum()
    number = f"{_KEY}number"
    numbered = table.with_columns((bytes_so_far // BATCH_BYTES).alias(number))
    yield from numbered.partition_by(number, maintain_order=True, include_key=False)


def batch_id(source: str, batch: pl.DataFrame) -> str:
    """The same for the same records of the same source."""
    content = hashlib.blake2b(source.encode(), digest_size=16)
    content.update(batch[f"{_KEY}digest"].to_numpy().tobytes())
    return content.hexdigest()


def bronze(identifier: str, batch: pl.DataFrame) -> Document:
    """The document of a batch."""
    content = io.BytesIO()
    batch.write_parquet(content, compression="zstd")
    return {"_id": identifier, "batch": identifier, "records": content.getvalue()}


def batch_of(document: Document) -> pl.DataFrame:
    """The batch in a document of bronze."""
    return pl.read_parquet(io.BytesIO(document["records"]))


def records_of(batch: pl.DataFrame) -> pl.DataFrame:
    """A batch's records as they came."""
    return batch.drop(_KEY_COLUMNS)


def keys_of(batch: pl.DataFrame, source: str) -> pl.DataFrame:
    """A batch's KEYS, and its source."""
    names = {f"{_KEY}{name}": name for name in KEYS}
    return batch.select(_KEY_COLUMNS).rename(names).with_columns(source=pl.lit(source))


def keys(table: pl.DataFrame, batch: str) -> Iterator[Document]:
    """A document for each key; a record without a game or event number has its digest for one."""
    for game, event, digest in table.select(KEYS).iter_rows():
        has_no_key = game is None or event is None
        identifier = f"-:{digest}" if has_no_key else f"{game}:{event}"
        yield {"_id": identifier, "digest": digest, "batch": batch}


def keys_from(documents: Sequence[Document]) -> pl.DataFrame:
    """The columns KEYS and `batch` of documents of keys."""
    stored = {"_id": pl.String(), "digest": pl.Int64(), "batch": pl.String()}
    # The `_id` of a record without a key, `-:DIGEST`, has neither number: both are null.
    number = r"(-?[0-9]+)"
    return pl.DataFrame(documents, schema=stored).select(
        pl.col("_id").str.extract(f"^{number}:").cast(pl.Int64).alias("game_id"),
        pl.col("_id").str.extract(f"^-?[0-9]+:{number}$").cast(pl.Int64).alias("event_id"),
        "digest",
        "batch",
    )


def silver(shots: pl.DataFrame, batch: str) -> list[Document]:
    """A document for each game; two where its rows do not agree on what is true of the game."""
    columns = [name for name in shots.columns if name not in _OF_GAME]
    # MongoDB has no days, only moments.
    dated = shots.with_columns(pl.col("game_date").cast(pl.Datetime))
    games = dated.group_by(_OF_GAME, maintain_order=True).agg(columns)
    # A game whose rows do not agree has two documents: their first events tell them apart.
    return [
        {"_id": f"{game['game_id']}:{game['event_id'][0]}:{batch}", "batch": batch, **game}
        for game in games.iter_rows(named=True)
    ]


def rows(game: Document) -> int:
    """How many shots a document of silver holds."""
    return len(game["event_id"])


def shots_of(documents: Sequence[Document], names: Sequence[str]) -> pl.DataFrame:
    """The shots in documents of silver; `names` holds at least one that is not the game's."""
    dtypes = {name: schema.POLARS_SCHEMA[name] for name in names}
    arrays = {name: pl.List(dtypes[name]) for name in names if name not in _OF_GAME}
    stored = dtypes | {"game_date": pl.Datetime()} | arrays
    return pl.DataFrame(documents, schema=stored).explode(*arrays).cast({"game_date": pl.Date})


def quarantine(row: Document) -> Document:
    """A row of quarantine, told apart by its key, content and reason."""
    reason = hashlib.blake2b(row["reason"].encode(), digest_size=4).hexdigest()
    return {"_id": f"{row['game_id']}:{row['event_id']}:{row['digest']}:{reason}", **row}
