"""The application: its routes, their answers, and what it counts."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from asgi import Asker, body_of, metrics
from parivision import telemetry
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.serving.app import App, create_app
from parivision.serving.client import requests_of
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.request_body import INLINE_BYTES
from parivision.serving.requests import parse
from parivision.shots import court

CHAMPION = ChampionRecord("shots", "12", "d1", {"log_loss": 0.64, "ece": None})


@pytest.fixture(scope="module")
def predictor(zone_rate_bundle: Bundle) -> Predictor:
    """A baseline, so that these tests need no trees."""
    return Predictor(zone_rate_bundle, CHAMPION, lambda: date(2023, 1, 1))


@pytest.fixture
def app(predictor: Predictor) -> App:
    """An application with counts at zero."""
    return create_app(predictor)


@pytest.fixture
def ask(app: App) -> Iterator[Asker]:
    """Asks `app`."""
    asker = Asker(app)
    yield asker
    asker.close()


class TestPredict:
    """POST /predict."""

    def test_one_shot_gets_a_flat_answer(self, ask: Asker, predictor: Predictor) -> None:
        """One shot is answered with one object that says which model it is from."""
        answer = ask(body_of(SMALL_SHOT))
        expected = predictor.answer(parse(json.dumps(SMALL_SHOT).encode()).shots)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        said = answer.json
        assert re.fullmatch("[0-9a-f]{32}", said.pop("id"))
        assert said == {
            "p_made": expected.p_made[0],
            "expected_points": expected.p_made[0] * 3,
            "zone": "above the break 3",
            "zone_code": 5,
            "model": {"name": "shots", "version": "12", "family": "zone_rate"},
        }

    def test_many_shots_keep_their_order(
        self, ask: Asker, predictor: Predictor, synthetic_shots: pl.DataFrame
    ) -> None:
        """A list, large enough for the thread, is answered in its order with all digits."""
        records = requests_of(synthetic_shots)
        body = body_of({"shots": records})
        assert len(body) > INLINE_BYTES
        answer = ask(body).json
        offline = predictor.bundle.predict(tables.facts_from_shots(synthetic_shots))
        assert [row["p_made"] for row in answer["predictions"]] == offline.tolist()
        points = offline * synthetic_shots["shot_value"].to_numpy()
        assert [row["expected_points"] for row in answer["predictions"]] == points.tolist()
        codes = court.zone(synthetic_shots["x_ft"].to_numpy(), synthetic_shots["y_ft"].to_numpy())
        assert [row["zone_code"] for row in answer["predictions"]] == codes.tolist()
        assert answer["model"]["version"] == "12"

    def test_a_list_of_one_is_answered_with_a_list(self, ask: Asker) -> None:
        """The answer has the form of the question."""
        assert len(ask(body_of({"shots": [FULL_SHOT]})).json["predictions"]) == 1

    @pytest.mark.parametrize(
        "header", [b"application/json; charset=utf-8", b"Application/JSON", b"application/x+json"]
    )
    def test_json_by_other_names(self, ask: Asker, header: bytes) -> None:
        """JSON may be called by its other names."""
        assert ask(body_of(SMALL_SHOT), headers=[(b"content-type", header)]).status == 200

    def test_no_content_type(self, ask: Asker) -> None:
        """A client that does not say what it sends is taken to send JSON."""
        assert ask(body_of(SMALL_SHOT), headers=[]).status == 200

    def test_a_body_in_pieces(self, ask: Asker) -> None:
        """A body may come in pieces."""
        body = body_of(SMALL_SHOT)
        pieces: list[dict[str, Any]] = [
            {"type": "http.request", "body": body[:9], "more_body": True},
            {"type": "http.request", "more_body": True},
            {"type": "http.request", "body": body[9:]},
        ]
        assert ask(pieces).status == 200


class TestOthers:
    """The other routes."""

    def test_champion(self, ask: Asker) -> None:
        """GET /champion says which model it is, what it knows and how good it was."""
        champion = ask(method="GET", path="/champion").json
        assert champion["name"] == "shots"
        assert champion["version"] == "12"
        assert champion["family"] == "zone_rate"
        assert champion["feature_set"] == "full"
        assert champion["digest"] == "d1"
        assert champion["metrics"] == {"log_loss": 0.64, "ece": None}
        assert champion["known_through"] == champion["card"]["known_through"]

    def test_players(self, ask: Asker) -> None:
        """GET /players lists who may be chosen by name; nobody where promotion kept nobody."""
        assert ask(method="GET", path="/players").json == {"players": []}

    def test_index_names_the_routes(self, ask: Asker) -> None:
        """GET / says what there is."""
        assert ask(method="GET", path="/").json["routes"]["/predict"] == ["POST"]

    def test_head(self, ask: Asker) -> None:
        """HEAD is answered where GET is."""
        assert ask(method="HEAD", path="/champion").status == 200

    def test_web_sockets_are_closed(self, ask: Asker) -> None:
        """A web socket is closed with what to do instead."""
        sent = ask.exchange({"type": "websocket"}, [{"type": "websocket.connect"}])
        assert [message["type"] for message in sent] == ["websocket.close"]

    def test_lifespan(self, ask: Asker) -> None:
        """Servers that start and stop applications are answered."""
        messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent = ask.exchange({"type": "lifespan"}, messages)
        assert [m["type"] for m in sent] == [f"{m['type']}.complete" for m in messages]


class TestMetrics:
    """GET /metrics."""

    def test_predictions_by_zone_and_probability(
        self, ask: Asker, synthetic_shots: pl.DataFrame
    ) -> None:
        """Each prediction is counted in its zone and its bucket, under the model's version."""
        answer = ask(body_of({"shots": requests_of(synthetic_shots)})).json["predictions"]
        seen = metrics(ask)
        p_made = np.array([row["p_made"] for row in answer])
        for zone in court.Zone:
            expected = sum(row["zone_code"] == zone for row in answer)
            assert seen[telemetry.PREDICTIONS]["12", zone.label] == expected
        for bound in telemetry.P_MADE_BUCKETS:
            count = seen[f"{telemetry.P_MADE}_bucket"][str(bound), "12"]
            assert count == (p_made <= bound).sum()
        assert seen[f"{telemetry.P_MADE}_count"]["12",] == len(answer)
        assert seen[f"{telemetry.P_MADE}_sum"]["12",] == pytest.approx(p_made.sum())

    def test_requests_by_route_and_status(self, ask: Asker) -> None:
        """Requests are counted by route and status; invented paths share one label."""
        ask(body_of(SMALL_SHOT))
        ask(b"{}")
        for number in range(3):
            ask(path=f"/{number}", method="GET")
        seen = metrics(ask)
        assert seen[telemetry.REQUESTS] == {
            ("12", "/predict", "200"): 1,
            ("12", "/predict", "422"): 1,
            ("12", telemetry.OTHER_ROUTE, "404"): 3,
        }
        assert seen[f"{telemetry.REQUEST_SECONDS}_count"]["12", "/predict"] == 2
        buckets = seen[f"{telemetry.REQUEST_SECONDS}_bucket"]
        assert buckets["+Inf", "12", "/predict"] == 2
        assert len([key for key in buckets if key[2] == "/predict"]) == 21

    def test_refused_shots_are_not_counted_as_predictions(self, ask: Asker) -> None:
        """Only answered shots count as predictions."""
        ask(body_of({"shots": [SMALL_SHOT, {}]}))
        assert sum(metrics(ask)[telemetry.PREDICTIONS].values()) == 0

    def test_the_model_and_the_process(self, ask: Asker) -> None:
        """The scrape says which model answers, and what the process costs."""
        seen = metrics(ask)
        assert seen[telemetry.MODEL_INFO] == {("zone_rate", "full", "12", "shots"): 1}
        assert "process_cpu_seconds_total" in seen


def test_a_timeout_is_counted(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that BentoML cuts off counts as 504, which the client got."""
    import asyncio

    app = create_app(predictor)

    async def cut_off() -> None:
        async def never(*_: object) -> Any:
            await asyncio.Event().wait()

        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": []}
        task = asyncio.create_task(app(scope, never, never))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cut_off())
    asker = Asker(app)
    assert metrics(asker)[telemetry.REQUESTS]["12", "/predict", "504"] == 1
    asker.close()
