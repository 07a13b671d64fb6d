"""The report's page: key figures, then one section after the other."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl

from parivision.reports import html
from parivision.reports.eda import quality, sections
from parivision.reports.eda.rates import derive, percent
from parivision.shots import schema

SAMPLE: Final = 500_000
"""Shots that the correlations are computed on; everything else counts all shots."""
Progress = Callable[[int, int], None]


def write(
    shots: pl.DataFrame,
    path: Path,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    title: str = "Shots: exploratory report",
    progress: Progress | None = None,
) -> Path:
    """Write the report of a canonical table of shots to `path` and return the path.

    Takes from one shot to millions and from one season to many. `seed` draws the `sample` shots of
    the correlations; the same shots and seed give the same bytes. `progress` is told (sections
    done, sections in all). Raises SchemaError or, for an empty table, DataError.
    """
    schema.require_columns(shots, "eda")
    derived = derive(shots)
    builders: list[Callable[[], html.Section]] = [
        lambda: sections.shot_types(derived),
        lambda: sections.zones(derived),
        lambda: sections.distances(derived),
        lambda: sections.maps(derived),
        lambda: sections.over_time(derived),
        lambda: sections.clock(derived),
        lambda: sections.periods(derived),
        lambda: sections.correlations(derived, sample, seed),
        lambda: quality.actions(shots),
        lambda: quality.quality(shots),
    ]
    built = []
    for done, build in enumerate(builders, start=1):
        built.append(build())
        if progress is not None:
            progress(done, len(builders))
    return html.write_page(path, title, [_key_figures(shots)], built)


def _key_figures(shots: pl.DataFrame) -> html.KeyFigures:
    numbers = shots.select(
        games=pl.col("game_id").n_unique(),
        players=pl.col("player_id").n_unique(),
        first=pl.col("game_date").min(),
        last=pl.col("game_date").max(),
        made=pl.col("made").mean(),
        threes=(pl.col("shot_value") == 3).mean(),
    ).row(0, named=True)
    return html.KeyFigures(
        {
            "shots": f"{shots.height:,}",
            "games": f"{numbers['games']:,}",
            "players": f"{numbers['players']:,}",
            "first game": f"{numbers['first']}",
            "last game": f"{numbers['last']}",
            "made": percent(numbers["made"]),
            "threes": percent(numbers["threes"]),
        }
    )
