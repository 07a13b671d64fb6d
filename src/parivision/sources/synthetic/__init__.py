"""A league of invented players, calibrated on the real one, whose true probabilities are known.

`measure` reduces the real archive to aggregate numbers (`facts.json`). From these a season is
drawn from the top down: players with tastes and skills, games, who shoots, from which zone, when,
where in it, with which action; then the probability of a make, and last the make itself. So models
and monitors can be held against the truth, and no row of real data is in the repository.

Each step draws its random numbers for all rows at once, and the same number of them whatever the
outcome. So a switch that changes one thing leaves every other draw as it was, and two leagues that
differ in a switch differ in its effect only (common random numbers).
"""

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
