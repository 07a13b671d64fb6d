"""A good shot, and every kind of request that carries it, read as the service reads it."""

import json
from collections.abc import Callable
from typing import Any

from parivision.serving import columns
from parivision.serving.requests import parse, parse_lines, parse_rows
from tiny_league import BOS

GOOD: dict[str, Any] = {
    "player_id": 1001,
    "period": 1,
    "clock_s": 200,
    "x_ft": 3.0,
    "y_ft": 12.0,
    "shot_value": 2,
    "team_id": BOS,
    "home_team": "BOS",
    "away_team": "LAL",
}


def as_tensors(*shots: dict[str, Any]) -> bytes:
    """Shots as a request of the Open Inference Protocol."""
    inputs = [
        {
            "name": name,
            "datatype": columns._datatype(name),
            "shape": [len(shots)],
            "data": [each.get(name) for each in shots],
        }
        for name in shots[-1]
    ]
    return json.dumps({"inputs": inputs}).encode()


WAYS: dict[str, Callable[[dict[str, Any]], object]] = {
    "/predict": lambda facts: parse(json.dumps(facts).encode()),
    "/predict, a list": lambda facts: parse_rows(json.dumps({"shots": [GOOD, facts]}).encode()),
    "/predict, columns": lambda facts: columns.parse(as_tensors(GOOD, facts)),
    "/predict, lines": lambda facts: parse_lines([json.dumps(facts).encode()]),
}
