"""The log of predictions with real servers: what was answered is stored once, whatever dies."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from parivision.packaging import bento as package
from parivision.packaging import local_deployment
from parivision.packaging.bento import Bento
from parivision.prediction_log import PREDICTIONS, open_store
from parivision.prediction_log.folder import FolderStore, numbers
from parivision.prediction_log.join import predictions_since
from parivision.prediction_log.lines import Entry, line
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.spill import Spill
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from pipeline.mongo_server import HOW_TO, Killable, is_killable_here
from pipeline.stored_predictions import SHARED, labels, stored_ids
from ports import free_port
from waiting import wait_for

SERVE = Path(__file__).parents[2] / "bentos" / "serve.py"
START_S = 120.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Killable]:
    """A MongoDB server that can be killed."""
    if not is_killable_here():
        pytest.skip(HOW_TO)
    (tmp_path / "server").mkdir()
    server = Killable(tmp_path / "server")
    server.start()
    yield server
    server.kill()


def test_a_server_killed_under_load_loses_and_doubles_nothing(
    database: Killable, tmp_path: Path
) -> None:
    """Killed and started again four times while records come in: each is there exactly once."""
    url = database.server.url("log")
    log = RecordLog(PREDICTIONS, lambda: open_store(url), Spill(tmp_path / "spill"), SHARED)
    stop, added = threading.Event(), [0]

    def load() -> None:
        while not stop.wait(0.001):
            record = {"id": str(added[0]), "at": "", "p_made": 0.5, "facts": {}}
            added[0] += log.add([Entry(line(record))])

    def has_spilled_more_than(spilled: int) -> bool:
        return log.state().spilled > spilled

    loader = threading.Thread(target=load)
    loader.start()
    for pause_s in (0.1, 0.5, 0.9, 0.3):
        wait_for(lambda: log.state().lag_s < 2)
        time.sleep(pause_s)
        database.kill()
        spilled = log.state().spilled
        wait_for(partial(has_spilled_more_than, spilled))
        database.start()
    stop.set()
    loader.join()
    log.close(30)
    assert numbers(tmp_path / "spill", PREDICTIONS) == {}
    found = stored_ids(url)
    assert set(found.values()) == {1}
    assert sorted(map(int, found)) == list(range(added[0]))
    state = log.state()
    assert sum(state.dropped.values()) == 0
    assert state.written == added[0]


@pytest.fixture(scope="module")
def bento(small_bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Bento:
    """A Bento as the champion's image holds it."""
    return package.build(small_bundle_dir, version="1", store=tmp_path_factory.mktemp("bentos"))


class Service:
    """The image's entry point as a process, asked by a thread until it ends."""

    def __init__(self, bento: Bento, url: str, spill: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PARIVISION_PREDICTION_LOG": url,
            "PARIVISION_SPILL": str(spill),
            "PARIVISION_TRACK": "canary",
            "BENTOML_HOME": str(spill.parent),
            "BENTOML_DO_NOT_TRACK": "True",
        }
        command = [sys.executable, str(SERVE), str(bento.path), "--host", "127.0.0.1"]
        self.process = subprocess.Popen([*command, "--port", str(port)], env=environment)
        self.answered: list[str] = []
        self.asker = threading.Thread(target=self._ask)
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            wait_for(lambda: self._is_ready(client), "the service", START_S)

    def _is_ready(self, client: httpx.Client) -> bool:
        assert self.process.poll() is None
        try:
            return client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _ask(self) -> None:
        several = {"shots": [SMALL_SHOT, FULL_SHOT, SMALL_SHOT]}
        with httpx.Client(base_url=self.url, trust_env=False) as client:
            while True:
                try:
                    one = client.post("/predict", json=FULL_SHOT)
                    many = client.post("/predict", json=several)
                except httpx.TransportError:
                    return
                self.answered += [one.json()["id"], *(p["id"] for p in many.json()["predictions"])]

    def metric(self, name: str, kind: str = PREDICTIONS) -> float:
        """The value of a metric of the log."""
        text = httpx.get(f"{self.url}/metrics", trust_env=False).text
        start = f'{name}{{kind="{kind}"'
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(start))

    def end(self, how: signal.Signals) -> None:
        """Send a signal, wait for the process's end, and then for its clients'."""
        self.process.send_signal(how)
        self.process.wait(timeout=60)
        if self.asker.ident:
            self.asker.join()


