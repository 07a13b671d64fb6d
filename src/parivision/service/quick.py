"""Shots' JSON where nothing is wrong with it, in a third of the time that `requests` takes.

The rules are those of `shot.SHOT`, compiled by msgspec. What does not meet them is left to
`requests`, which finds the words for it and knows more ways to write a date. A test holds both to
each other.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from operator import getitem
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec.structs import astuple

from parivision.limits import MAX_DATE, MIN_DATE
from parivision.service.shot import FIELDS, REQUIRED, Shot, rules_of

_DATES: Final = (date,)


def shot(body: bytes) -> Shot | None:
    """The shot that a body is, or None for a closer look."""
    try:
        found = _ONE.decode(body)
    except ValueError:
        return None
    # What the body does not name is left out; null stays.
    facts: Shot = msgspec.to_builtins(found, builtin_types=_DATES)
    day = facts.get("game_date")
    return facts if day is None or MIN_DATE <= day <= MAX_DATE else None


def columns(lines: Sequence[bytes]) -> dict[str, Sequence[Any]] | None:
    """The columns of shots, one to a line, None where a fact is not known; or None as above."""
    try:
        found = _EACH.decode_lines(b"\n".join(lines))
    except ValueError:
        return None
    columns: dict[str, Sequence[Any]] = dict(
        zip(FIELDS, zip(*map(astuple, found), strict=True), strict=True)
    )
    days = {MIN_DATE, *columns["game_date"]} - {None}
    return columns if min(days) == MIN_DATE and max(days) <= MAX_DATE else None


def _decoder(missing: Any) -> msgspec.json.Decoder[Any]:
    """What a fact that is not named becomes: None, or nothing at all (UNSET)."""
    fields = []
    for name in FIELDS:
        rules, may_be_null = rules_of(name)
        kind = _kind(rules) | None if may_be_null else _kind(rules)
        fields.append((name, kind) if name in REQUIRED else (name, kind | type(missing), missing))
    struct = msgspec.defstruct("Shot", fields, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(struct)


def _kind(rules: Mapping[str, Any]) -> Any:
    """The type that a value's JSON schema describes."""
    if "enum" in rules:
        numbers = tuple(each for each in rules["enum"] if not isinstance(each, bool))
        kind = getitem(Literal, numbers)
        return kind if len(numbers) == len(rules["enum"]) else kind | bool
    if rules["type"] == "string":
        if rules.get("format") == "date":
            return date
        bounds = msgspec.Meta(min_length=rules["minLength"], max_length=rules["maxLength"])
        return Annotated[str, bounds]
    of = {"integer": int, "number": float}[rules["type"]]
    return Annotated[of, msgspec.Meta(ge=rules.get("minimum"), le=rules.get("maximum"))]


_ONE: Final = _decoder(msgspec.UNSET)
_EACH: Final = _decoder(None)
