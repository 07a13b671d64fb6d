"""Form: how the league, its teams and its players have been shooting lately.

Decayed counts of attempts and of makes (or of makes above expectation), updated day by day. What
is read off them is in `features.kernel`. A day's shots are looked up before they are counted, so no
shot ever sees its own day's outcomes (`features.rows.walk`).

Rates are estimated by empirical Bayes (`features.tally`): each is drawn towards what is known more
broadly, an action in a zone to the league's rate at that place, a player in a zone to the player
overall, and everyone to nobody in particular (0). How a player or a team shoots is counted above
expectation: a make of an easy shot says less about the shooter than one of a hard shot.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parivision.features.tally import Tables, Tally
from parivision.shots import court
from parivision.shots.actions import FAMILIES
from parivision.shots.facts import NO_ACTION, Facts, Floats, Ints

ZONES: Final = len(court.Zone)
# The last bin and the last foot hold all farther shots, which are too few to be told apart.
BIN_FT: Final = 2.0
BINS: Final = 17
FEET: Final = 36
PRIOR_RATE: Final = 0.45
"""Rate of a league nobody has seen a shot of."""

# Half-lives in days, chosen on the seasons 2012 to 2017: the league's level moves within weeks,
# a player's skill over a year and a half.
HALF_LIFE_DAYS: Final = {
    "zone": 60.0,
    "place": 200.0,
    "action": 200.0,
    "action_distance": 400.0,
    "player": 500.0,
    "player_recent": 60.0,
    "player_zone": 500.0,
    "player_zone_action": 500.0,
    "player_family": 500.0,
    "team_zone": 150.0,
    "opponent_zone": 150.0,
}
# Attempts that the broader rate counts for: the prior's strength in the empirical Bayes estimate.
# The more alike players are in something, the more attempts it takes to tell them apart.
SHRINKAGE: Final = {
    "zone": 5.0,
    "place": 50.0,
    "action": 50.0,
    "action_distance": 60.0,
    "player": 200.0,
    "player_recent": 100.0,
    "player_zone": 100.0,
    "player_zone_action": 150.0,
    "player_family": 150.0,
    "team_zone": 300.0,
    "opponent_zone": 300.0,
}
SHARE_SHRINKAGE: Final = 20.0
"""Attempts that are added to a player's volume, so that his first shots make no share of 1."""
MADE: Final = "made"
ABOVE_PLACE: Final = "above_place"
ABOVE_ACTION: Final = "above_action"
COUNTED: Final = {
    "zone": ("zone_cell", MADE),
    "place": ("place_cell", MADE),
    "action": ("action_zone_cell", MADE),
    "action_distance": ("action_foot_cell", ABOVE_ACTION),
    "player": ("player", ABOVE_PLACE),
    "player_recent": ("player", ABOVE_PLACE),
    "player_zone": ("player_zone_cell", ABOVE_PLACE),
    "player_zone_action": ("player_zone_cell", ABOVE_ACTION),
    "player_family": ("player_family_cell", ABOVE_ACTION),
    "team_zone": ("team_zone_cell", ABOVE_PLACE),
    "opponent_zone": ("opponent_zone_cell", ABOVE_PLACE),
}
"""By tally: the step of `features.kernel` that names a shot's cell, and what is a success there."""
# Days before 1970 are negative, so no day near them can stand for "nothing counted yet".
_NO_DAY: Final = np.iinfo(np.int64).min


