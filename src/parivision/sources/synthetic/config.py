"""What kind of synthetic league to make, and which drift to switch on from when."""

import math
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Literal

from parivision.errors import SettingsError

FIRST_SEASON = 2001
LAST_SEASON = 2100
GAMES_A_SEASON = 1230

Start = date | int | None
"""When a drift starts: a day, a season (the year in which it ends), or None for never."""


@dataclass(frozen=True)
class Drift:
    """Changes of the world that a monitor must notice; all are off unless given a start.

    Rows before a start are the same as without the drift; the switches do not disturb each other.
    """

    relabel_actions: Start = None
    """Near the hoop the scorers swap their words: easy shots get the words of hard ones and the
    other way round. How often each word is used stays as it was."""
    moved_coordinates: Start = None
    """Places are reported in another frame, see `frame`."""
    more_threes: Start = None
    """Players shoot more threes; the odds of one grow by `threes_log_odds`."""
    skill_change: Start = None
    """The players' log odds of a make change by `skill_log_odds`."""
    shuffled_outcomes: Start = None
    """The feed mixes up how shots ended: as many go in, and nothing tells which. No model can learn
    from such outcomes."""

    relabelled_share: float = 1.0
    """Share of the shots near the hoop that get the other word."""
    frame: Literal["baseline", "tenfold"] = "baseline"
    """`baseline`: y counts from the baseline and the distance is that of the moved place, so the
    rows stay valid. `tenfold`: the archive's frame of 2020 and 2021, ten times too small and
    turned; the distance is the true one, so a geometry check at the door refuses the rows."""
    threes_log_odds: float = 0.5
    skill_log_odds: float = -0.3
    skill_share: float = 1.0
    """Share of the players whose skill changes."""

    def __post_init__(self) -> None:
        """Refuse impossible strengths, with a message that says what is allowed."""
        for name in ("relabelled_share", "skill_share"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise SettingsError(f"{name} is {value}; give a share from 0 to 1")
        for name in ("threes_log_odds", "skill_log_odds"):
            if not math.isfinite(getattr(self, name)):
                raise SettingsError(f"{name} is {getattr(self, name)}; give a finite number")
        if self.frame not in ("baseline", "tenfold"):
            raise SettingsError(f"frame is {self.frame!r}; give 'baseline' or 'tenfold'")


@dataclass(frozen=True)
class SyntheticConfig:
    """A synthetic league; the same config always gives the same table, byte for byte.

    A season's rows depend on the seed and the season, never on which other seasons are asked for.
    """

    seed: int = 1
    seasons: tuple[int, ...] = (2022, 2023)
    """Years in which the seasons end."""
    games_a_season: int = GAMES_A_SEASON
    """Fewer games are spread over the whole season."""
    shots_scale: float = 1.0
    """Multiplies the number of shots in a game (about 175 for both teams)."""
    facts_of: int | None = None
    """Use the league facts of this season for all of them: a league without slow trends."""
    drift: Drift = field(default_factory=Drift)

    def __post_init__(self) -> None:
        """Refuse leagues that cannot be made, with a message that says what is allowed."""
        if self.seed < 0:
            raise SettingsError(f"seed is {self.seed}; give 0 or more")
        if not self.seasons or list(self.seasons) != sorted(set(self.seasons)):
            raise SettingsError(
                f"seasons are {self.seasons}; give at least one, each once, in ascending order"
            )
        if self.seasons[0] < FIRST_SEASON or self.seasons[-1] > LAST_SEASON:
            raise SettingsError(
                f"seasons are {self.seasons}; the synthetic league plays those that end in "
                f"{FIRST_SEASON} to {LAST_SEASON}"
            )
        if not 1 <= self.games_a_season <= GAMES_A_SEASON:
            raise SettingsError(
                f"games_a_season is {self.games_a_season}; give 1 to {GAMES_A_SEASON}"
            )
        if not 0.05 <= self.shots_scale <= 4.0:
            raise SettingsError(f"shots_scale is {self.shots_scale}; give 0.05 to 4")

    def without_drift(self) -> "SyntheticConfig":
        """The same league with every drift off: rows, games and players correspond one to one."""
        kept = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "drift"}
        return SyntheticConfig(**kept)
