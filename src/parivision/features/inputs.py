"""What the features of a shot are made of: its facts, and its rows in the tables of form.

Row 0 of players, teams and actions is nobody: there is no attempt, and unknown ones look there.
"""

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np

from parivision.features.form import Form
from parivision.shots import court, league
from parivision.shots.actions import FAMILIES, MODIFIERS, family, held_modifiers
from parivision.shots.elementwise import Code, Value
from parivision.shots.facts import Facts, Ints, normal_action, opponent_of

NOBODY: Final = 0
# Words that are remembered; a client that makes up more only loses time.
_WORDS_KEPT: Final = 1024


class ShotInputs(NamedTuple):
    """One shot in plain numbers, or many in columns; NaN stands for what is not known.

    `player`, `team`, `opponent` and `action` are rows of the tables of form. `modifiers` has a flag
    for each of `actions.MODIFIERS`.
    """

    player_id: Code
    period: Code
    clock_s: Value
    x_ft: Value
    y_ft: Value
    shot_value: Code
    is_home: Value
    since_last_shot_s: Value
    last_shot_own: Value
    last_shot_made: Value
    player_attempts: Value
    player_makes: Value
    player: Code
    team: Code
    opponent: Code
    action: Code
    action_family: Code
    modifiers: Sequence[Value]


class _Action(NamedTuple):
    """What is known of an action's words: the row in the form, the family, the modifiers."""

    row: int
    family: int
    modifiers: tuple[float, ...]


_NO_ACTION: Final = _Action(NOBODY, 0, (0.0,) * len(MODIFIERS))


def _described(words: str, rows: Mapping[str, int]) -> _Action:
    """What normalised words say; no words: no action."""
    if not words:
        return _NO_ACTION
    return _Action(rows.get(words, NOBODY), FAMILIES.index(family(words)), held_modifiers(words))


class InputsOfMany:
    """Columns of inputs of shots whose actions are among `actions`, in the rows of a form."""

    def __init__(self, form: Form, actions: Sequence[str]) -> None:
        """The form may count more, and must learn no new names."""
        self._form = form
        rows = form.action_rows()
        # The last entry answers NO_ACTION (-1).
        known = [*(_described(words, rows) for words in actions), _NO_ACTION]
        self._rows = np.array([action.row for action in known], np.int64)
        self._families = np.array([action.family for action in known], np.int64)
        self._modifiers = np.array([action.modifiers for action in known]).T.copy()

    def __call__(self, facts: Facts) -> ShotInputs:
        """The inputs of shots, whose `actions` are those of the beginning."""
        players, teams = self._form.players, self._form.teams
        return ShotInputs(
            player_id=facts.player_id,
            period=facts.period,
            clock_s=facts.clock_s,
            x_ft=facts.x_ft,
            y_ft=facts.y_ft,
            shot_value=facts.shot_value,
            is_home=facts.is_home,
            since_last_shot_s=facts.since_last_shot_s,
            last_shot_own=facts.last_shot_own,
            last_shot_made=facts.last_shot_made,
            player_attempts=facts.player_attempts,
            player_makes=facts.player_makes,
            player=_index(players, facts.player_id),
            team=_index(teams, facts.team_id),
            opponent=_index(teams, facts.opponent_id),
            action=self._rows[facts.action],
            action_family=self._families[facts.action],
            modifiers=tuple(self._modifiers[:, facts.action]),
        )


class InputsOfOne:
    """Plain numbers of one shot at a time, in the rows of a form; threads may share it."""

    def __init__(self, form: Form) -> None:
        """Names that the form learns later are not known."""
        self._players = dict(zip(form.players.tolist(), range(len(form.players)), strict=True))
        self._teams = dict(zip(form.teams.tolist(), range(len(form.teams)), strict=True))
        rows = form.action_rows()
        self._action = lru_cache(_WORDS_KEPT)(lambda words: _described(words, rows))

    def __call__(self, shot: Mapping[str, Any]) -> ShotInputs:
        """The inputs of a shot, which holds what `facts.from_records` takes."""
        get = shot.get
        x, y, player_id = shot["x_ft"], shot["y_ft"], shot["player_id"]
        team = get("team_id") or league.UNKNOWN_TEAM
        opponent, is_home = opponent_of(team, get("home_team") or "", get("away_team") or "")
        action = self._action(normal_action(get("action_type") or ""))
        return ShotInputs(
            player_id,
            shot["period"],
            shot["clock_s"],
            x,
            y,
            get("shot_value") or court.shot_value(x, y),
            is_home,
            _known(get("since_last_shot_s")),
            _known(get("last_shot_own")),
            _known(get("last_shot_made")),
            _known(get("player_attempts")),
            _known(get("player_makes")),
            self._players.get(player_id, NOBODY),
            self._teams.get(team, NOBODY),
            self._teams.get(opponent, NOBODY),
            action.row,
            action.family,
            action.modifiers,
        )


def _known(fact: float | None) -> float:
    return math.nan if fact is None else fact


def _index(known: Ints, ids: Ints) -> Ints:
    """Rows of ids in a sorted index whose row 0 is nobody; unknown ids are nobody."""
    nearest = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return np.where(known[nearest] == ids, nearest, NOBODY)
