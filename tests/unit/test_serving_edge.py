"""Origins, hosts, and what others call a request: pure parts, and the application's answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from asgi import Answer, Asker
from parivision import settings
from parivision.errors import SettingsError
from parivision.models.bundle import Bundle
from parivision.prediction_log.batch import RecordBatch, open_store
from parivision.prediction_log.join import predictions_since
from parivision.prediction_log.records import ServedPrediction, served
from parivision.prediction_log.spill import Spill
from parivision.serving import trace
from parivision.serving.answers import as_json
from parivision.serving.app import App
from parivision.serving.edge import Edge
from parivision.serving.logs import Logs
from parivision.serving.openapi import SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = (b"content-type", b"application/json")
ORIGIN = "https://shots.example"
FROM_PAGE = (b"origin", ORIGIN.encode())


@pytest.fixture(scope="module")
def predictor(small_bundle: Bundle) -> Predictor:
    """The small model."""
    return Predictor(small_bundle, ChampionRecord("shots", "12"))


@pytest.fixture
def ask(predictor: Predictor) -> Iterator[Asker]:
    """A service for one origin and some hosts."""
    app = App()
    app.serve(predictor, edge=Edge.of([ORIGIN], ["shots.example", "*.svc"]))
    asker = Asker(app)
    yield asker
    asker.close()


def answered(ask: Asker, method: str, path: str, *headers: tuple[bytes, bytes]) -> Answer:
    """The answer to a request for the right host."""
    body = as_json(SMALL_SHOT) if method == "POST" else b""
    named = headers if any(name == b"host" for name, _ in headers) else (HOST, *headers)
    return ask(body, method, path, named)


HOST = (b"host", b"shots.example")


class TestTrace:
    """X-Request-Id and traceparent, taken over or as if they had not come."""

    @pytest.mark.parametrize(
        "value", [b"a", b"4e6c1f0c-8a9b-4b7e-9a51-12c1e2f8a001", b"Root=1-6=@~+/:.", b"a" * 128]
    )
    def test_ids(self, value: bytes) -> None:
        """What gateways and meshes make is taken."""
        assert trace.of([(b"x-request-id", value)]).fields == {"request_id": value.decode()}

    @pytest.mark.parametrize("value", [b"", b"a" * 129, b"a b", b"\xe9", b'a"b', b"<a>", b"a,b"])
    def test_what_is_no_id(self, value: bytes) -> None:
        """What may do harm in a log or a page, or is endless, is not."""
        assert trace.of([(b"x-request-id", value)]) == trace.Trace({}, ())

    @pytest.mark.parametrize(
        ("value", "is_taken"),
        [
            (PARENT, True),
            (PARENT.replace(b"00-", b"cc-", 1) + b"-what-comes", True),
            (PARENT.replace(b"00-", b"cc-", 1), True),
            (PARENT + b"-more", False),
            (PARENT.replace(b"00-", b"ff-", 1), False),
            (PARENT.upper(), False),
            (PARENT[:-1], False),
            (b"00-" + b"0" * 32 + PARENT[35:], False),
            (PARENT[:36] + b"0" * 16 + b"-01", False),
            (PARENT.replace(b"00-", b"cc-", 1) + b"-" + b"a" * 100, False),
            (b"", False),
        ],
    )
    def test_parents(self, value: bytes, is_taken: bool) -> None:
        """The W3C's rules: no ids of zeros, no version ff, more behind only in later versions."""
        assert bool(trace.of([(b"traceparent", value)]).fields) is is_taken

    def test_of_two_neither_holds(self) -> None:
        """Nobody knows which one is meant."""
        twice = [(b"x-request-id", b"a"), (b"x-request-id", b"b"), (b"traceparent", PARENT)]
        assert trace.of(twice).fields == {"traceparent": PARENT.decode()}

    def test_they_are_answered(self, ask: Asker) -> None:
        """On every route, with what is refused too."""
        headers = (JSON, (b"x-request-id", b"a-1"), (b"traceparent", PARENT))
        for method, path, status in (
            ("POST", "/predict", 200), ("POST", "/what-if", 200), ("GET", "/champion", 200),
            ("GET", "/nothing", 404), ("DELETE", "/predict", 405), ("OPTIONS", "/predict", 204),
        ):  # fmt: skip
            answer = answered(ask, method, path, *headers)
            assert answer.status == status
            assert answer.headers["x-request-id"] == "a-1"
            assert answer.headers["traceparent"] == PARENT.decode()
        assert "x-request-id" not in answered(ask, "GET", "/champion").headers


