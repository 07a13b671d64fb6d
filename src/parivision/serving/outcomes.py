"""How shots ended, as `POST /outcomes` takes it: types, ranges, and records for the log."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Required

from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    TypeAdapter,
    with_config,
)
from typing_extensions import TypedDict

from parivision.prediction_log.batch import as_text, instant
from parivision.prediction_log.lines import Record
from parivision.prediction_log.records import outcome, shot_key
from parivision.serving.requests import BodyShape, Problem, Refusal, quote
from parivision.serving.shot import FIELDS as SHOT_FIELDS
from parivision.shots.limits import LARGEST_ID

OUTCOMES: Final = "outcomes"
# The id of an answer, with the row behind it where the shot was one of a list.
_ID: Final = r"^[0-9a-f]{32}(-[0-9]{1,4})?$"
_LONGEST_TIME: Final = 40
# How far ahead a sender's clock may be.
_CLOCKS_DIFFER_S: Final = 300.0
_YEARS: Final = re.compile(r"(19|20|21)\d\d-")


def _moment(value: object) -> object:
    """The moment that an ISO text means; anything else stays for the check of the type."""
    if isinstance(value, str) and len(value) <= _LONGEST_TIME and _YEARS.match(value):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            return value
    return value


@with_config(ConfigDict(extra="forbid", strict=True))
class Outcome(TypedDict, total=False):
    """How one shot ended: it is named by a prediction's id, or by game and event."""

    prediction_id: Annotated[
        str, Field(pattern=_ID, description="a text (the id in the answer to /predict)")
    ]
    game_id: Annotated[int, Field(ge=1, le=LARGEST_ID, description=SHOT_FIELDS["game_id"])]
    event_id: Annotated[int, Field(ge=0, le=LARGEST_ID, description=SHOT_FIELDS["event_id"])]
    made: Required[Annotated[bool, Field(description="true or false (whether it went in)")]]
    at: Annotated[
        AwareDatetime,
        BeforeValidator(_moment, json_schema_input_type=AwareDatetime),
        Field(
            description="a moment with its offset, such as 2024-01-31T03:10:00Z (when this was "
            "said; else now; of contradictory outcomes the latest holds)"
        ),
    ]


OUTCOME: Final = TypeAdapter(Outcome)
FIELDS: Final[Mapping[str, str]] = {
    name: described["description"]
    for name, described in OUTCOME.json_schema()["properties"].items()
}


def parse(body: bytes, now_s: float) -> list[Record]:
    """Records of a body's outcomes, those without a moment as of now (seconds since 1970).

    Raises Refusal (400 or 422) for anything else.
    """
    outcomes, is_single = _FORM.parse(body)
    now, latest = instant(now_s), instant(now_s + _CLOCKS_DIFFER_S)
    records = [_record(each, now) for each in outcomes]
    for index, record in enumerate(records):
        if record["at"] > latest:  # it would hold against every correction
            field = "at" if is_single else f"{OUTCOMES}[{index}].at"
            raise Refusal.of(Problem(field, "a moment that has been", quote(record["at"])))
    return records


def _record(each: Mapping[str, Any], now: str) -> Record:
    at = as_text(each["at"]) if "at" in each else now
    key = each.get("prediction_id") or shot_key(each["game_id"], each["event_id"])
    return outcome(key, at, made=each["made"])


def _check_key(each: Outcome, prefix: str) -> None:
    names = each.keys() & {"prediction_id", "game_id", "event_id"}
    if names not in ({"prediction_id"}, {"game_id", "event_id"}):
        expected = "alone, or game_id with event_id"
        came = ", ".join(sorted(names)) or "nothing"
        raise Refusal.of(Problem(f"{prefix}prediction_id", expected, came))


_FORM: Final = BodyShape(
    one=OUTCOME,
    many=TypeAdapter(Annotated[list[Outcome], FailFast()]),
    fields=FIELDS,
    noun="outcome",
    plural=OUTCOMES,
    check=_check_key,
)
