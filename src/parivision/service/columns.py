"""Shots as columns: the requests and answers of the Open Inference Protocol, version 2.

Every fact of a shot is an input tensor of its own, of shape [n] or [n, 1]; null stands for not
known. Ten thousand shots are checked with some operations on whole columns, by the same ranges as
single ones: those of `shot.SHOT`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

import msgspec
import numpy as np

from parivision.limits import MAX_DATE, MIN_DATE
from parivision.service import quick
from parivision.service.predictor import Answer, Predictor
from parivision.service.requests import MAX_SHOTS, Problem, Refusal, quote, read
from parivision.service.shot import FIELDS, REQUIRED, rules_of

Column = Sequence[Any]
_TEXTS: Final = "BYTES"
_NUMBERS: Final = frozenset(
    (
        "BOOL",
        "FP16",
        "FP32",
        "FP64",
        *(f"{s}INT{bits}" for s in ("", "U") for bits in (8, 16, 32, 64)),
    )
)
_OUTPUTS: Final = (("p_made", "FP64"), ("expected_points", "FP64"), ("zone_code", "INT64"))


@dataclass(frozen=True)
class Rows:
    """Shots in columns, as records when somebody reads them."""

    columns: Mapping[str, Column]
    size: int

    def __len__(self) -> int:
        """Number of shots."""
        return self.size

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The shots one by one, without what is not known of them."""
        plain = [
            column.tolist() if isinstance(column, np.ndarray) else column
            for column in self.columns.values()
        ]
        for values in zip(*plain, strict=True):
            pairs = zip(self.columns, values, strict=True)
            yield {name: value for name, value in pairs if value is not None}


@dataclass(frozen=True)
class Asked:
    """An inference request: its shots, and the id that it wants back."""

    shots: Rows
    id: str | None


