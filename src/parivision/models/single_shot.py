"""One shot at a time: the prediction of `Bundle.predict`, without arrays.

A request is one row, and an array of one costs as much as one of a hundred. So the form is spread
out once into plain numbers, and a row's features are computed by the same formulas, in the same
order. Tests compare both ways for every family.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np

from parivision.features import matrix
from parivision.features.form import BIN_FT, PRIOR_RATE, SHARE_SHRINKAGE, SHRINKAGE, Form
from parivision.models.bundle import NEWER_SHARE, WITH_ACTION, WITHOUT_ACTION, Bundle, Part
from parivision.models.recalibration import CLIP
from parivision.shots import actions, court, league
from parivision.shots.facts import normal_action
from parivision.shots.limits import RANGES

Row = tuple[float, ...]
_NAN: Final = math.nan
# Words that are remembered; a client that makes up more only loses time.
_WORDS: Final = 1024
_TOP: Final = 1 - CLIP
_OF_ACTION: Final = SHRINKAGE["action"]
_FARTHEST_FT: Final = RANGES["distance_ft"].high or 0.0
_NO_FLAGS: Final = (0.0,) * len(actions.MODIFIERS)
_OF_PLAYER: Final = (
    "player_overall",
    "player_recent",
    "player_zone",
    "player_zone_action",
    "player_zone_share",
    "player_volume",
)
# What `Single` computes of every shot, in this order.
_COMPUTED: Final = (
    *matrix.PLACE,
    *matrix.CLOCK,
    "rate_zone",
    "rate_place",
    *_OF_PLAYER,
    "team_zone",
    "opponent_zone",
    *matrix.GAME,
    "Shot_Distance_Meters",
    "Player_ID",
    "rate_action",
    "action_distance",
    "player_family",
    "action_family",
    *(f"action_{name}" for name in actions.MODIFIERS),
)
_ALIASES: Final = {
    "Total_Seconds_Remaining": "clock_s",
    "Shot_Type_Encoded": "shot_value",
    "Shot_Zone_Combined": "zone",
    "X": "x_ft",
    "Y": "y_ft",
}


class ShotPrediction(NamedTuple):
    """The prediction of one shot: a probability, the points it is worth, and its zone's number."""

    p_made: float
    shot_value: int
    zone: int


class CourtPosition(NamedTuple):
    """A place on the court, as `parivision.shots.court` sees it."""

    distance_ft: float
    angle_deg: float
    value: int
    zone: int

    @classmethod
    def of(cls, x_ft: float, y_ft: float) -> "CourtPosition":
        """Distance, angle, points and zone of a place whose coordinates are finite."""
        # The last digit decides on which side of a line a shot is. NumPy's hypot is the C
        # library's, as abs is (math.hypot is not).
        r = abs(complex(x_ft, y_ft))
        angle = math.degrees(_arctan2()(x_ft, y_ft))
        is_low = y_ft <= court.CORNER_TOP_Y_FT
        is_three = abs(x_ft) >= court.CORNER_X_FT if is_low else r >= court.ARC_RADIUS_FT
        return cls(r, angle, 3 if is_three else 2, _zone(x_ft, y_ft, r, angle, is_three=is_three))


@cache
def _arctan2() -> Callable[[float, float], float]:
    """The arctangent of y / x that gives NumPy's result to the last digit, and is fastest.

    NumPy calls the C library's, as `math` does in a third of the time. On processors with AVX-512
    NumPy has code of its own, whose last digit differs now and then: then it is NumPy's.
    """
    x, y = np.meshgrid(np.linspace(-26, 26, 97), np.linspace(-6, 90, 97))
    pairs = zip(x.ravel().tolist(), y.ravel().tolist(), strict=True)
    is_same = np.arctan2(x, y).ravel().tolist() == [math.atan2(*pair) for pair in pairs]
    return math.atan2 if is_same else np.arctan2