@pytest.fixture
def start(bento: Bento, tmp_path: Path) -> Iterator[Callable[[str], Service]]:
    """Starts services that share a spill; none outlives the test."""
    started: list[Service] = []

    def start_service(url: str) -> Service:
        started.append(Service(bento, url, tmp_path / "spill"))
        return started[-1]

    yield start_service
    for service in started:
        if service.process.poll() is None:
            service.end(signal.SIGKILL)


Start = Callable[[str], Service]


def test_an_orderly_stop_under_load_loses_nothing(database: Killable, start: Start) -> None:
    """SIGTERM while requests come in: each that was answered is stored, once, as it was asked."""
    url = database.server.url("log")
    service = start(url)
    service.asker.start()
    wait_for(lambda: len(service.answered) > 200)
    service.end(signal.SIGTERM)
    assert service.process.returncode in (0, -signal.SIGTERM)  # uvicorn passes it on when done
    found = stored_ids(url)
    assert set(found.values()) == {1}
    assert set(service.answered) <= set(found)
    store = open_store(url)
    first = next(predictions_since(store)).records[0]
    store.close()
    assert (first.version, first.track, first.pod) == ("1", "canary", socket.gethostname())


def test_a_stop_without_the_server_leaves_all_on_disk(
    database: Killable, start: Start, tmp_path: Path
) -> None:
    """The next process stores what the one before could only spill."""
    url = database.server.url("log")
    service = start(url)
    service.asker.start()
    wait_for(lambda: len(service.answered) > 100)
    database.kill()
    before = len(service.answered)
    wait_for(lambda: len(service.answered) > before + 100)
    service.end(signal.SIGTERM)
    assert numbers(tmp_path / "spill", PREDICTIONS)
    database.start()
    following = start(url)
    wait_for(lambda: not numbers(tmp_path / "spill", PREDICTIONS))
    following.end(signal.SIGTERM)
    found = stored_ids(url)
    assert set(found.values()) == {1}
    assert set(service.answered) <= set(found)


def test_sigkill_takes_what_was_in_memory_and_no_more(
    database: Killable, start: Start, tmp_path: Path
) -> None:
    """With the server away and the process killed, only the last moment is lost; spill is not."""
    url = database.server.url("log")
    database.kill()
    service = start(url)
    assert service.metric("parivision_prediction_log_lag_seconds") == 0
    service.asker.start()
    wait_for(lambda: service.metric("parivision_prediction_log_spilled_total") > 100)
    service.end(signal.SIGKILL)
    spilled = FolderStore(tmp_path / "spill")
    batches = [
        spilled.read(PREDICTIONS, stream, n)
        for stream, found in numbers(tmp_path / "spill", PREDICTIONS).items()
        for n in found
    ]
    on_disk = sum(batch.size for batch in batches if batch is not None)
    database.start()
    following = start(url)
    wait_for(lambda: not numbers(tmp_path / "spill", PREDICTIONS))
    following.end(signal.SIGTERM)
    found = stored_ids(url)
    assert set(found.values()) == {1}
    assert len(found) == on_disk > 100
    # Spilled in the order of the answers: what is lost is the end of them.
    kept = [identifier in found for identifier in service.answered]
    assert all(kept[: sum(kept)])


def test_outcomes_over_http_label_what_was_served(
    database: Killable, start: Start, tmp_path: Path
) -> None:
    """An outcome posted to one service labels the prediction of another, by game and event."""
    url = database.server.url("log")
    one, two = start(url), start(url)
    shot: dict[str, Any] = {**SMALL_SHOT, "game_id": 9, "event_id": 1}
    answer = httpx.post(f"{one.url}/predict", json=shot, trust_env=False).json()
    said = {"game_id": 9, "event_id": 1, "made": True}
    assert httpx.post(f"{two.url}/outcomes", json=said, trust_env=False).status_code == 202
    one.end(signal.SIGTERM)
    two.end(signal.SIGTERM)
    assert labels(url) == [(answer["id"], True)]


def test_the_local_service_logs_into_a_folder(
    bento: Bento, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a server: what `parivision deploy` serves is in a folder once it is stopped."""
    monkeypatch.setenv("PARIVISION_PREDICTION_LOG", str(tmp_path / "log"))
    port = free_port()
    served = local_deployment.start(
        bento.path, port=port, state_dir=tmp_path / "serve", timeout_s=START_S
    )
    answer = httpx.post(f"{served.url}/predict", json=FULL_SHOT, trust_env=False).json()
    said = {"prediction_id": answer["id"], "made": True}
    assert httpx.post(f"{served.url}/outcomes", json=said, trust_env=False).status_code == 202
    local_deployment.stop(tmp_path / "serve")
    assert labels(str(tmp_path / "log")) == [(answer["id"], True)]
