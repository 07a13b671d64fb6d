"""The only feature code: facts and form in, one matrix out, for training and service alike.

`classic` is the set the project's users know. `full` is what was seen to help. A shot whose action
is not given is answered by a model of its own, which uses `FULL_WITHOUT_ACTION`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parivision.errors import ModelError
from parivision.shots import court
from parivision.shots.actions import MODIFIERS, family_codes, modifier_flags
from parivision.shots.facts import NO_ACTION, Facts, Floats, Ints

CLASSIC: Final = (
    "Total_Seconds_Remaining",
    "Shot_Type_Encoded",
    "Shot_Distance_Meters",
    "Shot_Zone_Combined",
    "Player_ID",
    "X",
    "Y",
)
PLACE: Final = (
    "x_ft",
    "y_ft",
    "abs_x_ft",
    "distance_ft",
    "angle_deg",
    "zone",
    "shot_value",
)
CLOCK: Final = ("period", "clock_s", "elapsed_s", "is_home")
FORM: Final = (
    "rate_zone",
    "rate_place",
    "player_overall",
    "player_recent",
    "player_zone",
    "player_zone_share",
    "player_volume",
    "team_zone",
    "opponent_zone",
)
GAME: Final = (
    "since_last_shot_s",
    "last_shot_own",
    "last_shot_made",
    "player_attempts",
    "player_makes",
)
ACTION: Final = (
    "action_family",
    "rate_action",
    "action_distance",
    "player_zone_action",
    "player_family",
    *(f"action_{name}" for name in MODIFIERS),
)
FULL_WITHOUT_ACTION: Final = (*PLACE, *CLOCK, *FORM, *GAME)
FULL: Final = (*FULL_WITHOUT_ACTION, *ACTION)
FEATURE_SETS: Final[Mapping[str, tuple[str, ...]]] = {
    "classic": CLASSIC,
    "full": FULL,
    "full_without_action": FULL_WITHOUT_ACTION,
}

REGULATION_S: Final = 720.0
OVERTIME_S: Final = 300.0


def matrix(facts: Facts, form: Mapping[str, Floats], names: Sequence[str]) -> NDArray[np.float32]:
    """The features `names` of n shots, shape (n, len(names)), NaN where a fact is not known.

    `form` holds the columns of `Form.lookup` or `Form.walk`; it may be empty for sets without form
    features. Numbers are float32: players with ids above 2**24, far above the league's, may share a
    `Player_ID`; form tells them apart. Raises ModelError for a name that is no feature.
    """
    columns = {**_place(facts), **_clock(facts), **form, **_game(facts)}
    if any(name.startswith("action_") for name in names):
        columns |= _action(facts)
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise ModelError(
            f"unknown features {unknown}: expected names of parivision.features.matrix"
        )
    # Single precision takes half of the memory, and the tree libraries round to it or to bins.
    out = np.empty((len(facts), len(names)), np.float32)
    for index, name in enumerate(names):
        out[:, index] = columns[name]
    return out


def elapsed_s(period: Ints, clock_s: Floats) -> Floats:
    """Seconds played when the shot was taken, over all periods."""
    regulation = period * REGULATION_S - clock_s
    overtime = 4 * REGULATION_S + (period - 4) * OVERTIME_S - clock_s
    return np.where(period <= 4, regulation, overtime)


def _place(facts: Facts) -> dict[str, Floats | Ints]:
    x, y = facts.x_ft, facts.y_ft
    zone, distance = court.zone(x, y), court.distance_ft(x, y)
    return {
        "x_ft": x,
        "y_ft": y,
        # A tree needs many splits to see that left and right are alike; here it is one column.
        "abs_x_ft": np.abs(x),
        "distance_ft": distance,
        "angle_deg": court.angle_deg(x, y),
        "zone": zone,
        "shot_value": facts.shot_value,
        "Shot_Type_Encoded": facts.shot_value,
        "Shot_Distance_Meters": distance * court.FEET_TO_METRES,
        "Shot_Zone_Combined": zone,
        "X": x,
        "Y": y,
    }


def _clock(facts: Facts) -> dict[str, Floats | Ints]:
    return {
        "period": facts.period,
        "clock_s": facts.clock_s,
        "elapsed_s": elapsed_s(facts.period, facts.clock_s),
        "is_home": facts.is_home,
        "Total_Seconds_Remaining": facts.clock_s,
        "Player_ID": facts.player_id,
    }


def _game(facts: Facts) -> dict[str, Floats]:
    return {name: getattr(facts, name) for name in GAME}


def _action(facts: Facts) -> dict[str, Floats | Ints]:
    given = facts.action != NO_ACTION
    # One row more than there are actions: shots without an action take it, with family 0, no flag.
    families = np.append(family_codes(facts.actions), 0)
    flags = np.vstack([modifier_flags(facts.actions), np.zeros((1, len(MODIFIERS)))])
    rows = np.where(given, facts.action, len(facts.actions))
    columns: dict[str, Floats | Ints] = {"action_family": families[rows]}
    for index, name in enumerate(MODIFIERS):
        columns[f"action_{name}"] = flags[rows, index]
    return columns
