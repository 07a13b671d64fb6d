"""Every feature, each as one function of one shot: the only place that has its formula.

A function's name is the feature's, and its parameters are the facts, the earlier results and the
tables of form that it needs (`features.compose` joins them). They take the plain numbers of one
shot, or columns of many (`shots.elementwise`): training, a list of shots and a single request all
run these lines.

`classic` is the set the project's users know. `full` is what was seen to help. A shot whose action
is not given is answered by a model of its own, which uses `FULL_WITHOUT_ACTION`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from parivision.features.compose import Row, Steps
from parivision.features.form import BIN_FT, BINS, FEET, PRIOR_RATE, SHARE_SHRINKAGE, ZONES
from parivision.features.inputs import ShotInputs
from parivision.features.tally import Tables
from parivision.shots import court, game_clock
from parivision.shots.actions import FAMILIES, MODIFIERS
from parivision.shots.elementwise import Code, Value, at_most, whole

_steps: Final = Steps(ShotInputs._fields)
step, feature, fact = _steps.step, _steps.feature, _steps.fact
_ROWS_KEPT: Final = 64
"""Composed functions that are remembered: more than there are sets of features in use."""

# The place.

fact("place", "x_ft")
fact("place", "y_ft")


@feature("place")
def abs_x_ft(x_ft: Value) -> Value:
    """A tree needs many splits to see that left and right are alike; here it is one number."""
    return abs(x_ft)


@feature("place")
def distance_ft(x_ft: Value, y_ft: Value) -> Value:
    """From the hoop's centre."""
    return court.distance_ft(x_ft, y_ft)


@feature("place")
def angle_deg(x_ft: Value, y_ft: Value) -> Value:
    """Off the court's long axis, left is positive."""
    return court.angle_deg(x_ft, y_ft)


@feature("place")
def zone(x_ft: Value, y_ft: Value) -> Code:
    """One of `court.Zone`."""
    return court.zone(x_ft, y_ft)


fact("place", "shot_value")

# The clock.

fact("clock", "period")
fact("clock", "clock_s")


@feature("clock")
def elapsed_s(period: Code, clock_s: Value) -> Value:
    """Seconds played when the shot was taken, over all periods."""
    return game_clock.elapsed_s(period, clock_s)


fact("clock", "is_home")

# Cells of the tables of form. A table is flat: the cell of row r and column c is r * columns + c.


@step
def zone_cell(zone: Code) -> Code:
    """Zones count from 1, cells from 0."""
    return zone - 1


@step
def place_cell(zone_cell: Code, distance_ft: Value) -> Code:
    """A zone and a bin of distance; the last bin holds all that is farther."""
    return zone_cell * BINS + whole(at_most(distance_ft, (BINS - 0.5) * BIN_FT) / BIN_FT)


@step
def player_zone_cell(player: Code, zone_cell: Code) -> Code:
    """A player in a zone."""
    return player * ZONES + zone_cell


@step
def player_family_cell(player: Code, action_family: Code) -> Code:
    """A player with a family of actions."""
    return player * len(FAMILIES) + action_family


@step
def team_zone_cell(team: Code, zone_cell: Code) -> Code:
    """A team in a zone."""
    return team * ZONES + zone_cell


@step
def opponent_zone_cell(opponent: Code, zone_cell: Code) -> Code:
    """An opponent in a zone."""
    return opponent * ZONES + zone_cell


@step
def action_zone_cell(action: Code, zone_cell: Code) -> Code:
    """An action in a zone."""
    return action * ZONES + zone_cell


@step
def action_foot_cell(action: Code, distance_ft: Value) -> Code:
    """An action at a foot of distance; the last foot holds all that is farther."""
    return action * FEET + whole(at_most(distance_ft, FEET - 0.5))


# Form: how the league, the shooter and the teams shoot lately.


@feature("form")
def rate_zone(form: Tables, zone_cell: Code) -> Value:
    """The league's rate in the zone."""
    return form.zone.rate(zone_cell, PRIOR_RATE)


@feature("form")
def rate_place(form: Tables, place_cell: Code, rate_zone: Value) -> Value:
    """The league's rate at the distance, drawn towards that of the zone."""
    return form.place.rate(place_cell, rate_zone)


@feature("form")
def player_overall(form: Tables, player: Code) -> Value:
    """What the shooter makes above expectation, from everywhere."""
    return form.player.rate(player, 0.0)


