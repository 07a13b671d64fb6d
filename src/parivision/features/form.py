"""Form: how the league, its teams and its players have been shooting lately.

Decayed counts of attempts and of makes (or of makes above expectation), updated day by day. A
day's shots are looked up before they are counted, so no shot ever sees its own day's outcomes;
the same `lookup` serves training (through `walk`) and requests (on the last day's state).

Rates are estimated by empirical Bayes (`features.tally`): each is drawn towards what is known more
broadly, an action in a zone to the league's rate at that place, a player in a zone to the player
overall, and everyone to nobody in particular (0). How a player or a team shoots is counted above
expectation: a make of an easy shot says less about the shooter than one of a hard shot.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parivision.features.tally import Tally
from parivision.shots import court
from parivision.shots.actions import FAMILIES, family_codes
from parivision.shots.facts import NO_ACTION, Facts, Floats, Ints

ZONES: Final = len(court.Zone)
# The last bin and the last foot hold all farther shots, which are too few to be told apart.
BIN_FT: Final = 2.0
BINS: Final = 17
FEET: Final = 36
PRIOR_RATE: Final = 0.45
"""Rate of a league nobody has seen a shot of."""

FEATURES: Final = (
    "rate_zone",
    "rate_place",
    "rate_action",
    "action_distance",
    "player_overall",
    "player_recent",
    "player_zone",
    "player_zone_action",
    "player_family",
    "player_zone_share",
    "player_volume",
    "team_zone",
    "opponent_zone",
)

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
# Days before 1970 are negative, so no day near them can stand for "nothing counted yet".
_NO_DAY: Final = np.iinfo(np.int64).min


@dataclass(frozen=True)
class _Cells:
    """Which cells of the tallies each shot belongs to, as indexes of shape (n,).

    Row 0 of players, teams and actions is nobody: there is no attempt, and unknown ones look there.
    """

    zone: Ints
    place: Ints
    foot: Ints
    action: Ints
    player: Ints
    team: Ints
    opponent: Ints
    family: Ints

    def take(self, rows: slice) -> "_Cells":
        return _Cells(*(getattr(self, name)[rows] for name in _CELL_NAMES))


_CELL_NAMES: Final = tuple(field.name for field in fields(_Cells))


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

    def lookup(self, facts: Facts) -> dict[str, Floats]:
        """Form features of shots as of now: `FEATURES`, each of shape (n,)."""
        return self._lookup(self._cells(facts))

    def walk(self, facts: Facts, made: Floats) -> dict[str, Floats]:
        """Form features of past shots, each as of the morning of its day; counts them all.

        `facts` must be sorted by day and begin after `as_of_day` (days already counted are only
        looked up, so that walking over the same games twice changes nothing).
        """
        self.learn_names(facts)
        cells = self._cells(facts)
        columns = {name: np.empty(len(facts)) for name in FEATURES}
        # Days, not shots: the order within a day would leak outcomes of games that run at the same
        # time, and a request of today sees the state of last night, too.
        for day, rows in facts.by_day():
            today = cells.take(rows)
            is_new = self.as_of_day is None or day > self.as_of_day
            if is_new:
                self._decay_to(day)
            looked_up = self._lookup(today)
            for name, values in looked_up.items():
                columns[name][rows] = values
            if is_new:
                self._count(today, made[rows], looked_up)
                self.as_of_day = day
        return columns

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

    def _cells(self, facts: Facts) -> _Cells:
        zone = court.zone(facts.x_ft, facts.y_ft) - 1
        distance = np.nan_to_num(court.distance_ft(facts.x_ft, facts.y_ft))
        row = {word: index + 1 for index, word in enumerate(self.actions)}
        # The last entry answers NO_ACTION (-1), and nobody's row answers words never seen.
        rows = np.array([*(row.get(word, 0) for word in facts.actions), 0], np.int64)
        families = np.append(family_codes(facts.actions), 0)
        return _Cells(
            zone=zone,
            place=np.minimum(distance // BIN_FT, BINS - 1).astype(np.int64),
            foot=np.minimum(distance, FEET - 1).astype(np.int64),
            action=rows[facts.action],
            player=_index(self.players, facts.player_id),
            team=_index(self.teams, facts.team_id),
            opponent=_index(self.teams, facts.opponent_id),
            family=families[facts.action],
        )

    def _lookup(self, at: _Cells) -> dict[str, Floats]:
        tally, k = self.tallies, SHRINKAGE
        by_zone = tally["zone"].rate((np.arange(ZONES),), PRIOR_RATE, k["zone"])
        rate_zone = by_zone[at.zone]
        rate_place = tally["place"].rate((at.zone, at.place), rate_zone, k["place"])
        overall = tally["player"].rate((at.player,), 0.0, k["player"])
        volume = tally["player"].attempts[at.player]
        in_zone = tally["player_zone"].attempts[at.player, at.zone]
        return {
            "rate_zone": rate_zone,
            "rate_place": rate_place,
            "rate_action": tally["action"].rate((at.action, at.zone), rate_place, k["action"]),
            "action_distance": self._residual("action_distance", (at.action, at.foot)),
            "player_overall": overall,
            "player_recent": self._residual("player_recent", (at.player,)),
            # Two steps: a player's zone is drawn towards the player, and he towards the league.
            "player_zone": tally["player_zone"].rate(
                (at.player, at.zone), overall, k["player_zone"]
            ),
            "player_zone_action": self._residual("player_zone_action", (at.player, at.zone)),
            "player_family": self._residual("player_family", (at.player, at.family)),
            "player_zone_share": in_zone / (volume + SHARE_SHRINKAGE),
            "player_volume": volume,
            "team_zone": self._residual("team_zone", (at.team, at.zone)),
            "opponent_zone": self._residual("opponent_zone", (at.opponent, at.zone)),
        }

    def _residual(self, name: str, at: tuple[Ints, ...]) -> Floats:
        """A rate above expectation, drawn towards 0: nothing special."""
        return self.tallies[name].rate(at, 0.0, SHRINKAGE[name])

    def _decay_to(self, day: int) -> None:
        if self.as_of_day is None:
            return
        # One factor for all that was counted: each shot has its own half-life weight without a date
        # of its own, since factors of successive days multiply.
        for name, tally in self.tallies.items():
            tally.decay(0.5 ** ((day - self.as_of_day) / HALF_LIFE_DAYS[name]))

    def _count(self, at: _Cells, made: Floats, looked_up: dict[str, Floats]) -> None:
        # What is expected is what was known this morning, never the outcomes that are counted here.
        above_place = made - looked_up["rate_place"]
        above_action = made - looked_up["rate_action"]
        tally = self.tallies
        tally["zone"].count((at.zone,), made)
        tally["place"].count((at.zone, at.place), made)
        tally["action"].count((at.action, at.zone), made)
        tally["action_distance"].count((at.action, at.foot), above_action)
        tally["player"].count((at.player,), above_place)
        tally["player_recent"].count((at.player,), above_place)
        tally["player_zone"].count((at.player, at.zone), above_place)
        tally["player_zone_action"].count((at.player, at.zone), above_action)
        tally["player_family"].count((at.player, at.family), above_action)
        tally["team_zone"].count((at.team, at.zone), above_place)
        tally["opponent_zone"].count((at.opponent, at.zone), above_place)
        for name in tally:
            if name not in {"zone", "place"}:  # these have no row for nobody
                tally[name].attempts[0] = tally[name].successes[0] = 0.0


def _index(known: Ints, ids: Ints) -> Ints:
    """Rows of ids in a sorted index whose row 0 is nobody; unknown ids are nobody."""
    nearest = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[nearest] == ids, nearest, 0)