def _zone(x: float, y: float, r: float, angle: float, *, is_three: bool) -> int:
    """`court.zone` of one place."""
    if y > court.BACKCOURT_Y_FT:
        return int(court.Zone.BACKCOURT_OTHER)
    if is_three:
        is_low = y <= court.CORNER_TOP_Y_FT
        return int(court.Zone.CORNER_3 if is_low else court.Zone.ABOVE_BREAK_3)
    if r < court.RESTRICTED_RADIUS_FT:
        return int(court.Zone.RESTRICTED_AREA)
    if abs(x) <= court.PAINT_HALF_WIDTH_FT and y <= court.PAINT_TOP_Y_FT:
        return int(court.Zone.PAINT)
    is_far = r >= court.WING_RADIUS_FT
    is_left = angle > court.WING_ANGLE_DEG if is_far else x > court.PAINT_HALF_WIDTH_FT
    return int(court.Zone.MID_RANGE_LEFT if is_left else court.Zone.MID_RANGE_RIGHT_CENTRE)


class SingleShotPredictor:
    """Answers shots one by one; threads may share it, and it never changes."""

    def __init__(self, bundle: Bundle) -> None:
        """Spread out a bundle; games that the bundle follows later are not seen."""
        self._form = _Form(bundle.form)
        self._without = _scorer(bundle.parts[WITHOUT_ACTION])
        part = bundle.parts.get(WITH_ACTION)
        self._with = self._without if part is None else _scorer(part)
        self._action = lru_cache(_WORDS)(self._form.action)

    def __call__(self, shot: Mapping[str, Any]) -> ShotPrediction:
        """The prediction of a shot: what `facts.from_records` takes, with its place in range."""
        get = shot.get
        x, y = shot["x_ft"], shot["y_ft"]
        position = CourtPosition.of(x, y)
        value = get("shot_value") or position.value
        words = normal_action(get("action_type") or "")
        team = get("team_id") or league.UNKNOWN_TEAM
        home = get("home_team") or ""
        opponent = league.opponent_id(team, home, get("away_team") or "")
        is_home = _NAN
        if opponent != league.UNKNOWN_TEAM:
            is_home = float(team == league.franchise(home))
        period, clock_s, player = shot["period"], shot["clock_s"], shot["player_id"]
        league_rates = self._form.near(position)
        row = (
            *(x, y, abs(x), position.distance_ft, position.angle_deg, position.zone, value),
            *(period, clock_s, _elapsed_s(period, clock_s), is_home),
            *league_rates,
            *self._form.of(position, player, team, opponent),
            *[_NAN if fact is None else fact for fact in map(get, matrix.GAME)],
            *(position.distance_ft * court.FEET_TO_METRES, player),
            *self._form.of_action(self._action(words), position, player, league_rates[1]),
        )
        p_made = self._with(row) if words else self._without(row)
        return ShotPrediction(p_made, value, position.zone)


def _elapsed_s(period: int, clock_s: float) -> float:
    if period <= 4:
        return period * matrix.REGULATION_S - clock_s
    return 4 * matrix.REGULATION_S + (period - 4) * matrix.OVERTIME_S - clock_s


@dataclass(frozen=True, slots=True)
class _Action:
    """What is known of an action: its row in the form, its family, and its modifiers."""

    row: int
    family: int
    flags: Row