class Form:
    """The state. `as_of_day` is the last day counted (days since 1970-01-01), None at first."""

    def __init__(self) -> None:
        self.as_of_day: int | None = None
        self.players: Ints = np.zeros(1, np.int64)
        self.teams: Ints = np.zeros(1, np.int64)
        self.actions: tuple[str, ...] = ()
        self.tallies: dict[str, Tally] = {
            "zone": Tally.empty(ZONES),
            "place": Tally.empty(ZONES, BINS),
            "action": Tally.empty(1, ZONES),
            "action_distance": Tally.empty(1, FEET),
            "player": Tally.empty(1),
            "player_recent": Tally.empty(1),
            "player_zone": Tally.empty(1, ZONES),
            "player_zone_action": Tally.empty(1, ZONES),
            "player_family": Tally.empty(1, len(FAMILIES)),
            "team_zone": Tally.empty(1, ZONES),
            "opponent_zone": Tally.empty(1, ZONES),
        }

    def tables(self, *, is_for_one: bool = False) -> Tables:
        """What features are looked up in, for columns of shots or for one shot's plain numbers.

        Those for columns see later counts, until new names make the tallies grow.
        """
        return Tables(
            **{
                name: tally.table(SHRINKAGE[name], is_for_one=is_for_one)
                for name, tally in self.tallies.items()
            }
        )

    def decay_to(self, day: int) -> None:
        """Let all that was counted fade until a day, by each tally's half-life."""
        if self.as_of_day is None:
            return
        # One factor for all that was counted: each shot has its own half-life weight without a date
        # of its own, since factors of successive days multiply.
        for name, tally in self.tallies.items():
            tally.decay(0.5 ** ((day - self.as_of_day) / HALF_LIFE_DAYS[name]))

    def count(self, day: int, cells: Mapping[str, Ints], successes: Mapping[str, Floats]) -> None:
        """Count a day's shots: the cell and the success of each, by tally and by `COUNTED`."""
        for name, tally in self.tallies.items():
            cell, success = COUNTED[name]
            tally.count(cells[cell], successes[success])
            if name not in {"zone", "place"}:  # these have no row for nobody
                tally.attempts[0] = tally.successes[0] = 0.0
        self.as_of_day = day

    def learn_names(self, facts: Facts) -> None:
        """Make room for players, teams and actions never seen before.

        Ids are kept sorted, so that they are found by bisection; new actions go to the end.
        """
        self.players = self._grown(
            self.players,
            facts.player_id,
            ("player", "player_recent", "player_zone", "player_zone_action", "player_family"),
        )
        teams = np.concatenate([facts.team_id, facts.opponent_id])
        self.teams = self._grown(self.teams, teams, ("team_zone", "opponent_zone"))
        seen = {facts.actions[code] for code in np.unique(facts.action) if code != NO_ACTION}
        new = tuple(sorted(seen - set(self.actions)))
        if new:
            rows = 1 + len(self.actions) + len(new)
            for name in ("action", "action_distance"):
                self.tallies[name].grow(np.arange(rows - len(new)), rows)
            self.actions += new

    def action_rows(self) -> dict[str, int]:
        """Action to its row; row 0 is nobody's."""
        return {word: index + 1 for index, word in enumerate(self.actions)}

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The whole state as arrays, for `numpy.savez`."""
        state: dict[str, NDArray[np.generic]] = {
            "as_of_day": np.array(_NO_DAY if self.as_of_day is None else self.as_of_day),
            "players": self.players,
            "teams": self.teams,
            "actions": np.array(self.actions, dtype=np.str_),
        }
        for name, tally in self.tallies.items():
            state[f"{name}.attempts"] = tally.attempts
            state[f"{name}.successes"] = tally.successes
        return state

    @classmethod
    def from_arrays(cls, state: dict[str, NDArray[np.generic]]) -> "Form":
        """The state that `to_arrays` gave."""
        form = cls()
        day = int(state["as_of_day"].astype(np.int64))
        form.as_of_day = None if day == _NO_DAY else day
        form.players = state["players"].astype(np.int64)
        form.teams = state["teams"].astype(np.int64)
        form.actions = tuple(str(word) for word in state["actions"])
        for name in form.tallies:
            form.tallies[name] = Tally(
                state[f"{name}.attempts"].astype(np.float64),
                state[f"{name}.successes"].astype(np.float64),
            )
        return form

    def copy(self) -> "Form":
        """An independent copy."""
        return Form.from_arrays({name: value.copy() for name, value in self.to_arrays().items()})

    def _grown(self, known: Ints, seen: Ints, tallies: tuple[str, ...]) -> Ints:
        merged = np.union1d(known, seen)
        if len(merged) > len(known):
            order = np.searchsorted(merged, known)
            for name in tallies:
                self.tallies[name].grow(order, len(merged))
        return merged
