"""The one writer of JSON: what it writes is JSON for every parser.

Python's own writes `NaN` and `Infinity`, which no parser but its own reads. Here a number that is
not finite is null, numpy's values are numbers and lists, days and moments are ISO 8601, and keys
are texts. Reading is Python's own, which still takes the bare `NaN` of older files.

Not through here go answers and logs of shots, by msgspec and pydantic-core, and tables, by Polars:
these are fast and write null for such numbers themselves. A test holds the library to that list.
"""

import dataclasses
import json
import math
from collections.abc import Mapping, Set
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

_TEXTS: Final = (PurePath, UUID)
_COMPACT: Final = (",", ":")


def text(
    values: Any,
    *,
    indent: int | None = None,
    sort_keys: bool = False,
    compact: bool = False,
    exact: bool = False,
) -> str:
    """Values as a JSON document; `compact` leaves out all blanks.

    With `exact` a number that is not finite is a ValueError in place of null: for a state of plain
    values that is read back and must not lose one. TypeError for what JSON has no word for,
    ValueError where two keys become the same text.
    """
    return json.dumps(
        values if exact else plain(values),
        indent=indent,
        sort_keys=sort_keys,
        separators=_COMPACT if compact else None,
        allow_nan=False,
    )


def line(values: Any) -> str:
    """Values as one line of NDJSON, with its end."""
    return f"{text(values)}\n"


def finite(values: Mapping[str, float | int | None]) -> dict[str, float]:
    """Only the numbers that there are, for stores of metrics, which have no null."""
    return {k: float(v) for k, v in values.items() if v is not None and math.isfinite(v)}


def plain(value: Any) -> Any:
    """The value as dicts, lists, texts, finite numbers, booleans and None, all the way down."""
    # First: a member of StrEnum is a text too, and one of IntEnum a number.
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return _converted(value)


def _converted(value: Any) -> Any:
    """The rarer kinds: sets in order, numpy's and Polars' values, days, moments and paths."""
    if isinstance(value, Set):
        return sorted((plain(each) for each in value), key=lambda each: (str(type(each)), each))
    # By name and not by type: nothing here imports numpy or Polars.
    for name in ("tolist", "to_list"):
        if hasattr(value, name):
            return plain(getattr(value, name)())
    if isinstance(value, date | time):  # a moment (datetime) is a day too
        return value.isoformat()
    if isinstance(value, _TEXTS):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    raise TypeError(
        f"JSON has no word for a {type(value).__name__} ({value!r:.80}): give numbers, texts, "
        "lists and mappings."
    )


def _object(values: Mapping[Any, Any]) -> dict[str, Any]:
    members = {_key(key): plain(value) for key, value in values.items()}
    if len(members) < len(values):
        raise ValueError(f"two keys of {list(values)!r:.200} are the same text in JSON.")
    return members


def _key(key: Any) -> str:
    """A key as text: JSON's own word for numbers, booleans and null."""
    value = plain(key)
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    raise TypeError(f"a key of a JSON object is a text; {key!r:.80} is a {type(key).__name__}.")