class TestLog:
    """They are kept with what was predicted."""

    def test_of_one_shot_and_of_many(self, predictor: Predictor, tmp_path: Path) -> None:
        """A record has them where the request had; one without is as ever."""
        logs = Logs.open(
            str(tmp_path / "log"), Spill(tmp_path, 2**20), ChampionRecord("a", "1"), "canary"
        )
        app = App()
        app.serve(predictor, logs)
        asker, one = Asker(app), as_json(SMALL_SHOT)
        many = as_json({"shots": [SMALL_SHOT] * 3})
        named = [JSON, (b"x-request-id", b"a-1"), (b"traceparent", PARENT)]
        asker(one, headers=named)
        asker(many, headers=named[:2])
        asker(one)
        app.predict_now(one, trace.of(named))
        app.close()
        asker.close()
        records = _served(tmp_path / "log")
        both = ("a-1", PARENT.decode())
        assert [(each.request_id, each.traceparent) for each in records] == [
            both, *[("a-1", "")] * 3, ("", ""), both,
        ]  # fmt: skip

    def test_records_of_earlier_stores_are_read(self) -> None:
        """A record and a block without them have none."""
        lines = (
            b'{"shared":{"model":"shots","version":"1","track":"primary","pod":"p"},"games":[]}',
            b'{"id":"a","at":"2024-01-31T03:10:07.120+00:00","p_made":0.5,"facts":{"period":1}}',
            (
                b'{"block":"b","first":0,"at":"2024-01-31T03:10:07.120+00:00","p_made":[0.4],'
                b'"facts":{"period":[2]}}'
            ),
        )
        batch = RecordBatch.of_lines("predictions", "old", 0, b"\n".join(lines) + b"\n")
        assert [(each.id, each.request_id) for each in served(batch)] == [("a", ""), ("b-0", "")]


def _served(folder: Path) -> list[ServedPrediction]:
    store = open_store(str(folder))
    found = [each for page in predictions_since(store) for each in page.records]
    store.close()
    return found


class TestOrigins:
    """CORS, which is off unless origins are listed."""

    def test_a_listed_origin_may_read(self, ask: Asker) -> None:
        """It is named, with what the page may see, whatever the answer is."""
        for method, path in (("POST", "/predict"), ("GET", "/champion"), ("GET", "/nothing")):
            headers = answered(ask, method, path, JSON, FROM_PAGE).headers
            assert headers["access-control-allow-origin"] == ORIGIN
            assert "x-request-id" in headers["access-control-expose-headers"]
            assert headers["vary"] == "origin"

    @pytest.mark.parametrize(
        "origin",
        [b"https://other.example", b"http://shots.example", b"null", ORIGIN.encode() + b":8"],
    )
    def test_others_may_not(self, ask: Asker, origin: bytes) -> None:
        """They get the answer that any program gets, and the browser keeps it from the page."""
        answer = answered(ask, "POST", "/predict", JSON, (b"origin", origin))
        assert answer.status == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["vary"] == "origin"

    def test_a_browser_may_ask_first(self, ask: Asker) -> None:
        """Methods and headers are told to a listed origin, and to no other."""
        asks = (b"access-control-request-method", b"POST")
        headers = answered(ask, "OPTIONS", "/predict", FROM_PAGE, asks).headers
        assert headers["access-control-allow-methods"] == "POST, OPTIONS"
        assert "content-type" in headers["access-control-allow-headers"]
        assert "traceparent" in headers["access-control-allow-headers"]
        other = answered(ask, "OPTIONS", "/predict", (b"origin", b"https://b.example"), asks)
        assert other.status == 204
        assert not [name for name in other.headers if name.startswith("access-control")]

    def test_without_a_list_nothing_is_said(self, predictor: Predictor) -> None:
        """Off is as if there was no such thing, but for OPTIONS and its Allow."""
        app = App()
        app.serve(predictor)
        asker = Asker(app)
        answer = answered(asker, "OPTIONS", "/champion", FROM_PAGE)
        assert (answer.status, answer.headers) == (204, {"allow": "GET, HEAD, OPTIONS"})
        assert "vary" not in answered(asker, "GET", "/champion", FROM_PAGE).headers
        asker.close()

    def test_all_origins(self, predictor: Predictor) -> None:
        """`*` names no origin, so that no answer depends on it."""
        app = App()
        app.serve(predictor, edge=Edge.of(["*"], []))
        asker = Asker(app)
        headers = answered(asker, "GET", "/champion", FROM_PAGE).headers
        assert headers["access-control-allow-origin"] == "*"
        asker.close()

    def test_every_route_answers_options(self, ask: Asker) -> None:
        """Allow says what each takes; a path that is not there has none."""
        routes = answered(ask, "GET", "/").json["routes"]
        for path in (*routes, "/livez", "/readyz", "/healthz", "*"):
            answer = answered(ask, "OPTIONS", path)
            assert answer.status == 204
            assert answer.headers["allow"].endswith("OPTIONS")
        assert answered(ask, "OPTIONS", "/nothing").status == 404


