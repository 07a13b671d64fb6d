"""The facts of a shot as a request carries them: types, ranges, and each field's meaning in words.

A field's description says what is expected of it; refusals and the OpenAPI document quote it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Final, Literal, NamedTuple, Required

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from parivision.shots import league, spellings
from parivision.shots.game_clock import LAST_PERIOD, LONGEST_GAME_S
from parivision.shots.limits import CONTROL_CHARACTERS, LARGEST_ID, MAX_DATE, MIN_DATE, RANGES

SHOTS: Final = "shots"
"""The field of a request with many."""
TEAMS: Final = frozenset(("home_team", "away_team"))
MAX_SHOTS: Final = 10_000
MAX_TEXT: Final = 100
MOST_ATTEMPTS: Final = 200
"""More than twice the shots that any player has taken in a game."""


_control: Final = re.compile(CONTROL_CHARACTERS).search


def day(text: str) -> date | None:
    """The day that a text means, as `spellings.day` reads it in files.

    05/11/2025 is none: a file shows whether its days come first, a request does not.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None if spellings.is_either_first(text) else spellings.day(text)


def is_usable(name: str, text: str) -> bool:
    """Whether a text may be that of a field: no control characters, and a team that there is."""
    is_clean = text.isprintable() or not _control(text)
    return is_clean and (name not in TEAMS or league.is_known(text))


def whole(value: object) -> object:
    """The whole number that a JSON number means; 4.0 is 4, as in tables with missing values.

    Anything else stays for the check of the type: a number in quotes is a text.
    """
    if not isinstance(value, float):
        return value
    meant = spellings.whole(str(value))
    return value if meant is None else meant


def _iso_date(value: object) -> object:
    return (day(value) or value) if isinstance(value, str) else value


def _usable(name: str) -> AfterValidator:
    """The check of a field's text by `is_usable`, for pydantic."""

    def checked(text: str | None) -> str | None:
        if text is not None and not is_usable(name, text):
            raise ValueError(name)
        return text

    return AfterValidator(checked)


def _number(low: float | None, high: float | None, meaning: str) -> Any:
    described = f"a number from {low:g} to {high:g} ({meaning})"
    return Field(ge=low, le=high, allow_inf_nan=False, description=described)


def _whole(low: int, high: int, meaning: str) -> Any:
    upper = " on" if high == LARGEST_ID else f" to {high}"
    return Field(ge=low, le=high, description=f"a whole number from {low}{upper} ({meaning})")


def _text(meaning: str) -> Any:
    described = f"a text of 1 to {MAX_TEXT} characters, none of them a control one ({meaning})"
    return Field(min_length=1, max_length=MAX_TEXT, description=described)


def _team(meaning: str) -> Any:
    described = (
        f"a team's abbreviation ({meaning}, the league's or an All Star team's; null for any other)"
    )
    return Field(min_length=1, max_length=MAX_TEXT, description=described)


def _within(name: str, meaning: str) -> Any:
    return _number(RANGES[name].low, RANGES[name].high, meaning)


_WHOLE: Final = BeforeValidator(whole)
_Flag = Literal[False, True, 0, 1]


@with_config(ConfigDict(extra="forbid", strict=True))
class Shot(TypedDict, total=False):
    """The facts of one shot, taken or imagined.

    Five are required. The others make the answer better; null stands for not known.
    """

    player_id: Required[
        Annotated[int, _whole(1, LARGEST_ID, "the league's number of the shooter"), _WHOLE]
    ]
    period: Required[Annotated[int, _whole(1, LAST_PERIOD, "overtimes from 5 on"), _WHOLE]]
    clock_s: Required[Annotated[float, _within("clock_s", "seconds left in the period")]]
    x_ft: Required[
        Annotated[float, _within("x_ft", "feet across the court from the hoop, left is positive")]
    ]
    y_ft: Required[Annotated[float, _within("y_ft", "feet from the hoop towards mid-court")]]
    game_date: Annotated[
        Annotated[date, Field(ge=MIN_DATE, le=MAX_DATE)] | None,
        BeforeValidator(_iso_date, json_schema_input_type=date | None),
        Field(description=f"a date from {MIN_DATE} to {MAX_DATE} (the game's day; else today)"),
    ]
    game_id: Annotated[int | None, _whole(1, LARGEST_ID, "the league's number of the game"), _WHOLE]
    event_id: Annotated[
        int | None,
        _whole(0, LARGEST_ID, "the shot's number in the game; a label, never a feature"),
        _WHOLE,
    ]
    team_id: Annotated[
        int | None, _whole(1, LARGEST_ID, "the league's number of the shooter's team"), _WHOLE
    ]
    home_team: Annotated[str | None, _team("the home team's, such as BOS"), _usable("home_team")]
    away_team: Annotated[
        str | None, _team("the visiting team's, such as LAL"), _usable("away_team")
    ]
    shot_value: Annotated[
        Literal[2, 3] | None,
        Field(description="2 or 3 (points if it goes in; else what the place is worth)"),
    ]
    action_type: Annotated[
        str | None,
        _text("the scorer's words for the shot, such as Driving Layup Shot"),
        _usable("action_type"),
    ]
    since_last_shot_s: Annotated[
        float | None, _number(0, LONGEST_GAME_S, "seconds since the last shot of the game")
    ]
    last_shot_own: Annotated[
        _Flag | None,
        Field(description="true or false (whether the shooter's team took the game's last shot)"),
    ]
    last_shot_made: Annotated[
        _Flag | None, Field(description="true or false (whether the game's last shot went in)")
    ]
    player_attempts: Annotated[
        int | None,
        _whole(0, MOST_ATTEMPTS, "the shooter's shots in this game before this one"),
        _WHOLE,
    ]
    player_makes: Annotated[
        int | None, _whole(0, MOST_ATTEMPTS, "those of player_attempts that went in"), _WHOLE
    ]


class Rows(NamedTuple):
    """So many shots in columns, None where a fact is not known.

    A column may be left out if it is known of no shot, and be an array if it is known of all.
    """

    columns: Mapping[str, Sequence[Any]]
    size: int

    @classmethod
    def of(cls, shots: Sequence[Shot]) -> "Rows":
        """Shots that are records."""
        named = {name for shot in shots for name in shot}
        columns = {name: [shot.get(name) for shot in shots] for name in FIELDS if name in named}
        return cls(columns, len(shots))


SHOT: Final = TypeAdapter(Shot)
_SCHEMA: Final = SHOT.json_schema()
REQUIRED: Final[Sequence[str]] = _SCHEMA["required"]
FIELDS: Final[Mapping[str, str]] = {
    name: described["description"] for name, described in _SCHEMA["properties"].items()
}
"""Name of each field to what is expected of it, in words."""


def rules_of(name: str) -> tuple[Mapping[str, Any], bool]:
    """What a field's value must be (JSON schema), and whether null may stand for it."""
    described = _SCHEMA["properties"][name]
    return described.get("anyOf", [described])[0], "anyOf" in described
