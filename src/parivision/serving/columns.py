"""Shots as columns: the requests and answers of the Open Inference Protocol, version 2.

Every fact of a shot is an input tensor of its own, of shape [n] or [n, 1]; null stands for not
known. A request that lists outputs gets these alone, in its order; its parameters are ignored.
Ten thousand shots are checked with some operations on whole columns, by the same ranges as single
ones: those of `shot.SHOT`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from parivision.serving.predictor import Answer, Predictor
from parivision.serving.requests import Problem, Refusal, contradiction, quote, read
from parivision.serving.shot import (
    FIELDS,
    MAX_SHOTS,
    REQUIRED,
    Rows,
    day,
    is_usable,
    rules_of,
    whole,
)
from parivision.shots.contradictions import first_of_columns
from parivision.shots.limits import MAX_DATE, MIN_DATE

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
OUTPUTS: Final = {"p_made": "FP64", "expected_points": "FP64", "zone_code": "INT64"}


@dataclass(frozen=True)
class InferenceRequest:
    """An inference request: its shots, the id that it wants back, the outputs that it asks for."""

    shots: Rows
    id: str | None
    outputs: tuple[str, ...]


def parse(body: bytes) -> InferenceRequest:
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
        if name in columns:
            raise _twice(name, "input")
        columns[name] = _checked(name, data)
        sizes.add(size)
    if len(sizes) > 1:
        raise _wrong("shape", "the same number of shots in all inputs", sorted(sizes))
    rows = Rows(columns, sizes.pop())
    _check_together(rows)
    id_ = content.get("id")
    outputs = _asked_outputs(content.get("outputs"))
    return InferenceRequest(rows, id_ if isinstance(id_, str) else None, outputs)


def response(
    request: InferenceRequest, answer: Answer, predictor: Predictor, request_id: str
) -> bytes:
    """The response body. An outcome may be reported by the prediction's id, "-" and the row."""
    values = (answer.p_made, answer.expected_points, answer.zone)
    column_of = dict(zip(OUTPUTS, values, strict=True))
    outputs = [
        {
            "name": name,
            "datatype": OUTPUTS[name],
            "shape": [request.shots.size],
            "data": column_of[name].tolist(),
        }
        for name in request.outputs
    ]
    return msgspec.json.encode(
        {
            "model_name": predictor.champion.name,
            "model_version": predictor.champion.version,
            **({} if request.id is None else {"id": request.id}),
            "parameters": {"prediction_id": request_id},
            "outputs": outputs,
        }
    )


def metadata(predictor: Predictor) -> dict[str, Any]:
    """What the protocol wants to know of a model: its inputs and outputs."""
    inputs = [{"name": name, "datatype": _datatype(name), "shape": [-1]} for name in FIELDS]
    outputs = [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items()]
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


def _asked_outputs(outputs: Any) -> tuple[str, ...]:
    """Names of the outputs that a request lists, in its order; all where it lists none."""
    if outputs is None or outputs == []:
        return tuple(OUTPUTS)
    if not isinstance(outputs, list):
        raise _wrong("outputs", "a list of output tensors", outputs)
    names: list[str] = []
    for tensor in outputs:
        name = tensor.get("name") if isinstance(tensor, dict) else tensor
        if not isinstance(tensor, dict) or not isinstance(name, str) or name not in OUTPUTS:
            raise _wrong("outputs.name", f"one of {', '.join(OUTPUTS)}", name)
        if name in names:
            raise _twice(name, "output")
        names.append(name)
    return tuple(names)


def _checked(name: str, data: list[Any]) -> Column:
    rules, nullable = rules_of(name)
    if not nullable and None in data:
        raise _at(name, data.index(None), None)
    return (
        _texts(name, data, rules) if rules.get("type") == "string" else _numbers(name, data, rules)
    )


def _texts(name: str, data: list[Any], rules: Mapping[str, Any]) -> Column:
    """Texts as they came, or the dates that they mean; each different one is looked at once."""
    # The types first: what is no text, such as a list, may not be part of a set.
    are_texts = set(map(type, data)) <= {str, type(None)}
    known = {text: _meaning(name, text, rules) for text in set(data) - {None}} if are_texts else {}
    if not are_texts or None in known.values():
        wrong = (value is not None and _meaning(name, value, rules) is None for value in data)
        row = next(row for row, is_wrong in enumerate(wrong) if is_wrong)
        raise _at(name, row, data[row])
    return list(map(known.get, data)) if rules.get("format") == "date" else data


