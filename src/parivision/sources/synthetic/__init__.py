"""A league of invented players, calibrated on the real one, whose true probabilities are known."""

from parivision.sources.synthetic.config import Drift, SyntheticConfig
from parivision.sources.synthetic.shots import (
    P_TRUE,
    generate,
    generate_seasons,
    season_players,
    season_size,
)
from parivision.sources.synthetic.source import SyntheticSource

__all__ = [
    "P_TRUE",
    "Drift",
    "SyntheticConfig",
    "SyntheticSource",
    "generate",
    "generate_seasons",
    "season_players",
    "season_size",
]
