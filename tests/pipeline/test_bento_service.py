"""The champion as a Bento: built, served on 127.0.0.1, asked, replaced and stopped."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from prometheus_client.parser import text_string_to_metric_families

from malformed import BODIES, mutated_bodies
from parivision import telemetry
from parivision.errors import ServiceError
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.packaging import bento as package
from parivision.packaging import local_deployment
from parivision.packaging.bento import Bento
from parivision.packaging.local_deployment import Deployment
from parivision.serving.client import ServiceClient, requests_of
from parivision.serving.openapi import SMALL_SHOT
from parivision.serving.requests import MAX_BODY_BYTES
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate

START_S = 180.0
AGREED = 1e-12
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Bentos are kept: below a hidden folder, as the default home is."""
    return tmp_path_factory.mktemp("home") / ".parivision" / "bentoml"


@pytest.fixture(scope="module")
def bento(small_bundle_dir: Path, store: Path) -> Bento:
    """Version 1: LightGBM."""
    return package.build(small_bundle_dir, version="1", store=store, metrics={"log_loss": 0.65})


@pytest.fixture
def served(bento: Bento, state_dir: Path, port: int) -> Deployment:
    """Version 1, serving; started once."""
    return local_deployment.start(bento.path, port=port, state_dir=state_dir, timeout_s=START_S)


@pytest.fixture
def client(served: Deployment) -> Iterator[ServiceClient]:
    """A client of version 1."""
    with ServiceClient(served.url) as client:
        yield client


@pytest.fixture
def http(served: Deployment) -> Iterator[httpx.Client]:
    """Plain HTTP to version 1."""
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as http:
        yield http


@pytest.fixture(scope="module")
def many_shots() -> pl.DataFrame:
    """More than ten thousand shots that the model has never seen, in time order."""
    config = SyntheticConfig(seed=11, seasons=(2024,), games_a_season=62)
    return tables.in_time_order(generate(config).drop(P_TRUE))


def counted(client: ServiceClient, name: str) -> float:
    """The sum of a counter over all its labels."""
    families = text_string_to_metric_families(client.metrics())
    return sum(s.value for family in families for s in family.samples if s.name == name)


class TestAnswers:
    """The service over HTTP."""

    def test_ten_thousand_shots_agree_with_the_offline_model(
        self, client: ServiceClient, small_bundle: Bundle, many_shots: pl.DataFrame
    ) -> None:
        """Training and service say the same about every shot, with and without action types."""
        assert many_shots.height >= 10_000
        known = tables.facts_from_shots(many_shots)
        before = counted(client, telemetry.PREDICTIONS)
        served = [row["p_made"] for row in client.predict(requests_of(many_shots))]
        np.testing.assert_allclose(served, small_bundle.predict(known), rtol=0, atol=AGREED)
        assert counted(client, telemetry.PREDICTIONS) - before == many_shots.height
        bare = requests_of(many_shots.with_columns(pl.lit(None, pl.String).alias("action_type")))
        offline = small_bundle.predict(known.without_action())
        served = [row["p_made"] for row in client.predict(bare)]
        np.testing.assert_allclose(served, offline, rtol=0, atol=AGREED)
        assert len(set(served)) > 1000

    def test_one_at_a_time_is_the_same_as_all_together(
        self, client: ServiceClient, many_shots: pl.DataFrame
    ) -> None:
        """A shot's answer does not depend on those it is asked with."""
        requests = requests_of(many_shots)[::200]
        together = client.predict(requests)
        alone = [client.predict_one(request) for request in requests]
        alone_p, together_p = ([row["p_made"] for row in rows] for rows in (alone, together))
        assert np.abs(np.subtract(alone_p, together_p)).max() <= AGREED
        assert {row["model"]["version"] for row in alone} == {"1"}

    def test_champion(self, client: ServiceClient, bento: Bento, small_bundle: Bundle) -> None:
        """The service says which model it is."""
        champion = client.champion()
        assert champion["name"] == "shots"
        assert champion["version"] == "1"
        assert champion["digest"] == bento.digest
        assert champion["metrics"] == {"log_loss": 0.65}
        assert champion["known_through"] == small_bundle.card["known_through"]

    @pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
    def test_health(self, http: httpx.Client, path: str) -> None:
        """Kubernetes's probes are answered."""
        assert http.get(path).status_code == 200

    def test_openapi(self, http: httpx.Client) -> None:
        """The document is this project's and not the framework's."""
        document = http.get("/docs.json").json()
        assert "/predict" in document["paths"]
        assert document["info"]["version"] == "1"

    def test_metrics_name_no_path_of_a_client(self, http: httpx.Client) -> None:
        """Invented paths make no time series, and the framework's metrics are off."""
        http.get("/made-up-by-a-client")
        text = http.get("/metrics").text
        assert "made-up" not in text
        assert "bentoml_service" not in text
        assert f'{telemetry.REQUEST_SECONDS}_bucket{{le="0.00025"' in text


class TestMalformed:
    """Malformed requests over HTTP."""

    @staticmethod
    def check(response: httpx.Response) -> None:
        """An answer, or a refusal with a sentence."""
        assert response.status_code in (200, 400, 422), response.text
        if response.status_code != 200:
            assert len(response.json()["error"]) > 10

    def test_a_thousand_bodies(self, http: httpx.Client) -> None:
        """Spoiled requests never get a 5xx, and the service goes on."""
        for body in mutated_bodies(seed=2, count=1000):
            self.check(http.post("/predict", content=body, headers=JSON))
        assert http.post("/predict", json=SMALL_SHOT).status_code == 200

    @settings(
        max_examples=100,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(body=BODIES)
    def test_any_body(self, http: httpx.Client, body: bytes) -> None:
        """Whatever is sent, the answer is never a 5xx."""
        self.check(http.post("/predict", content=body, headers=JSON))

    def test_too_large(self, http: httpx.Client) -> None:
        """A body beyond the limit is refused with the limit, in one piece and in many."""
        large = b" " * (MAX_BODY_BYTES + 1)
        pieces = (large[start : start + 2**16] for start in range(0, len(large), 2**16))
        for content in (large, pieces):
            response = http.post("/predict", content=content, headers=JSON)
            assert response.status_code == 413
            assert "at most 8 MiB" in response.json()["error"]

    @pytest.mark.parametrize(
        "raw",
        [
            b"NONSENSE\r\n\r\n",
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
            b"POST /predict HTTP/9.9\r\nHost: x\r\n\r\n",
            b"POST /pre dict HTTP/1.1\r\nHost: x\r\n\r\n",
        ],
    )
    def test_not_http(self, served: Deployment, port: int, raw: bytes) -> None:
        """What is not even HTTP gets a 400."""
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(raw)
            assert connection.recv(1000).split()[1] in (b"400", b"404")

    def test_a_client_that_leaves_in_the_middle(
        self, served: Deployment, port: int, http: httpx.Client
    ) -> None:
        """Clients that go away do no harm and leave no error in the log."""
        head = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(head)
        assert http.post("/predict", json=SMALL_SHOT).status_code == 200
        assert "Traceback" not in Path(served.log).read_text()

    def test_the_client_repeats_the_sentence(self, client: ServiceClient) -> None:
        """The library's client raises with the service's own words."""
        with pytest.raises(ServiceError, match=r"422: x_ft: expected a number from -26 to 26"):
            client.predict_one({**SMALL_SHOT, "x_ft": 99})
