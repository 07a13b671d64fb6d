"""A stage whose server is away for a moment: it asks again, says so, and ends well."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from parivision import settings
from parivision.errors import ServiceError, SourceError, StoreError
from parivision.lake import open_lake
from parivision.packaging.oci import ImageRegistry
from parivision.settings import Settings
from parivision.settings.retry import Retry
from parivision.stages import stores
from parivision.stages.ingest import ingest
from pipeline import mongo_server
from pipeline.mongo_server import Killable
from ports import free_port

AWAY_S = 2.0
PATIENCE_S = 60
NOTHING = b'{"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such alias"}'
RECORDS = b'{"records": [], "next": "c1", "more": false}'


class _Answer(BaseHTTPRequestHandler):
    """A feed at its end, a registry of images that has everything, an MLflow that has nothing."""

    def do_GET(self) -> None:
        """An empty page of a feed, or MLflow's refusal."""
        is_mlflow = self.path.startswith("/api/")
        body = NOTHING if is_mlflow else RECORDS
        self.send_response(404 if is_mlflow else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - names of the standard library

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def starting_later(after_s: float = AWAY_S) -> Iterator[int]:
    """The port of a server that begins to listen after so many seconds."""
    port, servers = free_port(), list[ThreadingHTTPServer]()

    def serve() -> None:
        server = ThreadingHTTPServer(("127.0.0.1", port), _Answer)
        servers.append(server)
        server.serve_forever(poll_interval=0.02)

    timer = threading.Timer(after_s, serve)
    timer.start()
    try:
        yield port
    finally:
        timer.cancel()
        for server in servers:
            server.shutdown()
            server.server_close()
        timer.join()


def of_a_pod(tmp_path: Path, **more: str) -> Settings:
    """Settings of a task that waits for a minute."""
    named = {"PARIVISION_HOME": str(tmp_path), "PARIVISION_PATIENCE_S": str(PATIENCE_S)}
    return settings.read(named | more)


def test_a_source_that_starts_later_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stage waits for the stats API, and tells of each attempt."""
    caplog.set_level(logging.WARNING)
    began_s = time.monotonic()
    with starting_later() as port:
        report = ingest(of_a_pod(tmp_path), f"http://127.0.0.1:{port}")
    assert report.records == 0
    assert AWAY_S <= time.monotonic() - began_s < PATIENCE_S
    told = [record.message for record in caplog.records if "is away" in record.message]
    assert told
    assert all(f"127.0.0.1:{port} is away, attempt" in line for line in told)


def test_a_source_that_stays_away_ends_the_stage_in_time(tmp_path: Path) -> None:
    """With the setting's seconds in the error."""
    chosen = of_a_pod(tmp_path, PARIVISION_PATIENCE_S="1")
    began_s = time.monotonic()
    with pytest.raises(SourceError, match="gave nothing within 1 s"):
        ingest(chosen, f"http://127.0.0.1:{free_port()}")
    assert time.monotonic() - began_s < 10


def test_an_mlflow_that_starts_later_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's client asks by itself: it is told for how long."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "0")
        monkeypatch.delenv(name)
    monkeypatch.setattr("parivision.registry.client_settings._given", {})
    monkeypatch.setattr("parivision.registry.client_settings._changed", [])
    with starting_later() as port:
        url = f"http://127.0.0.1:{port}"
        chosen = of_a_pod(tmp_path, MLFLOW_TRACKING_URI=url, PARIVISION_POD="pod-1")
        assert stores.registry(chosen).champion() is None


def test_an_image_registry_that_starts_later_is_asked_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whatever a push asks for, it asks again."""
    with starting_later() as port:
        url = f"http://127.0.0.1:{port}"
        with ImageRegistry(url, retry=Retry(within_s=PATIENCE_S)) as images:
            assert images.has_manifest("shots", "sha256:0")
    assert any(f"{url} is away" in record.message for record in caplog.records)
    with (
        ImageRegistry(url, retry=Retry(within_s=0.2)) as images,
        pytest.raises(ServiceError, match="no answer from the image registry"),
    ):
        images.has_manifest("shots", "sha256:0")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_image_registry_with_too_much_to_do_is_asked_again(status: int) -> None:
    """But not one that refuses."""
    answers = [httpx.Response(status), httpx.Response(200)]
    retry = Retry(sleep=lambda _: None)
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    with ImageRegistry("http://images:5000", transport=transport, retry=retry) as images:
        assert images.has_manifest("shots", "sha256:0")
        answers += [httpx.Response(400), httpx.Response(200)]
        with pytest.raises(ServiceError, match="answered 400"):
            images.has_manifest("shots", "sha256:0")


@pytest.mark.skipif(not mongo_server.is_killable_here(), reason=mongo_server.HOW_TO)
def test_a_mongodb_that_is_killed_and_comes_back_is_asked_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A lake that is away when a stage opens it, or in the middle, costs a wait."""
    server = Killable(tmp_path)
    url = server.server.url("lake")
    with ExitStack() as ends:
        later = threading.Timer(AWAY_S, server.start)
        later.start()
        lake = open_lake(url, Retry(within_s=PATIENCE_S))
        ends.callback(lake.close)
        later.join()
        ends.callback(server.kill)
        lake.commit_cursor("feed", "c1")
        caplog.clear()
        server.kill()
        again = threading.Timer(AWAY_S, server.start)
        again.start()
        lake.commit_cursor("feed", "c2")
        again.join()
        assert lake.cursor("feed") == "c2"
    assert any("/lake is away, attempt" in record.message for record in caplog.records)


def test_a_mongodb_that_stays_away_is_told() -> None:
    """As before: the sentence, and no password."""
    with pytest.raises(StoreError, match="could not be used"):
        open_lake("mongodb://user:hush@127.0.0.1:1/x?serverSelectionTimeoutMS=100", Retry(0.3))