class _Form:
    """A form as nested lists of rates; index 0 is nobody, and zones count from 0."""

    def __init__(self, form: Form) -> None:
        rates, tallies = _Rates(form), form.tallies
        self._league = [_to_the_end(zone, BIN_FT) for zone in rates.league()]
        self._players = dict(zip(form.players.tolist(), range(len(form.players)), strict=True))
        self._teams = dict(zip(form.teams.tolist(), range(len(form.teams)), strict=True))
        self._of_player = rates.players()
        self._families = rates.residual("player_family")
        self._team, self._opponent = rates.residual("team_zone"), rates.residual("opponent_zone")
        self._rows = {word: index + 1 for index, word in enumerate(form.actions)}
        self._attempts = tallies["action"].attempts.tolist()
        self._successes = tallies["action"].successes.tolist()
        self._by_foot = [_to_the_end(row, 1) for row in rates.residual("action_distance")]

    def near(self, position: CourtPosition) -> Row:
        """The league's rates from the zone and from the place."""
        rates: Row = self._league[position.zone - 1][int(position.distance_ft // BIN_FT)]
        return rates

    def of(self, position: CourtPosition, player: int, team: int, opponent: int) -> Row:
        """What the shooter and the teams do from there."""
        zone, teams = position.zone - 1, self._teams.get
        return (
            *self._of_player[self._players.get(player, 0)][zone],
            self._team[teams(team, 0)][zone],
            self._opponent[teams(opponent, 0)][zone],
        )

    def of_action(
        self, action: _Action, position: CourtPosition, player: int, rate_place: float
    ) -> Row:
        """What needs the action, or what is known of no action in particular."""
        zone, row = position.zone - 1, action.row
        rate = self._successes[row][zone] + _OF_ACTION * rate_place
        return (
            rate / (self._attempts[row][zone] + _OF_ACTION),
            self._by_foot[row][int(position.distance_ft)],
            self._families[self._players.get(player, 0)][action.family],
            action.family,
            *action.flags,
        )

    def action(self, words: str) -> _Action:
        """What normalised words say; no words: no action."""
        if not words:
            return _Action(0, 0, _NO_FLAGS)
        return _Action(
            row=self._rows.get(words, 0),
            family=actions.FAMILIES.index(actions.family(words)),
            flags=tuple(float(part in words) for part in actions.MODIFIERS.values()),
        )


def _to_the_end(rates: list[Any], step_ft: float) -> list[Any]:
    """Rates by distance with the last one for all farther places on the court."""
    # So that a place needs no comparison with the last bin when it is looked up.
    return rates + rates[-1:] * (int(_FARTHEST_FT // step_ft) + 1 - len(rates))


class _Rates:
    """All rates of a form at once, by the formulas of `Form.lookup`."""

    def __init__(self, form: Form) -> None:
        self._tallies = form.tallies

    def residual(self, name: str) -> Any:
        """A tally's rates, shrunken to nobody's, as nested lists."""
        return self._tallies[name].rate((), 0.0, SHRINKAGE[name]).tolist()

    def league(self) -> Any:
        """By zone and bin of distance: the rates of the zone and of the place, as pairs."""
        by_zone = self._tallies["zone"].rate((), PRIOR_RATE, SHRINKAGE["zone"])[:, None]
        by_place = self._tallies["place"].rate((), by_zone, SHRINKAGE["place"])
        table = np.stack(np.broadcast_arrays(by_zone, by_place), axis=-1)
        return [[tuple(position) for position in zone] for zone in table.tolist()]

    def players(self) -> Any:
        """By player and zone: the features `_OF_PLAYER`."""
        tallies = self._tallies
        volume = tallies["player"].attempts[:, None]
        overall = tallies["player"].rate((), 0.0, SHRINKAGE["player"])[:, None]
        recent = tallies["player_recent"].rate((), 0.0, SHRINKAGE["player_recent"])[:, None]
        in_zone = tallies["player_zone"].rate((), overall, SHRINKAGE["player_zone"])
        of_action = tallies["player_zone_action"].rate((), 0.0, SHRINKAGE["player_zone_action"])
        share = tallies["player_zone"].attempts / (volume + SHARE_SHRINKAGE)
        columns = np.broadcast_arrays(overall, recent, in_zone, of_action, share, volume)
        table = np.stack(columns, axis=-1)
        return [[tuple(zone) for zone in player] for player in table.tolist()]


def _scorer(part: Part) -> Callable[[Row], float]:
    """From the features in `_COMPUTED` to a part's probability, as `Part.predict` gives it."""
    names = [_COMPUTED.index(_ALIASES.get(name, name)) for name in part.names]
    # With one index it would not give a tuple.
    pick = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    predict_row = part.estimator.one
    shift, slope = part.recalibration.shift_and_slope

    def own(row: Row) -> float:
        return _sigmoid(shift + slope * _logit(predict_row(pick(row))))

    if part.partner is None:
        return own
    partner = _scorer(part.partner)

    def blended(row: Row) -> float:
        newer, older = _logit(own(row)), _logit(partner(row))
        return _sigmoid(NEWER_SHARE * newer + (1 - NEWER_SHARE) * older)

    return blended


def _logit(p: float) -> float:
    """Log odds, as `recalibration.logit`; NaN stays NaN."""
    inside = CLIP if p < CLIP else min(p, _TOP)
    return math.log(inside / (1 - inside))


def _sigmoid(eta: float) -> float:
    return 1.0 / (1.0 + math.exp(-eta))
