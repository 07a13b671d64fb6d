"""Raw facts of shots as columns: what a request carries, and all that features are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from parivision.shots import court, league

EPOCH: Final = date(1970, 1, 1)
NO_ACTION: Final = -1

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Facts:
    """Facts of n shots; every array has shape (n,).

    Optional facts are NaN (floats), `league.UNKNOWN_TEAM` (teams) or `NO_ACTION` where they are
    not known. `day` counts days since 1970-01-01. `action` indexes the words of `actions`.
    The last five describe the game before the shot.
    """

    day: Ints
    player_id: Ints
    team_id: Ints
    opponent_id: Ints
    is_home: Floats
    period: Ints
    clock_s: Floats
    x_ft: Floats
    y_ft: Floats
    shot_value: Ints
    action: Ints
    actions: tuple[str, ...]
    since_last_shot_s: Floats
    last_shot_own: Floats
    last_shot_made: Floats
    player_attempts: Floats
    player_makes: Floats

    def __len__(self) -> int:
        """Number of shots."""
        return len(self.x_ft)

    def take(self, rows: slice | Ints | NDArray[np.bool_]) -> "Facts":
        """The same facts of some rows only."""
        picked = {name: getattr(self, name)[rows] for name in ARRAYS}
        return replace(self, **picked)

    def without_action(self) -> "Facts":
        """The same shots with the action type withheld."""
        return replace(self, action=np.full(len(self), NO_ACTION, np.int64))

    def after(self, day: int | None) -> slice:
        """Rows of later days than `day`, all for None; the facts must be sorted by day."""
        first = 0 if day is None else int(np.searchsorted(self.day, day, "right"))
        return slice(first, len(self))

    def by_day(self) -> Iterator[tuple[int, slice]]:
        """Days in order with their rows; the facts must be sorted by day."""
        if not len(self):
            return
        # Sorted days make runs: a run ends where the next day differs.
        edges = np.flatnonzero(np.diff(self.day)) + 1
        starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(self)]
        for start, end in zip(starts, ends, strict=True):
            yield int(self.day[start]), slice(start, end)


ARRAYS: Final = tuple(f.name for f in fields(Facts) if f.name != "actions")


def normal_action(words: str) -> str:
    """The scorer's words in one spelling: lower case, single spaces."""
    return " ".join(words.lower().split())


GIVEN: Final = (
    *("player_id", "period", "clock_s", "x_ft", "y_ft", "game_date", "team_id", "home_team"),
    *("away_team", "shot_value", "action_type", "since_last_shot_s", "last_shot_own"),
    *("last_shot_made", "player_attempts", "player_makes"),
)
"""What requests carry and facts are made of."""


def from_records(records: Sequence[Mapping[str, Any]], today: date) -> Facts:
    """Facts of single shots, as requests carry them.

    Each record holds `player_id`, `period`, `clock_s`, `x_ft`, `y_ft` and, where known, `game_date`
    (default `today`), `team_id`, `home_team`, `away_team`, `shot_value` (default: by the place),
    `action_type` and the facts of the game before the shot.
    """
    columns = {name: [record.get(name) for record in records] for name in GIVEN}
    return from_columns(columns, len(records), today)


def from_columns(columns: Mapping[str, Sequence[Any]], size: int, today: date) -> Facts:
    """Facts of so many shots from columns of `GIVEN`, None where a fact is not known.

    A column may be left out if it is known of no shot, and be an array if it is known of all.
    """
    given = _Columns(columns, size)
    x_ft, y_ft = given.numbers("x_ft"), given.numbers("y_ft")
    shot_value = given.whole_numbers("shot_value")
    actions, action = _action_codes(given.column("action_type"))
    opponent_id, is_home = _opponents(given)
    return Facts(
        day=_days(given.column("game_date"), today),
        player_id=given.whole_numbers("player_id"),
        team_id=given.whole_numbers("team_id", league.UNKNOWN_TEAM),
        opponent_id=opponent_id,
        is_home=is_home,
        period=given.whole_numbers("period"),
        clock_s=given.numbers("clock_s"),
        x_ft=x_ft,
        y_ft=y_ft,
        shot_value=np.where(shot_value > 0, shot_value, court.shot_value(x_ft, y_ft)),
        action=action,
        actions=actions,
        since_last_shot_s=given.numbers("since_last_shot_s"),
        last_shot_own=given.numbers("last_shot_own"),
        last_shot_made=given.numbers("last_shot_made"),
        player_attempts=given.numbers("player_attempts"),
        player_makes=given.numbers("player_makes"),
    )


class _Columns:
    """Columns of `GIVEN` for `size` shots; one that is left out is None for every shot."""

    def __init__(self, columns: Mapping[str, Sequence[Any]], size: int) -> None:
        self._columns = columns
        self._unknown: Sequence[Any] = [None] * size

    def column(self, name: str) -> Sequence[Any]:
        """The values as they came."""
        return self._columns.get(name, self._unknown)

    def numbers(self, name: str) -> Floats:
        """The values as numbers, NaN where they are not known."""
        return np.array(self.column(name), np.float64)  # numpy makes NaN of None

    def whole_numbers(self, name: str, default: int = 0) -> Ints:
        """The values as whole numbers, `default` where they are not known."""
        values = self.column(name)
        # An array holds no None, and to look for one would compare all of its values.
        if not isinstance(values, np.ndarray) and None in values:
            values = [default if value is None else value for value in values]
        return np.array(values, np.int64)


# Many shots share an action, a day or a game. Each different one is looked up once, and rows
# take the result by index: a batch of thousands of shots then costs little more than its arrays.


def _action_codes(words: Sequence[str | None]) -> tuple[tuple[str, ...], Ints]:
    """Distinct normalised actions, sorted, and each shot's index into them or NO_ACTION."""
    normal = {word: normal_action(word or "") for word in set(words)}
    actions = tuple(sorted({word for word in normal.values() if word}))
    code = {word: index for index, word in enumerate(actions)}
    codes = {word: code.get(spelling, NO_ACTION) for word, spelling in normal.items()}
    return actions, np.array([codes[word] for word in words], np.int64)


def _days(dates: Sequence[date | None], today: date) -> Ints:
    """Days since 1970-01-01; a shot without a date is of `today`."""
    days = {day: ((day or today) - EPOCH).days for day in set(dates)}
    return np.array([days[day] for day in dates], np.int64)


def _opponents(given: _Columns) -> tuple[Ints, Floats]:
    """Each shot's opponent and whether its shooter is at home, see `opponent_of`."""

    def games() -> Iterator[tuple[Any, ...]]:
        # Made twice rather than kept in a list: thousands of tuples that live on are work for the
        # garbage collector.
        return zip(*map(given.column, ("team_id", "home_team", "away_team")), strict=True)

    row = {game: index for index, game in enumerate(set(games()))}
    teams = np.array(
        [
            opponent_of(team or league.UNKNOWN_TEAM, home or "", away or "")
            for team, home, away in row
        ],
        np.float64,
    ).reshape(-1, 2)
    opponent_id, is_home = teams[[row[game] for game in games()]].T
    return opponent_id.astype(np.int64), is_home


def opponent_of(team_id: int, home_team: str, away_team: str) -> tuple[int, float]:
    """The opponent's franchise, and whether the shooter is at home (NaN where it is not known)."""
    opponent = league.opponent_id(team_id, home_team, away_team)
    if opponent == league.UNKNOWN_TEAM:
        return opponent, float("nan")
    return opponent, float(team_id == league.franchise(home_team))
