"""From a request's body to shots or outcomes, or to a refusal: which field is wrong and why.

The structure (an object, a list of so many shots) is checked by hand and the fields by pydantic.
"""

from codecs import BOM_UTF8
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
import pydantic_core
from pydantic import FailFast, TypeAdapter, ValidationError

from parivision.serving import fast_path
from parivision.serving.shot import FIELDS, MAX_SHOTS, SHOT, SHOTS, Rows, Shot
from parivision.shots import contradictions
from parivision.shots.contradictions import Contradiction

Item = TypeVar("Item", bound=Mapping[str, Any])

MAX_BODY_BYTES: Final = 8 * 2**20

# Bounds on what a refusal may cost or repeat.
_MAX_KEYS: Final = 40
_MAX_QUOTE: Final = 40


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
class BodyShape(Generic[Item]):
    """What a body may hold: one item, or `{plural: [...]}` with several.

    `many` should stop at the first unusable item: a body with ten thousand of them is then refused
    as fast as with one. `check` raises Refusal for what types cannot say; it is given the item and
    the prefix of its fields' names.
    """

    one: TypeAdapter[Item]
    many: TypeAdapter[list[Item]]
    fields: Mapping[str, str]
    noun: str
    plural: str
    check: Callable[[Item, str], None]

    def parse(self, body: bytes) -> tuple[list[Item], bool]:
        """The items of a body, and whether it is one alone; raises Refusal (400 or 422)."""
        shown = f'{{"{self.plural}": [...]}}'
        try:
            content = read(body)
        except ValueError as error:
            if not body.removeprefix(BOM_UTF8).strip():
                sentence = f"The body is empty: send one {self.noun} as JSON, or {shown}."
                raise Refusal(400, sentence) from error
            raise Refusal(400, f"The body is not JSON: {error}.") from error
        if not isinstance(content, dict):
            expected = f"an object, one {self.noun} or {shown}"
            raise Refusal.of(Problem("body", expected, quote(content)))
        if self.plural in content:
            return self._parse_many(content), False
        return [self._parse_one(content)], True

    def _parse_one(self, content: dict[str, Any]) -> Item:
        self._check_size(content, "")
        try:
            item: Item = self.one.validator.validate_python(content)
        except ValidationError as error:
            raise self._refusal(error, "", 0) from error
        self.check(item, "")
        return item

    def _parse_many(self, content: dict[str, Any]) -> list[Item]:
        beside = next((name for name in content if name != self.plural), None)
        if beside is not None:
            raise Refusal.of(Problem(_short(beside), f'no field beside "{self.plural}"', "one"))
        items = content[self.plural]
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_SHOTS:
            expected = f"a list of 1 to {MAX_SHOTS} {self.plural}"
            raise Refusal.of(Problem(self.plural, expected, quote(items)))
        for index, item in enumerate(items):
            prefix = f"{self.plural}[{index}]"
            if not isinstance(item, dict):
                raise Refusal.of(Problem(prefix, f"an object, one {self.noun}", quote(item)))
            self._check_size(item, f"{prefix}.")
        try:
            checked = self.many.validate_python(items)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]["loc"][0]
            raise self._refusal(error, f"{self.plural}[{first}].", 1) from error
        for index, item in enumerate(checked):
            self.check(item, f"{self.plural}[{index}].")
        return checked

    def _check_size(self, item: dict[str, Any], prefix: str) -> None:
        """Refuse an item with so many fields that naming them all would be work."""
        if len(item) > _MAX_KEYS:
            problem = Problem(
                f"{prefix}{_short(next(iter(item)))} and others",
                f"at most the {len(self.fields)} fields {', '.join(self.fields)}",
                f"{len(item)} fields",
            )
            raise Refusal.of(problem)

    def _refusal(self, error: ValidationError, prefix: str, depth: int) -> Refusal:
        """All problems of one item; `depth` is where its fields begin in pydantic's locations."""
        problems = []
        for fault in error.errors(include_url=False, include_context=False):
            name = str(fault["loc"][depth])
            if fault["type"] == "extra_forbidden":
                near = get_close_matches(name, self.fields, n=1)
                known = f"only the fields {', '.join(self.fields)}"
                expected = f"{near[0]} instead" if near else known
                problems.append(Problem(prefix + _short(name), expected, "an unknown field"))
            else:
                came = "nothing" if fault["type"] == "missing" else quote(fault["input"])
                problems.append(Problem(prefix + name, self.fields[name], came))
        return Refusal.of(*problems)


class Request(NamedTuple):
    """The shots asked about; `is_single`: they came as one object and not as a list."""

    shots: list[Shot]
    is_single: bool


def parse(body: bytes) -> Request:
    """The shots of a request's body; raises Refusal (400 or 422) for anything else."""
    shot = _quick(body)
    return Request(*_SHOTS.parse(body)) if shot is None else Request([shot], is_single=True)


def parse_rows(body: bytes) -> Shot | Rows:
    """The one shot of a body, or those of a list in columns; refuses what `parse` refuses."""
    body = body.removeprefix(BOM_UTF8)
    shot_or_rows = _quick(body) or fast_path.of_list(body)
    if shot_or_rows is not None:
        return shot_or_rows
    shots, is_single = _SHOTS.parse(body)
    return shots[0] if is_single else Rows.of(shots)


def _quick(body: bytes) -> Shot | None:
    """The one shot of a body that needs no words; raises Refusal for contradictions."""
    shot = fast_path.shot(body)
    if shot is not None:
        _check_together(shot, "")
    return shot


def read(body: bytes) -> Any:
    """What a body's JSON says; raises ValueError, which says what is wrong with it.

    A byte order mark before it, as some editors and shells write one, is no part of it.
    """
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        # It takes twice as long, knows NaN, and names the line and the column.
        return pydantic_core.from_json(body.removeprefix(BOM_UTF8))


def parse_lines(lines: Sequence[bytes], before: int = 0) -> list[Shot]:
    """The shots of lines of JSON, one each; raises Refusal, which names the first bad line.

    `before` is how many lines came before these.
    """
    shots: list[Shot] = []
    for number, line in enumerate(lines, before + 1):
        try:
            request = parse(line)
        except Refusal as refusal:
            sentence = f"Line {number}: {refusal.sentence}"
            raise Refusal(refusal.status, sentence, refusal.problems) from refusal
        if not request.is_single:
            raise Refusal(422, f"Line {number}: expected one shot; got a list.")
        shots += request.shots
    return shots


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


def contradiction(rule: Contradiction, shot: Mapping[str, Any], name: str) -> Problem:
    """What is wrong with the field `name`, which contradicts other facts of the shot."""
    facts = [shot.get(each) for each in rule.names]
    return Problem(name, rule.sentence(*facts), quote(shot[rule.field]))


def _check_together(shot: Shot, prefix: str) -> None:
    rule = contradictions.of_shot(shot)
    if rule is not None:
        raise Refusal.of(contradiction(rule, shot, f"{prefix}{rule.field}"))


_SHOTS: Final = BodyShape(
    one=SHOT,
    many=TypeAdapter(Annotated[list[Shot], FailFast()]),
    fields=FIELDS,
    noun="shot",
    plural=SHOTS,
    check=_check_together,
)
