"""What the service says of shots that nobody took, and of its model."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from asgi import Asker
from parivision import telemetry
from parivision.models.bundle import Bundle
from parivision.models.explanation import GROUPS, PLACE, band
from parivision.serving.app import create_app
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.request_body import INLINE_BYTES

CHAMPION = ChampionRecord("shots", "12", "d1", {"log_loss": 0.64})
BINS = [
    {"mean_p_made": 0.3, "made_rate": 0.31, "low": 0.28, "high": 0.34, "n_shots": 900},
    {"mean_p_made": 0.6, "made_rate": 0.58, "low": 0.55, "high": 0.61, "n_shots": 900},
]


@pytest.fixture
def predictor(small_bundle: Bundle) -> Predictor:
    """LightGBM with reliability bins, four days after the last game that it knows."""
    bundle = replace(small_bundle, card={**small_bundle.card, "reliability": BINS})
    known = date.fromisoformat(str(small_bundle.card["known_through"]))
    return Predictor(bundle, CHAMPION, lambda: known + timedelta(days=4))


@pytest.fixture
def ask(predictor: Predictor) -> Iterator[Asker]:
    """Asks a service."""
    asker = Asker(create_app(predictor))
    yield asker
    asker.close()


def post(ask: Asker, path: str, content: Any) -> Any:
    """The answer to a body."""
    return ask(json.dumps(content).encode(), path=path)


@pytest.mark.parametrize("shot", [SMALL_SHOT, FULL_SHOT])
def test_explain_agrees_with_predict(ask: Asker, shot: dict[str, Any]) -> None:
    """The explained probability and points are those of /predict, within the bins' interval."""
    served, said = post(ask, "/predict", shot).json, post(ask, "/explain", shot).json
    assert said["p_made"] == served["p_made"]
    assert said["expected_points"] == served["expected_points"]
    assert said["model"] == served["model"]
    around = band(BINS, said["p_made"])
    assert around is not None
    assert said["interval"] == {"low": around.low, "high": around.high}
    sizes = [abs(each["log_odds"]) for each in said["contributions"]]
    assert sizes == sorted(sizes, reverse=True)
    assert {each["group"] for each in said["contributions"]} == {PLACE, *GROUPS}


def test_no_bins_no_interval(small_bundle: Bundle) -> None:
    """A bundle of before bins were kept is explained without an interval."""
    asker = Asker(create_app(Predictor(small_bundle, CHAMPION)))
    assert post(asker, "/explain", SMALL_SHOT).json["interval"] is None
    assert asker(method="GET", path="/model").json["reliability"] == []
    asker.close()


def test_explain_takes_one_shot(ask: Asker) -> None:
    """A list is refused in a sentence, and a wrong field as everywhere."""
    answer = post(ask, "/explain", {"shots": [SMALL_SHOT, SMALL_SHOT]})
    assert answer.status == 422
    assert "one shot" in answer.json["error"]
    assert post(ask, "/explain", {**SMALL_SHOT, "period": 0}).json["fields"][0]["field"] == "period"


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_if_agrees_with_predict(ask: Asker, size: int) -> None:
    """Imagined shots are answered like others, in their order, however many."""
    shots = [{**SMALL_SHOT, "x_ft": (at % 40) - 20.0, "player_id": 1 + at} for at in range(size)]
    assert size < 1000 or len(json.dumps(shots)) > INLINE_BYTES
    said = post(ask, "/what-if", {"shots": shots}).json["shots"]
    served = post(ask, "/predict", {"shots": shots}).json["predictions"]
    for name in ("p_made", "expected_points"):
        np.testing.assert_array_equal([s[name] for s in said], [s[name] for s in served])


def test_imagined_shots_are_no_predictions(ask: Asker) -> None:
    """They are counted as requests, and not among what drift and rollouts look at."""
    post(ask, "/what-if", {"shots": [SMALL_SHOT] * 5})
    post(ask, "/explain", SMALL_SHOT)
    lines = ask(method="GET", path="/metrics").body.decode().splitlines()
    counted = [line for line in lines if line.startswith(f"{telemetry.PREDICTIONS}{{")]
    assert sum(float(line.split()[-1]) for line in counted) == 0
    assert any('"/what-if"' in line for line in lines)


def test_model(ask: Asker, predictor: Predictor) -> None:
    """GET /model is the champion with its features, its age and its reliability."""
    said = ask(method="GET", path="/model").json
    champion = ask(method="GET", path="/champion").json
    assert champion.items() <= said.items()
    assert said["known_for_days"] == 4
    assert said["reliability"] == BINS
    parts = predictor.bundle.parts
    assert said["features"] == {name: list(part.names) for name, part in parts.items()}


def test_the_document_has_the_routes(ask: Asker) -> None:
    """The OpenAPI document describes them."""
    document = ask(method="GET", path="/docs.json").json
    assert {"/explain", "/what-if", "/players", "/model"} <= document["paths"].keys()
    assert {"Explained", "WhatIf", "Players", "FullModel"} <= document["components"][
        "schemas"
    ].keys()