class TestHosts:
    """A list of hosts, which is off unless there is one."""

    @pytest.mark.parametrize(
        ("host", "status"),
        [
            (b"shots.example", 200), (b"SHOTS.example:3000", 200), (b"shots.example.", 200),
            (b"a.svc", 200), (b"a.b.svc:80", 200), (b"svc", 421), (b"example", 421),
            (b"a.shots.example", 421), (b"shots.example.evil", 421), (b"10.0.0.1:3000", 421),
            (b"[::1]", 421), (b"", 421),
        ],
    )  # fmt: skip
    def test_only_listed_hosts_are_answered_for(self, ask: Asker, host: bytes, status: int) -> None:
        """Name and port in any form; the others get a sentence."""
        answer = answered(ask, "GET", "/champion", (b"host", host))
        assert answer.status == status
        if status == 421:
            assert "does not answer for" in answer.json["error"]

    def test_kubernetes_and_prometheus_ask_by_address(self, ask: Asker) -> None:
        """Health and metrics are answered whatever the host is."""
        for path in ("/metrics", "/v2/health/live", "/v2/health/ready"):
            assert answered(ask, "GET", path, (b"host", b"10.0.0.1:3000")).status == 200


class TestSettings:
    """The lists as they are set."""

    def test_they_are_read(self) -> None:
        """Commas between, spaces and case do not matter, and children get the same."""
        chosen = settings.read(
            {
                "PARIVISION_CORS_ORIGINS": " https://A.example:8443 ,http://[::1]:3000,",
                "PARIVISION_ALLOWED_HOSTS": "*.B.example, [::1], shots",
            }
        )
        assert chosen.cors_origins == ("https://a.example:8443", "http://[::1]:3000")
        assert chosen.allowed_hosts == ("*.b.example", "[::1]", "shots")
        assert settings.read(settings.as_environment(chosen)) == chosen

    @pytest.mark.parametrize(
        "wrong",
        ["a.example", "https://a/", "https://a/b", "null", "https://*.a", "https://u@a", "a b"],
    )
    def test_what_is_no_origin(self, wrong: str) -> None:
        """A sentence at the start, not a list that admits nobody."""
        with pytest.raises(SettingsError, match="PARIVISION_CORS_ORIGINS"):
            settings.read({"PARIVISION_CORS_ORIGINS": f"https://good.example,{wrong}"})

    @pytest.mark.parametrize("wrong", ["https://a", "a:3000", "a/b", "*a", "*.", "a b", "a..b"])
    def test_what_is_no_host(self, wrong: str) -> None:
        """Ports and schemes do not belong here."""
        with pytest.raises(SettingsError, match="PARIVISION_ALLOWED_HOSTS"):
            settings.read({"PARIVISION_ALLOWED_HOSTS": wrong})
