"""Answers to what is asked about shots that nobody took: why, and what if.

They are neither logged nor counted as predictions: imagined shots must not shift what the monitors
see of the real ones.
"""

from typing import Any, cast

from typing_extensions import TypedDict

from parivision.models import explanation
from parivision.serving.answers import Champion, Model, as_json
from parivision.serving.predictor import ZONE_LABELS, Predictor, zone_labels
from parivision.serving.requests import Problem, Refusal, parse


class Interval(TypedDict):
    """95 % interval of the made rate of shots that are given this probability."""

    low: float
    high: float


class Contribution(TypedDict):
    """What a group of facts adds to the league's log odds."""

    group: str
    log_odds: float


class Explained(TypedDict):
    """One shot, explained; the most telling group first. No interval: no bins were kept."""

    p_made: float
    interval: Interval | None
    expected_points: float
    zone: str
    league_rate: float
    contributions: list[Contribution]
    model: Model


class Imagined(TypedDict):
    """What is said about a shot that is only thought of."""

    p_made: float
    expected_points: float
    zone: str


class WhatIf(TypedDict):
    """The answer to several imagined shots, in their order."""

    shots: list[Imagined]
    model: Model


class Bin(TypedDict):
    """Shots of one height of probability: said, seen, and the 95 % interval of what was seen."""

    mean_p_made: float
    made_rate: float
    low: float
    high: float
    n_shots: int


class FullModel(Champion):
    """The champion with its features, by part, and its reliability as judged at promotion."""

    features: dict[str, list[str]]
    known_for_days: int | None
    reliability: list[Bin]


def explained(predictor: Predictor, body: bytes) -> bytes:
    """The explanation of the one shot in a body; raises Refusal, also for a list."""
    request = parse(body)
    if not request.is_single:
        came = f"a list of {len(request.shots)}"
        raise Refusal.of(Problem("shots", "one shot, as an object", came))
    shot = request.shots[0]
    answer = predictor.answer_one(shot)
    why = explanation.explain(predictor.bundle, shot, predictor.today())
    around = explanation.band(predictor.reliability, answer.p_made)
    ranked = sorted(why.contributions.items(), key=lambda item: -abs(item[1]))
    return as_json(
        Explained(
            p_made=answer.p_made,
            interval=None if around is None else Interval(low=around.low, high=around.high),
            expected_points=answer.expected_points,
            zone=ZONE_LABELS[answer.zone],
            league_rate=why.league_rate,
            contributions=[Contribution(group=name, log_odds=value) for name, value in ranked],
            model=_model(predictor),
        )
    )


def what_if(predictor: Predictor, body: bytes) -> bytes:
    """What is said about the shots of a body, one or several; raises Refusal."""
    answer = predictor.answer(parse(body).shots)
    rows = zip(
        answer.p_made.tolist(),
        answer.expected_points.tolist(),
        zone_labels(answer.zone),
        strict=True,
    )
    shots = [Imagined(p_made=p, expected_points=points, zone=zone) for p, points, zone in rows]
    return as_json(WhatIf(shots=shots, model=_model(predictor)))


def model(predictor: Predictor) -> bytes:
    """The model in full."""
    parts = predictor.bundle.parts
    features = {name: list(part.names) for name, part in parts.items()}
    described: dict[str, Any] = predictor.described()
    return as_json(
        {
            **described,
            "features": features,
            "known_for_days": predictor.age_days(),
            "reliability": list(predictor.reliability),
        }
    )


def _model(predictor: Predictor) -> Model:
    return cast("Model", predictor.model)
