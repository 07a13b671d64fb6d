"""A whole source as one table of shots, in memory: for evaluation and reports outside the lake."""

import polars as pl

from parivision.errors import DataError, FilesError
from parivision.shots import schema
from parivision.shots.league_games import league_of
from parivision.sources import FORMATS, Format
from parivision.sources.base import Source
from parivision.sources.partial_records import without_twins


def read_shots(
    source: Source, unread: list[FilesError] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Valid shots, each key once, and the records and lines that are none with their `reason`.

    Raises SourceError when the source cannot be read, DataError when it holds no valid shot, and
    SettingsError when it is of a league of whose shots no model and no report can be made.
    Files that cannot be used are a FilesError; with `unread` it is put there, to be raised when
    the caller has done its work on the others.
    """
    good: dict[str, list[pl.DataFrame]] = {}
    bad: list[pl.DataFrame] = []
    try:
        for batch in source.batches():
            layout = FORMATS[batch.format or source.format]
            converted = layout.to_shots(batch.records)
            if converted.shots.height:
                good.setdefault(layout.name, []).append(converted.shots)
            bad += [converted.bad, batch.faulty.drop("occurrence")]
    except FilesError as error:
        if unread is None or not good:
            raise
        unread.append(error)
    refused = pl.concat(bad, how="diagonal") if bad else pl.DataFrame()
    if not good:
        why = refused["reason"].value_counts(sort=True)["reason"][:1].to_list() if bad else []
        raise DataError(f"{source.name} holds no valid shot{': ' + why[0] if why else ''}")
    shots = pl.concat(_once(parts, FORMATS[name]) for name, parts in good.items())
    # Raises for a league without models, and for a mixture of two.
    league_of(shots["game_id"])
    return shots.unique(subset=list(schema.KEY), keep="first", maintain_order=True), refused


def _once(parts: list[pl.DataFrame], layout: Format) -> pl.DataFrame:
    """A format's shots without those that came with other columns too."""
    shots = pl.concat(parts)
    return without_twins(shots, shots.clear(), layout.partial_events)