def _meaning(name: str, value: Any, rules: Mapping[str, Any]) -> str | date | None:
    """The text or the date that a value is; None if it is neither, or may not be."""
    if not isinstance(value, str):
        return None
    if rules.get("format") != "date":
        fits = rules["minLength"] <= len(value) <= rules["maxLength"]
        return value if fits and is_usable(name, value) else None
    meant = day(value)
    return meant if meant is not None and MIN_DATE <= meant <= MAX_DATE else None


def _numbers(name: str, data: list[Any], rules: Mapping[str, Any]) -> Column:
    """The values, or an array of them if all are known; integers keep all their digits."""
    is_whole = rules.get("type") == "integer"
    types = set(map(type, data))
    if is_whole and float in types:
        data = list(map(whole, data))
        types = set(map(type, data))
    _check_types(name, data, types, rules)
    known = [value for value in data if value is not None] if type(None) in types else data
    try:
        kind = np.int64 if is_whole and "enum" not in rules else np.float64
        values = np.array(known, kind)
    except OverflowError:
        raise _outside(name, data, rules) from None
    if not _are_in_range(values, known, rules):
        raise _outside(name, data, rules)
    # With gaps it stays a list: an array of whole numbers has no place for None.
    if known is not data:
        return data
    return values.astype(np.int64) if is_whole else values  # type: ignore[return-value]


def _check_types(name: str, data: list[Any], types: set[type], rules: Mapping[str, Any]) -> None:
    """Raises Refusal (422) for the first value of a type that the column does not allow."""
    allowed = {type(None), int}
    if "enum" in rules:
        allowed |= {bool, float}
    elif rules.get("type") != "integer":
        allowed.add(float)
    if not types <= allowed:
        # By the exact type: True is an instance of int, and no number of a player.
        row = next(i for i, value in enumerate(data) if type(value) not in allowed)
        raise _at(name, row, data[row])


def _are_in_range(values: NDArray[Any], known: Sequence[Any], rules: Mapping[str, Any]) -> bool:
    """Whether all values of a column, which is also `values` of shape (n,), are allowed."""
    if "enum" in rules:
        return all(value in rules["enum"] for value in set(known))
    if not len(values):
        return True
    return bool(values.min() >= rules["minimum"] and values.max() <= rules["maximum"])


def _outside(name: str, data: list[Any], rules: Mapping[str, Any]) -> Refusal:
    """The refusal of the first value that is not what it may be; NaN never is."""

    def fits(value: Any) -> bool:
        if "enum" in rules:
            return value in rules["enum"]
        return bool(rules["minimum"] <= value <= rules["maximum"])

    row = next(i for i, value in enumerate(data) if value is not None and not fits(value))
    return _at(name, row, data[row])


def _check_together(rows: Rows) -> None:
    """What no column says alone: that none is missing, and that they can be true together."""
    columns = rows.columns
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise Refusal.of(*(Problem(name, FIELDS[name], "nothing") for name in missing))
    contradictory = first_of_columns(columns)
    if contradictory is not None:
        row, rule = contradictory
        shot = {name: _plain(columns[name][row]) for name in rule.names}
        raise Refusal.of(contradiction(rule, shot, f"{rule.field}[{row}]"))


def _plain(value: Any) -> Any:
    """A value of a column, which may be an array, as JSON has it."""
    return value.item() if isinstance(value, np.generic) else value


def _at(name: str, row: int, came: Any) -> Refusal:
    return _wrong(f"{name}[{row}]", FIELDS[name], came)


def _twice(name: str, role: str) -> Refusal:
    """The refusal of a tensor's second coming: which of the two counts, nobody said."""
    return Refusal.of(Problem(name, f"one {role} of this name", "a second one"))


def _wrong(field: str, expected: str, came: Any) -> Refusal:
    return Refusal.of(Problem(field, expected, "nothing" if came is None else quote(came)))
