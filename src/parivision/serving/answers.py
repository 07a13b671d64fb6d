"""What the service answers: the shapes of its JSON, and the bytes of it."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from typing_extensions import TypedDict

from parivision.serving.predictor import ZONE_LABELS, Answer, AnswerOfOne, Predictor, zone_labels
from parivision.serving.requests import Refusal


class Model(TypedDict):
    """The model that answered."""

    name: str
    version: str
    family: str


class Prediction(TypedDict):
    """What is said about one shot: probability, probability times points, and its zone.

    Its outcome may be reported by its id.
    """

    id: str
    p_made: float
    expected_points: float
    zone: str
    zone_code: int


class PredictionOfOne(Prediction):
    """The answer to a request that is one shot."""

    model: Model


class Predictions(TypedDict):
    """The answer to a list of shots, in its order."""

    predictions: list[Prediction]
    model: Model


class Champion(Model):
    """The model in full. The dates say up to which games it was fitted and what it knows of."""

    feature_set: str
    fitted_through: str | None
    known_through: str | None
    digest: str
    metrics: dict[str, float | None]
    card: dict[str, Any]


class Player(TypedDict):
    """A shooter of the newest season that the model knows, with the shots that he took in it."""

    player_id: int
    name: str
    team_id: int
    attempts: int


class Players(TypedDict):
    """Shooters, the most active first; empty for a model that was promoted without them."""

    players: list[Player]


class Accepted(TypedDict):
    """How many outcomes were taken."""

    accepted: int


class Field(TypedDict):
    """A field that could not be used."""

    field: str
    expected: str
    got: str


class Error(TypedDict):
    """Why there is no prediction: a sentence, and the fields at fault if there are any."""

    error: str
    fields: list[Field]


def of_shots(answer: Answer, ids: Sequence[str], predictor: Predictor) -> bytes:
    """The answer to a list of shots; probabilities are written with all their digits."""
    rows = zip(
        ids,
        answer.p_made.tolist(),
        answer.expected_points.tolist(),
        zone_labels(answer.zone),
        answer.zone.tolist(),
        strict=True,
    )
    predictions: list[Prediction] = [
        {"id": id_, "p_made": p_made, "expected_points": points, "zone": zone, "zone_code": code}
        for id_, p_made, points, zone, code in rows
    ]
    return as_json({"predictions": predictions, "model": predictor.model})


def of_one(answer: AnswerOfOne, id_: str, predictor: Predictor) -> bytes:
    """The answer to a request that is one shot."""
    zone = answer.zone
    content: PredictionOfOne = {
        "id": id_,
        "p_made": answer.p_made,
        "expected_points": answer.expected_points,
        "zone": ZONE_LABELS[zone],
        "zone_code": zone,
        "model": cast("Model", predictor.model),
    }
    return as_json(content)


def of_refusal(refusal: Refusal) -> bytes:
    """The answer to a request that cannot be used."""
    fields = [
        Field(field=problem.field, expected=problem.expected, got=problem.got)
        for problem in refusal.problems
    ]
    return as_json(Error(error=refusal.sentence, fields=fields))


def as_json(content: Any) -> bytes:
    """JSON of plain values."""
    return msgspec.json.encode(content)
