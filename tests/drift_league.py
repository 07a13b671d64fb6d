"""Seasons of a small league to look for drift in; it has none of its own."""

import polars as pl

from parivision.sources.synthetic import SyntheticConfig, generate


def league(season: int, games: int) -> pl.DataFrame:
    """A season of a small league: canonical shots with their true probabilities."""
    return generate(SyntheticConfig(seed=1, seasons=(season,), games_a_season=games))
