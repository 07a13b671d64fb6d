"""Given the installed system, a prediction through the gateway is the registry's champion's."""

import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from cluster.live_cluster import LiveCluster
from parivision.models.bundle import Bundle
from parivision.registry import Registry
from parivision.serving.predictor import utc_today
from parivision.serving.shot import Shot
from parivision.shots.facts import from_records

SHOTS = 300


def shots(count: int) -> list[Shot]:
    """Shots from everywhere on the court, some with all that may be said of them."""
    rng = random.Random(20261126)
    made: list[Shot] = []
    for number in range(count):
        shot = Shot(
            player_id=rng.choice([201939, 5001394, 1]),
            period=rng.randint(1, 5),
            clock_s=round(rng.uniform(0, 299), 1),
            x_ft=round(rng.uniform(-24, 24), 1),
            y_ft=round(rng.uniform(-4, 35), 1),
        )
        if number % 2:
            shot["action_type"] = rng.choice(["Jump Shot", "Driving Layup Shot"])
            shot["game_date"] = utc_today()
        made.append(shot)
    return made


@pytest.fixture
def registry(cluster: LiveCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """The cluster's MLflow, logged in to as the one who may only read."""
    for variable, key in (("USERNAME", "username"), ("PASSWORD", "password")):
        word = cluster.secret("parivision-mlflow-reader", key)
        monkeypatch.setenv(f"MLFLOW_TRACKING_{variable}", word)
    with cluster.tunnel("mlflow", 5000):
        # The one name from outside that the server answers to.
        yield Registry("http://localhost:5000")


def test_an_answer_through_the_gateway_is_the_registrys(
    champion: dict[str, object],
    gateway_url: str,
    http: httpx.Client,
    registry: Registry,
    tmp_path: Path,
) -> None:
    """300 shots over HTTP and 300 in this process, from the champion that MLflow gives."""
    found = registry.champion_bundle(tmp_path)
    assert found is not None
    version, bundle = found
    assert champion["version"] == version.number
    asked = shots(SHOTS)
    body = {"shots": [_as_json(shot) for shot in asked]}
    answer = http.post(f"{gateway_url}/predict", json=body).raise_for_status().json()
    served = [one["p_made"] for one in answer["predictions"]]
    np.testing.assert_allclose(served, _offline(bundle, asked), rtol=0, atol=1e-9)


def _as_json(shot: Shot) -> dict[str, object]:
    return {k: v.isoformat() if k == "game_date" else v for k, v in shot.items()}  # type: ignore[attr-defined]


def _offline(bundle: Bundle, asked: list[Shot]) -> list[float]:
    p_made: list[float] = bundle.predict(from_records(asked, utc_today())).tolist()
    return p_made


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"{", 400, "JSON"),
        (b"{}", 422, "player_id"),
        (b'{"player_id": 1, "period": 99, "clock_s": 1, "x_ft": 0, "y_ft": 0}', 422, "period"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    champion: dict[str, object],
    gateway_url: str,
    http: httpx.Client,
    body: bytes,
    status: int,
    word: str,
) -> None:
    """The gateway lets the service's own sentence through."""
    assert champion
    headers = {"content-type": "application/json"}
    answer = http.post(f"{gateway_url}/predict", content=body, headers=headers)
    assert answer.status_code == status
    assert word in answer.text
