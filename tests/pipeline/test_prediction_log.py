"""The log of predictions with real servers: what was answered is stored once, whatever dies."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest

from parivision.errors import StoreError
from parivision.packaging import bento as package
from parivision.packaging import local_deployment
from parivision.packaging.bento import Bento
from parivision.prediction_log import OUTCOMES, PREDICTIONS, RecordBatch, Store, open_store
from parivision.prediction_log.folder import FolderStore, numbers
from parivision.prediction_log.join import Joiner, labelled_since, predictions_since
from parivision.prediction_log.lines import Entry, line
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.records import outcome
from parivision.prediction_log.spill import Spill
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from pipeline.mongo_server import HOW_TO, Killable, is_killable_here
from ports import free_port

SERVE = Path(__file__).parents[2] / "bentos" / "serve.py"
START_S = 120.0
SHARED = {"model": "m", "version": "1", "track": "primary", "pod": "p"}
ODD = "a\0b\n\u2028 é \U0001f3c0 $set .x"


def wait(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def stored_ids(url: str) -> Counter[str]:
    """How often each prediction is in the store."""
    store = open_store(url)
    found = Counter(each.id for page in predictions_since(store) for each in page.records)
    store.close()
    return found


class TestStores:
    """What both stores promise."""

    @pytest.fixture
    def store(self, lake_url: str) -> Iterator[Store]:
        """An empty store, in a folder and in MongoDB."""
        opened = open_store(lake_url)
        yield opened
        opened.close()

    def test_a_batch_is_kept_once_as_it_was(self, store: Store) -> None:
        """The first of a number stays, with its texts and numbers; games are remembered."""
        facts = {"game_id": 2**63 - 1, "action_type": ODD, "x_ft": -0.0, "y_ft": 1e-300}
        record = {"id": "a", "at": "2024", "p_made": 0.1, "facts": facts}
        batch = RecordBatch(PREDICTIONS, "w", 0, [record], SHARED, [2**63 - 1, 7])
        assert store.append(batch)
        assert not store.append(RecordBatch(PREDICTIONS, "w", 0, []))
        found = store.read(PREDICTIONS, "w", 0)
        assert found is not None
        assert (list(found.records), found.shared) == ([record], SHARED)
        assert store.read(PREDICTIONS, "w", 1) is None
        assert store.ends(PREDICTIONS) == {"w": 1}
        assert store.ends(OUTCOMES) == {}
        assert store.games() == {2**63 - 1, 7}

    def test_labels_go_on_after_a_restart(self, store: Store, lake_url: str) -> None:
        """Outcomes that come first, late and corrected; each time with a new joiner and store."""
        store.append(RecordBatch(OUTCOMES, "o", 0, [outcome("7:1", "2024-01-01", made=True)]))
        assert self.joined(lake_url) == []
        facts = {"game_id": 7, "event_id": 1}
        records = [{"id": each, "at": "2024", "p_made": 0.5, "facts": facts} for each in "ab"]
        store.append(RecordBatch(PREDICTIONS, "w", 0, records, SHARED))
        assert self.joined(lake_url) == [("a", True), ("b", True)]
        store.append(RecordBatch(OUTCOMES, "o", 1, [outcome("b", "2024-01-02", made=False)]))
        store.append(RecordBatch(OUTCOMES, "p", 0, [outcome("7:1", "2023-01-01", made=False)]))
        assert self.joined(lake_url) == [("a", True), ("b", True), ("b", False)]

    @staticmethod
    def joined(url: str) -> list[tuple[str, bool]]:
        """All labels, by a joiner that knows nothing."""
        store = open_store(url)
        joiner = Joiner(store)
        joiner.join()
        joiner.close()
        said = [(o.served.id, o.made) for page in labelled_since(store) for o in page.records]
        store.close()
        return said


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
        wait(lambda: log.state().lag_s < 2)
        time.sleep(pause_s)
        database.kill()
        spilled = log.state().spilled
        wait(partial(has_spilled_more_than, spilled))
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
            wait(lambda: self._is_ready(client), START_S)

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
    wait(lambda: len(service.answered) > 200)
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
    wait(lambda: len(service.answered) > 100)
    database.kill()
    before = len(service.answered)
    wait(lambda: len(service.answered) > before + 100)
    service.end(signal.SIGTERM)
    assert numbers(tmp_path / "spill", PREDICTIONS)
    database.start()
    following = start(url)
    wait(lambda: not numbers(tmp_path / "spill", PREDICTIONS))
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
    wait(lambda: service.metric("parivision_prediction_log_spilled_total") > 100)
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
    wait(lambda: not numbers(tmp_path / "spill", PREDICTIONS))
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
    assert TestStores.joined(url) == [(answer["id"], True)]


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
    assert TestStores.joined(str(tmp_path / "log")) == [(answer["id"], True)]


def test_credentials_are_never_shown(mongo_server: Any) -> None:
    """A refused login is an error without the password."""
    store = open_store(mongo_server.url("log", "s3cret"))
    with pytest.raises(StoreError) as refused:
        store.ends(PREDICTIONS)
    store.close()
    assert "s3cret" not in str(refused.value)
    assert mongo_server.password not in str(refused.value)


def test_a_document_shows_what_was_served(mongo_server: Any) -> None:
    """Anyone with a MongoDB client can read the log: a batch is a document of JSON lines."""
    url = mongo_server.url("readable")
    store = open_store(url)
    record = {"id": "a", "at": "2024", "p_made": 0.5, "facts": {"game_id": 7}}
    store.append(RecordBatch(PREDICTIONS, "w", 0, [record], SHARED, [7]))
    store.close()
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    with client:
        (found,) = client.get_default_database().predictions.find({})
    head, *lines = found["lines"].splitlines()
    assert found["_id"] == "w:00000000"
    assert json.loads(head) == {"shared": SHARED, "games": [7]}
    assert [json.loads(line) for line in lines] == [record]
