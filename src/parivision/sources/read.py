"""A whole source as one table of shots, in memory: for evaluation and reports outside the lake."""

import polars as pl

from parivision import schema
from parivision.errors import DataError
from parivision.sources import FORMATS
from parivision.sources.base import Source


def read_shots(source: Source) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Valid shots, each key once, and the records that are none with their `reason`.

    Raises SourceError when the source cannot be read and DataError when it holds no valid shot.
    """
    layout = FORMATS[source.format]
    converted = [layout.to_shots(batch.records) for batch in source.batches()]
    good = [part.shots for part in converted]
    bad = pl.concat([part.bad for part in converted]) if converted else pl.DataFrame()
    if not any(len(part) for part in good):
        why = bad["reason"].value_counts(sort=True)["reason"][:1].to_list() if len(bad) else []
        raise DataError(f"{source.name} holds no valid shot{': ' + why[0] if why else ''}")
    shots = pl.concat(good).unique(subset=list(schema.KEY), keep="first", maintain_order=True)
    return shots, bad
