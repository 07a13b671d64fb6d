"""From a request's body to shots, or to a refusal that says which field is wrong and why.

The structure (an object, a list of so many shots) is checked by hand and the fields by pydantic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Final

import pydantic_core
from pydantic import FailFast, TypeAdapter, ValidationError

from parivision.service.shot import FIELDS, SHOT, Shot

MAX_SHOTS: Final = 10_000
MAX_BODY_BYTES: Final = 8 * 2**20
SHOTS: Final = "shots"

# Bounds on what a refusal may cost or repeat.
_MAX_KEYS: Final = 40
_MAX_QUOTE: Final = 40

# Stops at the first unusable shot: a body with ten thousand of them is refused as fast as with one.
_MANY: Final = TypeAdapter(Annotated[list[Shot], FailFast()])


@dataclass(frozen=True)
class Problem:
    """A field that cannot be used: where it is, what was expected there, and what came."""

    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        """The problem in words."""
        return f"{self.field}: expected {self.expected}; got {self.got}"


class Refusal(Exception):  # noqa: N818 - an answer to a client, not a failure of ours
    """A request that gets no prediction: the status, the sentence, and the fields at fault."""

    def __init__(self, status: int, sentence: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.problems = tuple(problems)

    @classmethod
    def of(cls, *problems: Problem) -> "Refusal":
        """A refusal (422) because of some fields."""
        return cls(422, "; ".join(str(problem) for problem in problems) + ".", problems)


@dataclass(frozen=True)
class Request:
    """The shots asked about; `is_single`: they came as one object and not as a list."""

    shots: list[Shot]
    is_single: bool


def parse(body: bytes) -> Request:
    """The shots of a request's body; raises Refusal (400 or 422) for anything else."""
    if not body.strip():
        raise Refusal(400, 'The body is empty: send one shot as JSON, or {"shots": [...]}.')
    try:
        content = pydantic_core.from_json(body)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {error}.") from error
    if not isinstance(content, dict):
        expected = 'an object, one shot or {"shots": [...]}'
        raise Refusal.of(Problem("body", expected, quote(content)))
    if SHOTS in content:
        return Request(_many(content), is_single=False)
    return Request([_one(content)], is_single=True)


def _one(content: dict[str, Any]) -> Shot:
    _check_size(content, "")
    try:
        shot = SHOT.validate_python(content)
    except ValidationError as error:
        raise _refusal(error, "", 0) from error
    _check_makes(shot, "")
    return shot


def _many(content: dict[str, Any]) -> list[Shot]:
    beside = next((name for name in content if name != SHOTS), None)
    if beside is not None:
        raise Refusal.of(Problem(_short(beside), f'no field beside "{SHOTS}"', "one"))
    shots = content[SHOTS]
    if not isinstance(shots, list) or not 1 <= len(shots) <= MAX_SHOTS:
        raise Refusal.of(Problem(SHOTS, f"a list of 1 to {MAX_SHOTS} shots", quote(shots)))
    for index, shot in enumerate(shots):
        if not isinstance(shot, dict):
            raise Refusal.of(Problem(f"{SHOTS}[{index}]", "an object, one shot", quote(shot)))
        _check_size(shot, f"{SHOTS}[{index}].")
    try:
        checked = _MANY.validate_python(shots)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]["loc"][0]
        raise _refusal(error, f"{SHOTS}[{first}].", 1) from error
    for index, shot in enumerate(checked):
        _check_makes(shot, f"{SHOTS}[{index}].")
    return checked


def quote(value: object) -> str:
    """What came, short enough to be repeated in a sentence."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_MAX_QUOTE:
        return "a number with very many digits"
    if isinstance(value, str):
        value = _short(value)
    return pydantic_core.to_json(value, inf_nan_mode="constants").decode()


def _short(text: str) -> str:
    return text if len(text) <= _MAX_QUOTE else text[:_MAX_QUOTE] + "..."


def _check_size(shot: dict[str, Any], prefix: str) -> None:
    """Refuse a shot with so many fields that naming them all would be work."""
    if len(shot) > _MAX_KEYS:
        problem = Problem(
            f"{prefix}{_short(next(iter(shot)))} and others",
            f"at most the {len(FIELDS)} fields {', '.join(FIELDS)}",
            f"{len(shot)} fields",
        )
        raise Refusal.of(problem)


def _check_makes(shot: Shot, prefix: str) -> None:
    attempts, makes = shot.get("player_attempts"), shot.get("player_makes")
    if attempts is not None and makes is not None and makes > attempts:
        expected = f"at most player_attempts, which is {attempts}"
        raise Refusal.of(Problem(f"{prefix}player_makes", expected, str(makes)))


def _refusal(error: ValidationError, prefix: str, depth: int) -> Refusal:
    """All problems of one shot; `depth` is where its fields begin in pydantic's locations."""
    problems = []
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][depth])
        if fault["type"] == "extra_forbidden":
            near = get_close_matches(name, FIELDS, n=1)
            expected = f"{near[0]} instead" if near else f"only the fields {', '.join(FIELDS)}"
            problems.append(Problem(prefix + _short(name), expected, "an unknown field"))
        else:
            came = "nothing" if fault["type"] == "missing" else quote(fault["input"])
            problems.append(Problem(prefix + name, FIELDS[name], came))
    return Refusal.of(*problems)
