"""Requests without a prediction: statuses, sentences, and thousands of malformed requests."""

import logging
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi import Answer, Asker, body_of, metrics
from malformed import BODIES, mutated_bodies
from parivision import telemetry
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.openapi import SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.requests import MAX_BODY_BYTES

CHAMPION = ChampionRecord("shots", "12", "d1", {"log_loss": 0.64, "ece": None})


@pytest.fixture(scope="module")
def predictor(zone_rate_bundle: Bundle) -> Predictor:
    """A baseline, so that these tests need no trees."""
    return Predictor(zone_rate_bundle, CHAMPION, lambda: date(2023, 1, 1))


@pytest.fixture
def ask(predictor: Predictor) -> Iterator[Asker]:
    """Asks an application with counts at zero."""
    asker = Asker(create_app(predictor))
    yield asker
    asker.close()


@pytest.fixture(scope="module")
def shared_ask(predictor: Predictor) -> Iterator[Asker]:
    """Asks one application again and again."""
    asker = Asker(create_app(predictor))
    yield asker
    asker.close()


def check_helpful(answer: Answer) -> int:
    """A prediction, or a sentence that is neither empty nor endless; returns the status."""
    assert answer.status in (200, 400, 422)
    if answer.status != 200:
        assert len(answer.json["error"]) > 10
        assert answer.status == 400 or answer.json["fields"]
        assert len(answer.body) < 20_000
    return answer.status


class TestRefused:
    """Requests without a prediction."""

    @staticmethod
    def check(answer: Answer, status: int, words: str) -> None:
        """The status, and a sentence with some words in it."""
        assert answer.status == status
        assert words in answer.json["error"]

    @pytest.mark.parametrize("kind", [b"text/plain", b"", b"multipart/form-data", b"\xff"])
    def test_content_type(self, ask: Asker, kind: bytes) -> None:
        """Other types of content are a 415 that says what to send."""
        answer = ask(body_of(SMALL_SHOT), headers=[(b"content-type", kind)])
        self.check(answer, 415, "expected application/json")

    def test_content_encoding(self, ask: Asker) -> None:
        """A compressed body is a 415 and not an attempt at reading it."""
        answer = ask(b"\x1f\x8b", headers=[(b"content-encoding", b"gzip")])
        self.check(answer, 415, "Content-Encoding")

    def test_too_large(self, ask: Asker) -> None:
        """A body beyond the limit is a 413, read to its end and not kept."""
        piece: dict[str, Any] = {"type": "http.request", "body": b" " * 2**20, "more_body": True}
        pieces = [*[piece] * 9, {"type": "http.request", "body": b""}]
        self.check(ask(pieces), 413, f"at most {MAX_BODY_BYTES // 2**20} MiB")

    def test_without_end(self, ask: Asker) -> None:
        """A body that does not end is given up."""
        piece: dict[str, Any] = {"type": "http.request", "body": b" " * 2**20, "more_body": True}
        self.check(ask(piece for _ in range(10_000)), 413, "too large")

    @pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("POST", "/champion")])
    def test_method(self, ask: Asker, method: str, path: str) -> None:
        """A wrong method is a 405 that names the right one."""
        answer = ask(method=method, path=path)
        self.check(answer, 405, f"not {method}")
        assert answer.headers["allow"] != method

    @pytest.mark.parametrize(
        ("path", "words"), [("/predikt", "did you mean /predict"), ("/x\ud800", "there are")]
    )
    def test_path(self, ask: Asker, path: str, words: str) -> None:
        """An unknown path is a 404 that names the known ones."""
        self.check(ask(path=path), 404, words)

    def test_not_ready(self) -> None:
        """Without a model the answer is a 503 that says to wait."""
        app = create_app()
        asker = Asker(app)
        assert not app.is_ready
        answer = asker(body_of(SMALL_SHOT))
        self.check(answer, 503, "still being loaded")
        assert answer.headers["retry-after"]
        asker.close()

    def test_a_client_that_leaves(self, ask: Asker) -> None:
        """A client that goes away in the middle gets and costs nothing."""
        assert (
            ask.answer_or_none(
                [{"type": "http.request", "more_body": True}, {"type": "http.disconnect"}]
            )
            is None
        )

    def test_a_fault_of_ours(
        self,
        ask: Asker,
        predictor: Predictor,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A bug is a 500 without its details, which are in the log."""
        monkeypatch.setattr(predictor.bundle, "predict", lambda _: np.array([np.nan]))
        monkeypatch.setattr(predictor, "_without_action", lambda _: np.nan)
        monkeypatch.setattr(predictor, "_with_action", lambda _: np.nan)
        with caplog.at_level(logging.ERROR):
            for body in (SMALL_SHOT, {"shots": [SMALL_SHOT]}):
                self.check(ask(body_of(body)), 500, "its log says why")
        assert caplog.text.count("cannot answer /predict") == 2
        assert metrics(ask)[telemetry.REQUESTS]["12", "/predict", "500"] == 2

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(body=BODIES)
    def test_any_body(self, shared_ask: Asker, body: bytes) -> None:
        """Whatever is sent, the answer is a prediction or a sentence that helps, never a 5xx."""
        check_helpful(shared_ask(body))

    def test_thousands_of_bodies(self, shared_ask: Asker) -> None:
        """The same for three thousand spoiled requests, of which few happen to be right."""
        statuses = [check_helpful(shared_ask(body)) for body in mutated_bodies(seed=1, count=3000)]
        assert statuses.count(200) < 600

    @settings(max_examples=100, deadline=None)
    @given(
        method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"]),
        path=st.one_of(st.sampled_from(["/", "/predict", "/docs.json", "//"]), st.text()),
        headers=st.lists(
            st.tuples(
                st.sampled_from([b"content-type", b"content-encoding", b"content-length"]),
                st.binary(max_size=30),
            ),
            max_size=3,
        ),
        body=st.binary(max_size=20),
    )
    def test_any_request(
        self, shared_ask: Asker, method: str, path: str, headers: list[Any], body: bytes
    ) -> None:
        """Whatever method, path and headers come, the answer is never a 5xx."""
        answer = shared_ask(body, method, path, headers)
        assert answer.status < 500
        if answer.status >= 400:
            assert answer.json["error"]