@feature("form")
def player_recent(form: Tables, player: Code) -> Value:
    """The same of the last weeks."""
    return form.player_recent.rate(player, 0.0)


@feature("form")
def player_zone(form: Tables, player_zone_cell: Code, player_overall: Value) -> Value:
    """Two steps: a shooter's zone is drawn towards the shooter, and he towards the league."""
    return form.player_zone.rate(player_zone_cell, player_overall)


@feature("form")
def player_zone_share(form: Tables, player_zone_cell: Code, player: Code) -> Value:
    """How many of the shooter's attempts are from this zone."""
    attempts = form.player.attempts[player]
    return form.player_zone.attempts[player_zone_cell] / (attempts + SHARE_SHRINKAGE)


@feature("form")
def player_volume(form: Tables, player: Code) -> Value:
    """The shooter's attempts."""
    return form.player.attempts[player]


@feature("form")
def team_zone(form: Tables, team_zone_cell: Code) -> Value:
    """What the shooter's team makes there above expectation."""
    return form.team_zone.rate(team_zone_cell, 0.0)


@feature("form")
def opponent_zone(form: Tables, opponent_zone_cell: Code) -> Value:
    """What the opponent allows there above expectation."""
    return form.opponent_zone.rate(opponent_zone_cell, 0.0)


# The game before the shot.

fact("game", "since_last_shot_s")
fact("game", "last_shot_own")
fact("game", "last_shot_made")
fact("game", "player_attempts")
fact("game", "player_makes")

# The action.

fact("action", "action_family")


@feature("action")
def rate_action(form: Tables, action_zone_cell: Code, rate_place: Value) -> Value:
    """The league's rate with the action in the zone, drawn towards that of the place."""
    return form.action.rate(action_zone_cell, rate_place)


@feature("action")
def action_distance(form: Tables, action_foot_cell: Code) -> Value:
    """What the league makes with the action at the foot of distance, above expectation."""
    return form.action_distance.rate(action_foot_cell, 0.0)


@feature("action")
def player_zone_action(form: Tables, player_zone_cell: Code) -> Value:
    """The shooter in the zone, above what his actions let expect."""
    return form.player_zone_action.rate(player_zone_cell, 0.0)


@feature("action")
def player_family(form: Tables, player_family_cell: Code) -> Value:
    """The shooter with the family of actions, above expectation."""
    return form.player_family.rate(player_family_cell, 0.0)


def _flag(index: int) -> Callable[[Sequence[Value]], Value]:
    """Whether the words hold a modifier."""

    def flag(modifiers: Sequence[Value]) -> Value:
        return modifiers[index]

    return flag


for _index, _name in enumerate(MODIFIERS):
    _steps.define("action", f"action_{_name}", _flag(_index))

# The set of seven that the project's users know has names of its own.

_steps.alias("classic", "Total_Seconds_Remaining", "clock_s")
_steps.alias("classic", "Shot_Type_Encoded", "shot_value")


@feature("classic")
def Shot_Distance_Meters(distance_ft: Value) -> Value:  # noqa: N802 - a name that users know
    """From the hoop's centre."""
    return distance_ft * court.FEET_TO_METRES


_steps.alias("classic", "Shot_Zone_Combined", "zone")
_steps.alias("classic", "Player_ID", "player_id")
_steps.alias("classic", "X", "x_ft")
_steps.alias("classic", "Y", "y_ft")

GAME: Final = _steps.group("game")
ACTION: Final = _steps.group("action")
CLASSIC: Final = _steps.group("classic")
FULL_WITHOUT_ACTION: Final = tuple(
    name for group in ("place", "clock", "form", "game") for name in _steps.group(group)
)
FULL: Final = (*FULL_WITHOUT_ACTION, *ACTION)
FEATURE_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "classic": CLASSIC,
    "full": FULL,
    "full_without_action": FULL_WITHOUT_ACTION,
}
FEATURES: Final = tuple(dict.fromkeys(map(_steps.meant, (*FULL, *CLASSIC))))
"""All features, each once: what a walk over past games keeps."""


@lru_cache(_ROWS_KEPT)
def row(names: tuple[str, ...]) -> Row:
    """The function of a shot and the tables of form that gives these features, in their order.

    Raises ModelError for a name that is no feature.
    """
    return _steps.row(names)


def meant(name: str) -> str:
    """The feature of `FEATURES` that a name stands for, its own or one that users know."""
    return _steps.meant(name)