def parse(body: bytes) -> Asked:
    """The shots of an inference request; raises Refusal (400 or 422) for anything else."""
    try:
        content = read(body)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from error
    inputs = content.get("inputs") if isinstance(content, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise _wrong("inputs", "a list of tensors, one for each fact", inputs)
    if len(inputs) > len(FIELDS):
        raise _wrong("inputs", f"at most the {len(FIELDS)} facts of a shot", inputs)
    columns: dict[str, Column] = {}
    sizes = set()
    for tensor in inputs:
        name, size, data = _tensor(tensor)
        columns[name] = _checked(name, data)
        sizes.add(size)
    if len(sizes) > 1:
        raise _wrong("shape", "the same number of shots in all inputs", sorted(sizes))
    _check_together(columns)
    id_ = content.get("id")
    return Asked(Rows(columns, sizes.pop()), id_ if isinstance(id_, str) else None)


def of_lines(lines: Sequence[bytes]) -> Rows | None:
    """The shots of lines of JSON, one each; None when there is something to say about one."""
    columns = quick.columns(lines)
    if columns is None:
        return None
    try:
        _check_together(columns)
    except Refusal:
        return None
    return Rows(columns, len(lines))


def answer(asked: Asked, said: Answer, predictor: Predictor, request_id: str) -> bytes:
    """The answer; a shot's outcome may be reported by the prediction's id, "-" and its place."""
    values = (said.p_made, said.expected_points, said.zone)
    outputs = [
        {"name": name, "datatype": kind, "shape": [len(asked.shots)], "data": column.tolist()}
        for (name, kind), column in zip(_OUTPUTS, values, strict=True)
    ]
    return msgspec.json.encode(
        {
            "model_name": predictor.champion.name,
            "model_version": predictor.champion.version,
            **({} if asked.id is None else {"id": asked.id}),
            "parameters": {"prediction_id": request_id},
            "outputs": outputs,
        }
    )


def metadata(predictor: Predictor) -> dict[str, Any]:
    """What the protocol wants to know of a model: its inputs and outputs."""
    inputs = [{"name": name, "datatype": _datatype(name), "shape": [-1]} for name in FIELDS]
    outputs = [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in _OUTPUTS]
    return {
        "name": predictor.champion.name,
        "versions": [predictor.champion.version],
        "platform": "parivision",
        "inputs": inputs,
        "outputs": outputs,
    }


def _datatype(name: str) -> str:
    rules, _ = rules_of(name)
    return {"string": _TEXTS, "integer": "INT64", "number": "FP64"}.get(
        rules.get("type", ""), "BOOL"
    )


def _tensor(tensor: Any) -> tuple[str, int, list[Any]]:
    """Name, number of shots and values of an input."""
    if not isinstance(tensor, dict):
        raise _wrong("inputs", "tensors with name, shape, datatype and data", tensor)
    name = tensor.get("name")
    if not isinstance(name, str) or name not in FIELDS:
        near = get_close_matches(str(name)[:40], FIELDS, n=1)
        expected = f"{near[0]} instead" if near else f"one of {', '.join(FIELDS)}"
        raise _wrong("inputs.name", expected, name)
    kinds = {_TEXTS} if _datatype(name) == _TEXTS else _NUMBERS
    if tensor.get("datatype") not in kinds:
        raise _wrong(f"{name}.datatype", _datatype(name), tensor.get("datatype"))
    data, shape = tensor.get("data"), tensor.get("shape")
    if isinstance(data, list) and data and all(isinstance(each, list) for each in data):
        data = [value for each in data for value in each]
    if not isinstance(data, list) or not 1 <= len(data) <= MAX_SHOTS:
        raise _wrong(f"{name}.data", f"a list of 1 to {MAX_SHOTS} values", data)
    if shape not in ([len(data)], [len(data), 1]):
        raise _wrong(f"{name}.shape", f"[{len(data)}], as many as there are data", shape)
    return name, len(data), data


def _checked(name: str, data: list[Any]) -> Column:
    rules, nullable = rules_of(name)
    if not nullable and None in data:
        raise _at(name, data.index(None), None)
    if rules.get("type") == "string":
        return _texts(name, data, is_date=rules.get("format") == "date")
    return _numbers(name, data, rules)


def _texts(name: str, data: list[Any], *, is_date: bool) -> Column:
    rules, _ = rules_of(name)
    known: dict[Any, Any] = {None: None}
    for place, value in enumerate(data):
        if isinstance(value, (dict, list)) or value not in known:
            text = _text(name, place, value, rules)
            known[text] = _day(name, place, text) if is_date else text
    return [known[value] for value in data] if is_date else data


def _text(name: str, place: int, value: Any, rules: Mapping[str, Any]) -> str:
    longest = rules.get("maxLength", 10)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise _at(name, place, value)
    return value


def _day(name: str, place: int, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _at(name, place, text) from None
    if not MIN_DATE <= day <= MAX_DATE:
        raise _at(name, place, text)
    return day


def _numbers(name: str, data: list[Any], rules: Mapping[str, Any]) -> Column:
    """The values, or an array of them if all are known; integers keep all their digits."""
    is_whole, is_listed = rules.get("type") == "integer", "enum" in rules
    allowed = {type(None), int, *([bool, float] if is_listed else [] if is_whole else [float])}
    kinds = set(map(type, data))
    if not kinds <= allowed:
        place = next(i for i, value in enumerate(data) if type(value) not in allowed)
        raise _at(name, place, data[place])
    is_full = type(None) not in kinds
    known = data if is_full else [value for value in data if value is not None]
    try:
        values = np.array(known, np.int64 if is_whole and not is_listed else np.float64)
    except OverflowError:
        raise _outside(name, data, rules) from None
    fits = (
        np.isin(values, np.array(rules["enum"], np.float64))
        if is_listed
        else (values >= rules["minimum"]) & (values <= rules["maximum"])
    )
    if not fits.all():
        raise _outside(name, data, rules)
    if not is_full:
        return data
    return values.astype(np.int64) if is_whole else values  # type: ignore[return-value]


def _outside(name: str, data: list[Any], rules: Mapping[str, Any]) -> Refusal:
    """The refusal of the first value that is not what it may be; NaN never is."""

    def fits(value: Any) -> bool:
        if "enum" in rules:
            return value in rules["enum"]
        return bool(rules["minimum"] <= value <= rules["maximum"])

    place = next(i for i, value in enumerate(data) if value is not None and not fits(value))
    return _at(name, place, data[place])


def _check_together(columns: Mapping[str, Column]) -> None:
    """What no column says alone: that none is missing, and that nobody made more than he took."""
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise Refusal.of(*(Problem(name, FIELDS[name], "nothing") for name in missing))
    if "player_attempts" in columns and "player_makes" in columns:
        attempts, makes = (
            np.array(columns[name], np.float64) for name in ("player_attempts", "player_makes")
        )
        if (makes > attempts).any():
            place = int(np.argmax(makes > attempts))
            expected = f"at most player_attempts, which is {attempts[place]:g}"
            raise _wrong(f"player_makes[{place}]", expected, int(makes[place]))


def _at(name: str, place: int, came: Any) -> Refusal:
    return _wrong(f"{name}[{place}]", FIELDS[name], came)


def _wrong(field: str, expected: str, came: Any) -> Refusal:
    return Refusal.of(Problem(field, expected, "nothing" if came is None else quote(came)))
