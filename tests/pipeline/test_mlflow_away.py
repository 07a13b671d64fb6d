"""MLflow away, or not what it should be: commands end soon, with a sentence."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from parivision.cli import context
from parivision.errors import RegistryError, SettingsError
from parivision.promotion.decision import Decision
from parivision.registry import ALIAS, MODEL_NAME, TRAINING, Registry, impatient, quiet, steady
from parivision.settings import read

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

Run = Callable[..., tuple[int, str, str]]
Answer = Callable[[socket.socket], None]
WON = Decision("lightgbm", promoted=True, reason="lightgbm is better")
BOUND_S = 10
# Importing takes its time on a busy machine, and is not waited for here.
COMMANDS = [("status",), ("predict", "{lines}"), ("package",), ("evaluate",), ("promote",)]
COMMANDS += [("deploy",), ("drift",), ("train", "--models", "lightgbm"), ("wait", "--for", "0")]


def silent(connection: socket.socket) -> None:
    """Takes what comes, and says nothing."""
    while connection.recv(65536):
        pass


def dripping(connection: socket.socket) -> None:
    """Begins an answer that never ends, a byte now and then."""
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


def busy(connection: socket.socket) -> None:
    """Answers 503 with a page."""
    connection.recv(65536)
    page = b"<html>" + b"busy " * 1000
    head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    connection.sendall(head % len(page) + page)


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """A server of that kind; its address."""

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                answer(connection)
            except OSError:
                return

    def accept(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own patience, as where nobody has set anything, is back afterwards."""
    for name in ("MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.setenv(name, "1")
        monkeypatch.delenv(name)
    monkeypatch.setattr("parivision.registry.client_settings._given", {})
    monkeypatch.setattr("parivision.registry.client_settings._changed", [])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_ends_soon(
    command: tuple[str, ...], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens: one line, no traceback, and the setting to look at."""
    (tmp_path / "lines").write_text("{}\n")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    began_s = time.monotonic()
    code, out, err = run(*(word.format(lines=tmp_path / "lines") for word in command))
    assert time.monotonic() - began_s < 3 * BOUND_S
    assert (code, out.replace("the lake answers\n", "")) == (1, "")
    assert "no answer from http://127.0.0.1:9 (NewConnectionError" in err
    assert "MLFLOW_TRACKING_URI" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (silent, "gave no answer within 2 s"),
        (dripping, "gave no answer within 2 s"),
        (busy, "too many 503 error responses"),
    ],
    ids=["silent", "dripping", "busy"],
)
def test_whatever_listens_there_is_not_waited_for(
    answer: Answer, says: str, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the connection and says nothing, or goes on for ever, or has too much to do."""
    monkeypatch.setattr(context, "ANSWER_S", 2)
    with listening(answer) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        began_s = time.monotonic()
        code, _, err = run("status")
        assert time.monotonic() - began_s < 3 * BOUND_S
    assert code == 1
    assert says in err
    assert len(err) < 1200


def test_long_work_waits_longer_unless_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first answer a restart of the server is waited for; MLflow's settings count."""
    from mlflow.environment_variables import (
        MLFLOW_HTTP_REQUEST_MAX_RETRIES,
        MLFLOW_HTTP_REQUEST_TIMEOUT,
    )

    variables = MLFLOW_HTTP_REQUEST_TIMEOUT, MLFLOW_HTTP_REQUEST_MAX_RETRIES
    impatient(3)
    assert [variable.get() for variable in variables] == [3, 0]
    steady(300)
    assert [variable.get() for variable in variables] == [60, 7]
    # Without a wait before the first retry, then 4, 8 and 16 seconds.
    for within_s, retries in ((0, 0), (1, 1), (4, 2), (27, 3), (28, 4), (10**6, 10)):
        steady(within_s)
        assert MLFLOW_HTTP_REQUEST_MAX_RETRIES.get() == retries
    monkeypatch.setattr("parivision.registry.client_settings._changed", [])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES")
    impatient(3)
    steady(30)
    assert [variable.get() for variable in variables] == [600, 4]
    # As a stage does, which is never impatient before.
    monkeypatch.setattr("parivision.registry.client_settings._changed", [])
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "9")
    steady(30)
    assert [variable.get() for variable in variables] == [600, 9]


@pytest.mark.parametrize(
    "address",
    [
        *("mlflow:5000", "localhost:5000", "127.0.0.1:5000", "http:/x", "http:x", "//mlflow:5000"),
        *("mlflow", "http://", "https://:5000", "http://mlflow:abc", "http://mlflow:70000"),
        *("http://ml flow:5000", "http://[::1", "ftp://mlflow", "http://mlflow:5000/?a=b"),
        "http://mlflow:5000#x",
    ],
)
def test_an_address_that_is_none_is_a_sentence(address: str) -> None:
    """What stands in front, host and port: told before anything is asked."""
    with pytest.raises(SettingsError, match=r"^MLFLOW_TRACKING_URI .*expected http://HOST:PORT"):
        read({"MLFLOW_TRACKING_URI": address})


@pytest.mark.parametrize(
    "address",
    [
        *("http://mlflow:5000", "https://mlflow.example.org/prefix/", "HTTP://mlflow"),
        *("http://[::1]:5000", "sqlite:////srv/mlflow.db", "sqlite:///mlflow.db"),
        *("postgresql+psycopg2://db/mlflow", "file:///srv/mlruns", "/srv/mlruns"),
    ],
)
def test_addresses_that_mlflow_knows_stay_as_they_are(address: str) -> None:
    """Servers, databases and folders."""
    assert read({"MLFLOW_TRACKING_URI": address}).tracking_uri == address


def test_a_login_in_the_address_is_taken_out_of_it() -> None:
    """MLflow quotes its address in messages; the variables for user and password come first."""
    found = read({"MLFLOW_TRACKING_URI": "https://some%20body:p%40ss@mlflow:5000/x"})
    assert found.tracking_uri == "https://mlflow:5000/x"
    assert found.tracking_login is not None
    assert (found.tracking_login.name, found.tracking_login.password) == ("some body", "p@ss")
    named = {"MLFLOW_TRACKING_USERNAME": "other", "MLFLOW_TRACKING_PASSWORD": "word"}
    found = read({"MLFLOW_TRACKING_URI": "https://u:p@mlflow:5000", **named})
    assert (found.tracking_uri, found.tracking_username) == ("https://mlflow:5000", "other")


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The registry of the commands' home."""
    quiet()
    home.mkdir(exist_ok=True)
    return Registry(f"sqlite:///{home}/mlflow.db", home / "mlartifacts")


def test_a_version_made_by_hand_is_told_as_that(
    run: Run, registry: Registry, small_bundle_dir: Path, tmp_path: Path
) -> None:
    """It holds the alias and no bundle: every command says so, and what to do."""
    registry.record(WON, small_bundle_dir, None)
    client = MlflowClient(registry.uri)
    run_id = registry.log("somebody's", tags={"kind": "x"})
    for made_of in (None, run_id, "0" * 32):
        made = client.create_model_version(MODEL_NAME, str(tmp_path), run_id=made_of)
        client.set_registered_model_alias(MODEL_NAME, ALIAS, made.version)
        told = f"version {made.version} of the model 'shots' was made by hand in MLflow: it has no"
        advice = "give the alias to version 1, which held it last, or remove it"
        status = json.loads(run("status", "--json")[1])["champion"]
        assert status["version"] == str(made.version)
        assert told in status["trouble"]
        for call in (registry.incumbent, lambda: registry.champion_bundle(tmp_path / "cache")):
            with pytest.raises(RegistryError, match=advice):
                call()
        (tmp_path / "lines").write_text("{}\n")
        for command in (("package",), ("predict", tmp_path / "lines")):
            code, _, err = run(*command)
            assert code == 1
            assert told in err
            assert advice in err
    client.delete_registered_model_alias(MODEL_NAME, ALIAS)
    status = json.loads(run("status", "--json")[1])["champion"]
    assert status["version"] == "1"
    assert "version 1 held it last and counts as the champion" in status["trouble"]
    assert "held it last" in run("status")[1]


def test_a_version_of_a_run_with_a_bundle_is_one_of_ours(
    registry: Registry, small_bundle_dir: Path, tmp_path: Path
) -> None:
    """Registered by hand, but from what a training or a promotion kept: it can be served."""
    tags = {"kind": TRAINING, "model": "lightgbm"}
    run_id = registry.log("train", tags=tags, artifacts={"bundle": small_bundle_dir})
    client = MlflowClient(registry.uri)
    client.create_registered_model(MODEL_NAME)
    client.create_model_version(MODEL_NAME, str(tmp_path), run_id=run_id)
    client.set_registered_model_alias(MODEL_NAME, ALIAS, "1")
    champion = registry.champion_bundle(tmp_path / "cache")
    assert champion is not None
    assert champion[0].number == "1"


def test_every_page_of_runs_is_read(
    registry: Registry, small_bundle_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that was trained long ago is found behind many newer ones; as are pipeline runs."""
    tags = {"kind": TRAINING, "model": "old"}
    registry.log("train old", tags=tags, artifacts={"bundle": small_bundle_dir})
    newest = {"kind": TRAINING, "model": "new"}
    registry.log("train new", tags=newest, artifacts={"bundle": small_bundle_dir})
    for _ in range(5):
        registry.log("train new", tags=newest, artifacts={"bundle": small_bundle_dir})
        registry.record_pipeline("etl", seconds=1.0)
    monkeypatch.setattr("parivision.registry.runs.PAGE", 2)
    assert registry.trained(tmp_path / "cache").keys() == {"old", "new"}
    assert len(registry.pipeline_runs()) == 5
