"""What a prediction and an outcome look like in the log, and as the readers get them."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parivision.prediction_log.batch import RecordBatch
from parivision.prediction_log.lines import TRACE, Record


@dataclass(frozen=True, slots=True)
class ServedPrediction:
    """A prediction as it was served.

    `at` is UTC text, to the millisecond; `track` is primary, canary or shadow; `pod` the host that
    answered. `facts` are the request's, as it carried them, dates as texts. `request_id` and
    `traceparent` are the X-Request-Id and traceparent that it came with; empty for none.
    """

    id: str
    at: str
    model: str
    version: str
    track: str
    pod: str
    p_made: float
    facts: Mapping[str, Any]
    request_id: str = ""
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class LabelledPrediction:
    """A prediction and how its shot ended.

    `was` is None the first time; for a correction it is what was said before.
    """

    served: ServedPrediction
    made: bool
    outcome_at: str
    was: bool | None


def new_id() -> str:
    """An id of 128 bits: the time in milliseconds, then 80 random bits."""
    # The layout of a ULID (48 bits of time, 80 random): ids sort by time, so an index grows at its
    # end. An id is no secret, so the fast generator does.
    return f"{(time.time_ns() // 1_000_000 << 80) | random.getrandbits(80):032x}"


def prediction(id_: str, at: str, shot: Mapping[str, Any], p_made: float) -> Record:
    """The record of a prediction."""
    return {"id": id_, "at": at, "p_made": p_made, "facts": shot}


def shot_key(game_id: int, event_id: int) -> str:
    """A shot's key as text."""
    return f"{game_id}:{event_id}"


def shot_of(record: Record) -> str | None:
    """The key of the shot that a prediction is about, when the request named it."""
    game, event = record["facts"].get("game_id"), record["facts"].get("event_id")
    return None if game is None or event is None else shot_key(game, event)


def outcome(key: str, at: str, *, made: bool) -> Record:
    """A record of how a shot ended; `key` is a prediction's id or a shot's key."""
    return {"key": key, "made": made, "at": at}


def served(batch: RecordBatch) -> list[ServedPrediction]:
    """The predictions of a batch."""
    return [_served({**batch.shared, **record}) for record in batch.records]


def as_labelled(
    batch: RecordBatch, row: int, *, made: bool, outcome_at: str, was: bool | None
) -> Record:
    """The record of a labelled prediction, which stands for itself."""
    prediction = {**batch.shared, **batch.records[row]}
    return {**prediction, "made": made, "outcome_at": outcome_at, "was": was}


def labelled(batch: RecordBatch) -> list[LabelledPrediction]:
    """The labelled predictions of a batch."""
    return [
        LabelledPrediction(_served(record), record["made"], record["outcome_at"], record["was"])
        for record in batch.records
    ]


def _served(record: Record) -> ServedPrediction:
    return ServedPrediction(
        id=record["id"],
        at=record["at"],
        model=record["model"],
        version=record["version"],
        track=record["track"],
        pod=record["pod"],
        p_made=record["p_made"],
        facts=record["facts"],
        **{name: record[name] for name in TRACE if name in record},
    )
