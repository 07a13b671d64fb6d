"""Shots' JSON where nothing is wrong with it, in a third of the time that `requests` takes.

The rules are those of `shot.SHOT`, compiled by msgspec. What does not meet them is left to
`requests`, which finds the words for it and knows more ways to write a date. A test holds both to
each other.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import chain
from operator import getitem
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import astuple

from parivision.serving.shot import FIELDS, MAX_SHOTS, REQUIRED, SHOTS, Rows, Shot, rules_of
from parivision.shots.contradictions import first_of_columns
from parivision.shots.league import ALL_STAR_TEAMS, FRANCHISE
from parivision.shots.limits import MAX_DATE, MIN_DATE

_DATES: Final = (date,)
_TEAMS: Final = frozenset((*FRANCHISE, *ALL_STAR_TEAMS, None))
"""Teams in the usual spelling; other spellings are looked at more closely."""


def shot(body: bytes) -> Shot | None:
    """The shot that a body is, or None where the general code has to look."""
    try:
        decoded = _ONE.decode(body)
    except ValueError:
        return None
    # What the body does not name is left out; null stays.
    facts: Shot = msgspec.to_builtins(decoded, builtin_types=_DATES)
    day, words = facts.get("game_date"), facts.get("action_type")
    if day is not None and not MIN_DATE <= day <= MAX_DATE:
        return None
    # Not all of these are refused (a no-break space is fine); `requests` looks at each letter.
    if words is not None and not words.isprintable():
        return None
    is_usual = facts.get("home_team") in _TEAMS and facts.get("away_team") in _TEAMS
    return facts if is_usual else None


def of_list(body: bytes) -> Rows | None:
    """The shots of a body with a list of them, or None as above."""
    try:
        return _rows(getattr(_LIST.decode(body), SHOTS))
    except ValueError:
        return None


def of_lines(lines: Sequence[bytes]) -> Rows | None:
    """The shots of lines, one each, or None as above."""
    try:
        return _rows(_EACH.decode_lines(b"\n".join(lines)))
    except ValueError:
        return None


def _rows(shots: Sequence[Any]) -> Rows | None:
    """Shots in columns; None if one of them cannot be or is unusual, or there are none."""
    # A fifth of the time that it takes to walk over all shots for each column.
    values, width = list(chain.from_iterable(map(astuple, shots))), len(FIELDS)
    columns = {name: values[index::width] for index, name in enumerate(FIELDS)}
    known = {
        name: column
        for name, column in columns.items()
        if any(value is not None for value in column)
    }
    days = {MIN_DATE, *known.get("game_date", ())} - {None}
    if not shots or min(days) < MIN_DATE or max(days) > MAX_DATE:
        return None
    words = {*known.get("action_type", ())} - {None}
    teams = {*known.get("home_team", ()), *known.get("away_team", ())}
    if not teams <= _TEAMS or not all(map(str.isprintable, words)):
        return None
    return Rows(known, len(shots)) if first_of_columns(known) is None else None


def _struct(missing: Any) -> type[msgspec.Struct]:
    """A shot; `missing` is what a fact that is not named becomes: None, or nothing at all."""
    fields = []
    for name in FIELDS:
        rules, may_be_null = rules_of(name)
        kind = _kind(rules) | None if may_be_null else _kind(rules)
        fields.append((name, kind) if name in REQUIRED else (name, kind | type(missing), missing))
    # gc=False: a shot cannot be part of a cycle, so the garbage collector need not visit it.
    return msgspec.defstruct("Shot", fields, forbid_unknown_fields=True, gc=False)


def _kind(rules: Mapping[str, Any]) -> Any:
    """The type that a value's JSON schema describes."""
    if "enum" in rules:
        # msgspec has no literals of booleans: true and false are a type beside the numbers.
        numbers = tuple(each for each in rules["enum"] if not isinstance(each, bool))
        kind = getitem(Literal, numbers)
        return kind if len(numbers) == len(rules["enum"]) else kind | bool
    if rules["type"] == "string":
        if rules.get("format") == "date":
            return date
        bounds = msgspec.Meta(min_length=rules["minLength"], max_length=rules["maxLength"])
        return Annotated[str, bounds]
    number_type = {"integer": int, "number": float}[rules["type"]]
    return Annotated[number_type, msgspec.Meta(ge=rules.get("minimum"), le=rules.get("maximum"))]


_ROW: Final = _struct(None)
_SHOTS: Final = Annotated[list[_ROW], msgspec.Meta(min_length=1, max_length=MAX_SHOTS)]  # type: ignore[valid-type]
_ONE: Final = msgspec.json.Decoder(_struct(msgspec.UNSET))
_EACH: Final = msgspec.json.Decoder(_ROW)
_LIST: Final = msgspec.json.Decoder(
    msgspec.defstruct("Shots", [(SHOTS, _SHOTS)], forbid_unknown_fields=True)
)
