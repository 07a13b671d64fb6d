"""The OpenAPI document, made of the types that requests are checked with."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from parivision.serving import answers, what_if
from parivision.serving.columns import OUTPUTS
from parivision.serving.outcomes import OUTCOME, OUTCOMES
from parivision.serving.shot import FIELDS, MAX_SHOTS, SHOT, SHOTS

SMALL_SHOT: Final = {"player_id": 201939, "period": 4, "clock_s": 12, "x_ft": 2.5, "y_ft": 26.0}
FULL_SHOT: Final = {
    "player_id": 201939,
    "period": 2,
    "clock_s": 305,
    "x_ft": -1.2,
    "y_ft": 1.4,
    "game_date": "2023-01-31",
    "game_id": 22200764,
    "event_id": 212,
    "team_id": 1610612744,
    "home_team": "GSW",
    "away_team": "BOS",
    "shot_value": 2,
    "action_type": "Driving Layup Shot",
    "since_last_shot_s": 18,
    "last_shot_own": False,
    "last_shot_made": True,
    "player_attempts": 6,
    "player_makes": 3,
}
_EXAMPLES: Final = {
    "place and clock": {"value": SMALL_SHOT},
    "everything known": {"value": FULL_SHOT},
    "several shots": {"value": {SHOTS: [SMALL_SHOT, FULL_SHOT]}},
}
_OUTCOME_EXAMPLES: Final = {
    "by the prediction": {"value": {"prediction_id": "019c0a3c8f2d" + "5" * 20, "made": True}},
    "by game and event": {
        "value": {
            OUTCOMES: [
                {"game_id": 22200764, "event_id": 212, "made": False},
                {"game_id": 22200764, "event_id": 219, "made": True, "at": "2023-02-01T03:10:00Z"},
            ]
        }
    },
}
_SCHEMAS: Final[Mapping[str, TypeAdapter[Any]]] = {
    "Shot": SHOT,
    "PredictionOfOne": TypeAdapter(answers.PredictionOfOne),
    "Predictions": TypeAdapter(answers.Predictions),
    "Outcome": OUTCOME,
    "Accepted": TypeAdapter(answers.Accepted),
    "Champion": TypeAdapter(answers.Champion),
    "Players": TypeAdapter(answers.Players),
    "Explained": TypeAdapter(what_if.Explained),
    "WhatIf": TypeAdapter(what_if.WhatIf),
    "FullModel": TypeAdapter(what_if.FullModel),
    "Error": TypeAdapter(answers.Error),
}
_REFUSALS: Final = {
    "400": "The body is empty or not JSON.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large.",
    "415": "The body is not sent as application/json.",
    "422": "A field is missing, unknown, out of its range, or contradicts another; the answer "
    "names it.",
    "503": "The model is still being loaded, there is more to do than can be done, or the log of "
    "outcomes is full or not kept.",
}


def document(version: str) -> dict[str, Any]:
    """The document for a service whose model has this version."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "PariVision shots",
            "version": version,
            "description": "The probability that an NBA shot goes in, and its expected points.",
        },
        "paths": {
            "/predict": {"post": _predict()},
            "/outcomes": {"post": _outcomes()},
            "/v2/models/shots": {"get": _get("Inputs and outputs.", _content({"type": "object"}))},
            "/v2/models/shots/infer": {"post": _infer()},
            "/explain": {"post": _explain()},
            "/what-if": {"post": _what_if()},
            "/model": {"get": _get("The model in full.", _content(_ref("FullModel")))},
            "/champion": {"get": _get("The model that answers.", _content(_ref("Champion")))},
            "/players": {
                "get": _get("The newest season's shooters, by name.", _content(_ref("Players")))
            },
            "/metrics": {"get": _get("Counts for Prometheus.", {"text/plain": {}})},
            "/livez": {"get": _get("Answers while the process lives.", {"text/plain": {}})},
            "/readyz": {"get": _get("Answers once the model is loaded.", {"text/plain": {}})},
            "/docs.json": {"get": _get("This document.", _content({"type": "object"}))},
        },
        "components": {"schemas": _schemas()},
    }


def _schemas() -> dict[str, Any]:
    inputs = [(name, "validation", adapter) for name, adapter in _SCHEMAS.items()]
    _, definitions = TypeAdapter.json_schemas(
        inputs,  # type: ignore[arg-type]  # the mode's literal type is lost in the list
        ref_template="#/components/schemas/{model}",
    )
    return dict(definitions["$defs"])


def _predict() -> dict[str, Any]:
    answered = {"anyOf": [_ref("PredictionOfOne"), _ref("Predictions")]}
    body = _one_or_many("Shot", SHOTS)
    body["application/json"]["examples"] = _EXAMPLES
    done = {"200": {"description": "The predictions.", "content": _content(answered)}}
    return _post("predict", "Predict one shot or several.", body, done)


def _explain() -> dict[str, Any]:
    done = {"200": {"description": "The explanation.", "content": _content(_ref("Explained"))}}
    return _post("explain", "Say why, of one shot.", _content(_ref("Shot")), done)


def _what_if() -> dict[str, Any]:
    done = {"200": {"description": "What is said of each.", "content": _content(_ref("WhatIf"))}}
    body = _one_or_many("Shot", SHOTS)
    return _post("what_if", "Predict imagined shots; they are not logged.", body, done)


def _infer() -> dict[str, Any]:
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype", "data"],
        "properties": {
            "name": {"enum": list(FIELDS)},
            "shape": {"type": "array", "items": {"type": "integer"}},
            "datatype": {"type": "string"},
            "data": {"type": "array", "items": {}, "maxItems": MAX_SHOTS},
        },
    }
    inputs = {"type": "array", "items": tensor}
    named = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"enum": list(OUTPUTS)}},
    }
    asked = {"inputs": inputs, "outputs": {"type": "array", "items": named}}
    body = _content({"type": "object", "required": ["inputs"], "properties": asked})
    words = f"{', '.join(OUTPUTS)} as output tensors, or those listed in `outputs`, in its order."
    done = {"200": {"description": words, "content": _content({"type": "object"})}}
    return _post("infer", "Predict shots in columns (Open Inference Protocol 2).", body, done)


def _outcomes() -> dict[str, Any]:
    words = "They are taken, and will be stored."
    done = {"202": {"description": words, "content": _content(_ref("Accepted"))}}
    body = _one_or_many("Outcome", OUTCOMES)
    body["application/json"]["examples"] = _OUTCOME_EXAMPLES
    done["401"] = {"description": "It takes a token.", "content": _content(_ref("Error"))}
    return _post("outcomes", "Say how one shot ended, or several.", body, done)


def _one_or_many(name: str, plural: str) -> dict[str, Any]:
    items = {"type": "array", "items": _ref(name), "minItems": 1, "maxItems": MAX_SHOTS}
    many = {
        "type": "object",
        "required": [plural],
        "additionalProperties": False,
        "properties": {plural: items},
    }
    return _content({"oneOf": [_ref(name), many]})


def _post(name: str, summary: str, body: dict[str, Any], done: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": {
            **done,
            **{
                status: {"description": words, "content": _content(_ref("Error"))}
                for status, words in _REFUSALS.items()
            },
        },
    }


def _get(summary: str, content: dict[str, Any]) -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": content}},
    }


def _content(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
