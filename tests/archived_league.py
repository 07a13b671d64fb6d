"""A small league as the stats API's archives hold it."""

import polars as pl

from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate
from parivision.stats_api.archive import Archive

LEAGUE = SyntheticConfig(seasons=(2022, 2023), games_a_season=3)


def league_shots() -> pl.DataFrame:
    """About a thousand canonical shots."""
    return generate(LEAGUE).drop(P_TRUE)


def everything(archive: Archive) -> pl.DataFrame:
    """All records of an archive."""
    return archive.records(0, archive.size)
