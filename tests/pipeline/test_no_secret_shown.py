"""No command shows a credential, however broken it is: in output, logs, tracebacks or files."""

import base64
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import typer

from parivision import cli, settings
from parivision.cli.app import app
from parivision.errors import PariVisionError
from parivision.lake import mongo_client
from parivision.settings import CREDENTIALS
from parivision.settings.redaction import KFP
from parivision.stages import termination_message
from parivision.stages.drift import drift
from parivision.stages.image import push
from parivision.stages.ingest import ingest

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

ADDRESSES = tuple(name for name, mark in CREDENTIALS.items() if mark.kind == "address")
PASSWORDS = tuple(name for name, mark in CREDENTIALS.items() if mark.kind == "password")
# Two parts, for what stands between them is what is wrong.
FIRST, SECOND = "Zq7hushXw9", "Kd4quietVb2"
NOWHERE = "/nowhere/at/all"
FILES = "--- what was written ---"
TAKEN = "{taken}"
SERVES = ("--port", TAKEN)
# What makes each command do something with its settings and end soon. A new command must join.
ARGUMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("run",): ("etl", "--source", NOWHERE),
    ("demo",): ("--data", NOWHERE),
    ("ingest",): (NOWHERE,),
    ("refine",): (),
    ("export",): ("{tmp}/shots.csv",),
    ("quarantine",): (),
    ("status",): ("--json",),
    ("eda",): ("--data", NOWHERE),
    ("stats-api",): ("--archive", "lake", *SERVES),
    ("train",): ("--models", "nobody"),
    ("evaluate",): (),
    ("promote",): (),
    ("package",): ("--push",),
    ("deploy",): ("--target", "kubernetes"),
    ("stop",): (),
    ("predict",): ("{tmp}/lines",),
    ("app",): ("--parts", NOWHERE),
    ("drift",): (),
    ("exporter",): SERVES,
    ("judge",): SERVES,
    ("lake-users",): (
        *("--server", "127.0.0.1:9", "--root", "{login}", "--writer", "{login}"),
        *("--reader", "{login}", "--wait", "0.01"),
    ),
    ("mlflow-users",): (
        *("--url", "http://127.0.0.1:9", "--admin", "{login}", "--user", "{login}", "--wait", "0"),
    ),
    ("wait",): ("--for", "0", "--runtime"),
    ("submit",): ("etl", "--no-follow"),
    ("runs",): (),
    ("schedule",): (),
    ("retrain-on-alerts",): SERVES,
    ("backup",): ("{tmp}/backup",),
    ("restore",): ("{tmp}/lines",),
    ("predictions", "tail"): (),
    ("predictions", "export"): (),
    ("outcomes", "import"): ("{tmp}/lines",),
    ("backtest", "seasons"): ("--data", NOWHERE),
    ("backtest", "drift"): ("--data", NOWHERE, "--reference", "2022", "--season", "2023"),
    ("backtest", "estimated"): ("--data", NOWHERE),
    ("rollout", "simulate"): ("--predictions", "{tmp}/lines"),
    ("rollout", "needed"): (),
    ("rollout", "status"): (),
    ("rollout", "explain"): (),
    ("rollout", "abort"): (),
    ("rollout", "promote"): (),
    ("rollout", "return"): ("1",),
    ("rollout", "demo"): (),
    ("rollout", "picture"): ("{tmp}/lines", "{tmp}/drawn.svg"),
}
# They start processes: of what is well formed one way is enough.
SLOW = {("run",), ("demo",)}
HOSTS = {
    "PARIVISION_LAKE": "mongodb://user:{}@127.0.0.1:9/db",
    "PARIVISION_PREDICTION_LOG": "mongodb://user:{}@127.0.0.1:9/db",
    "MLFLOW_TRACKING_URI": "http://user:{}@127.0.0.1:9",
    "PARIVISION_IMAGES_PUSH": "http://user:{}@127.0.0.1:9/shots",
    "PARIVISION_PROMETHEUS": "http://user:{}@127.0.0.1:9",
    "PARIVISION_KFP": "https://user:{}@127.0.0.1:9",
    "PARIVISION_KFP_UI": "https://user:{}@127.0.0.1:9",
}
MALFORMED: dict[str, Callable[[str, str], str]] = {
    "a line break inside": lambda a, b: f"{a}\n{b}",
    "a return and a null": lambda a, b: f"{a}\r{b}\x01",
    "no width": lambda a, b: f"{a}\u200b{b}",
    "no ASCII": lambda a, b: f"{a}é{b}",
    "a hundred kilobytes": lambda a, b: a + "x" * 100_000 + b,
}
WELL_FORMED: dict[str, Callable[[str, str], str]] = {
    "wrong": lambda a, b: a + b,
    "a line break at the end": lambda a, b: f"{a}{b}\r\n",
    "special characters": lambda a, b: f"{a}@/%#?: {b}",
}


def _commands(
    group: typer.core.TyperGroup, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name)


def _forms(value: str) -> set[str]:
    """What must not be seen of a value: its parts, and all of it as libraries write it."""
    parts = {FIRST, SECOND}
    for text in {value, value.strip(), f"user:{value}", f"user:{value.strip()}"}:
        raw = text.encode()
        coded = {base64.b64encode(raw), base64.urlsafe_b64encode(raw)}
        parts |= {each.decode().rstrip("=") for each in coded}
        parts |= {quote(text, safe=""), quote_plus(text), repr(text)[1:-1]}
    return {part for part in parts if part.strip()}


def test_the_table_names_every_command() -> None:
    """A new command joins it, with arguments that make it use its settings."""
    assert set(_commands(typer.main.get_command(app))) == ARGUMENTS.keys()  # type: ignore[arg-type]
    assert set(HOSTS) == set(ADDRESSES)


class Watched:
    """Runs a command with an environment, and keeps all that anybody could see of it."""

    def __init__(self, monkeypatch, capfd, caplog, tmp_path: Path, taken: int) -> None:
        self._patch, self._shown, self._logged = monkeypatch, capfd, caplog
        self._folder, self._taken = tmp_path, taken
        (tmp_path / "lines").write_text("{}\n")

    def run(self, command: tuple[str, ...], environment: dict[str, str]) -> tuple[int, str]:
        """Exit code, and what was printed, logged and written."""
        login = self._folder / "login"
        login.mkdir(exist_ok=True)
        for key in ("username", "password", "admin-username", "admin-password"):
            (login / key).write_text(environment.get("PARIVISION_IMAGES_PASSWORD", "somebody"))
        places = {"tmp": self._folder, "login": login, "taken": self._taken}
        words = [word.format(**places) for word in ARGUMENTS[command]]
        with self._patch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["parivision", *command, *words])
            patch.setattr(logging, "basicConfig", lambda **_: None)
            try:
                cli.main()
                code = 0
            except SystemExit as ended:
                code = int(ended.code or 0)
            except Exception as error:  # noqa: BLE001 - what Python would print
                sys.excepthook(type(error), error, error.__traceback__)
                code = 1
        printed = self._shown.readouterr()
        files = (path for path in (self._folder / "home").rglob("*") if path.is_file())
        written = b"".join(path.read_bytes() for path in files).decode(errors="replace")
        logged, _ = self._logged.text, self._logged.clear()
        return code, printed.out + printed.err + logged + FILES + written


@pytest.fixture
def watched(home, monkeypatch, capfd, caplog, tmp_path) -> Iterator[Watched]:
    """Commands in a home of their own; nobody answers anywhere, and that is known at once."""
    for name in (*KFP, "KF_PIPELINES_SA_TOKEN_PATH", "KFP_NAMESPACE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KUBECONFIG", NOWHERE)
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    monkeypatch.setattr(mongo_client, "SERVER_WAIT_MS", 20)
    monkeypatch.setattr("parivision.prediction_log.mongo.FIND_SERVER_MS", 20)
    monkeypatch.setattr("parivision.canary.store.FIND_SERVER_MS", 20)
    caplog.set_level(logging.DEBUG)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield Watched(monkeypatch, capfd, caplog, tmp_path, taken.getsockname()[1])


def _value(name: str, secret: str) -> str:
    return HOSTS.get(name, "{}").format(secret)


def _usual() -> dict[str, str]:
    """Credentials that are well formed, and addresses where nobody answers."""
    return {name: _value(name, FIRST + SECOND) for name in (*PASSWORDS, *KFP)} | {
        "PARIVISION_KFP": "https://127.0.0.1:9",
        "PARIVISION_IMAGES_PUSH": "http://127.0.0.1:9/shots",
        "PARIVISION_PROMETHEUS": HOSTS["PARIVISION_PROMETHEUS"].format(FIRST + SECOND),
    }


@pytest.mark.parametrize("command", ARGUMENTS, ids=" ".join)
def test_no_credential_is_shown_by_a_command(command: tuple[str, ...], watched: Watched) -> None:
    """Every credential, one after the other, broken in every way; then all of them wrong."""
    for way, broken in MALFORMED.items():
        for name in (*CREDENTIALS, *KFP):
            if way == "no ASCII" and name in ADDRESSES:
                continue  # which may be a folder's name
            value = _value(name, broken(FIRST, SECOND))
            _, shown = watched.run(command, _usual() | {name: value})
            seen = {form for form in _forms(broken(FIRST, SECOND)) if form in shown}
            assert not seen, (way, name, seen, shown[:3000])
            assert "Traceback" not in shown.partition(FILES)[0], (way, name, shown[:3000])
    for way, made in WELL_FORMED.items():
        if command in SLOW and way != "wrong":
            continue
        secret = made(FIRST, SECOND)
        values = {name: _value(name, secret) for name in (*CREDENTIALS, *KFP)}
        for left_out in ((), ADDRESSES, ("PARIVISION_KFP", "PARIVISION_IMAGES_PUSH")):
            given = {name: value for name, value in values.items() if name not in left_out}
            # Without a login in them they are used, and with it refused.
            usual = _usual() if left_out else {}
            _, shown = watched.run(command, usual | given)
            seen = {form for form in _forms(secret) if form in shown}
            assert not seen, (way, left_out, seen, shown[:3000])
            assert "Traceback" not in shown.partition(FILES)[0], (way, left_out, shown[:3000])
            if command in SLOW:
                break


@pytest.mark.parametrize("name", [*CREDENTIALS, *KFP])
def test_a_file_that_cannot_be_used_is_a_sentence(
    name: str, watched: Watched, tmp_path: Path
) -> None:
    """Missing, a folder, empty, blank, no UTF-8, broken: told with the file and the setting."""
    file = tmp_path / "key"
    command = ("runs",)
    for content in (None, b"", b" \r\n\t", b"\xff\xfe" + FIRST.encode("utf-16-le"), b"a\nb"):
        if content is None:
            file.unlink(missing_ok=True)
        else:
            file.write_bytes(content)
        code, shown = watched.run(command, {f"{name}_FILE": str(file)})
        assert code == 1
        assert f"error: {name}_FILE: {file}" in shown, content
        assert "Traceback" not in shown
        assert FIRST not in shown
    code, shown = watched.run(command, {f"{name}_FILE": str(tmp_path)})
    assert f"error: {name}_FILE: {tmp_path} could not be read (IsADirectoryError)" in shown
    file.write_text(f"\ufeff{_value(name, FIRST + SECOND)}\r\n", encoding="utf-8")
    _, shown = watched.run(command, {f"{name}_FILE": str(file)})
    assert "_FILE" not in shown
    assert FIRST not in shown


def test_a_blank_credential_is_not_taken_for_none(watched: Watched) -> None:
    """A service that asks for a token must not be opened by one that holds a line break only."""
    for name in (*CREDENTIALS, *KFP):
        code, shown = watched.run(("runs",), {name: " \n"})
        assert code == 1
        assert f"error: {name} is blank: give it a value, or leave it out" in shown


@pytest.mark.parametrize("way", [*MALFORMED, *WELL_FORMED])
def test_no_credential_is_shown_by_a_pipelines_task(
    way: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the termination message nor in the traceback that KFP prints."""
    import traceback

    words = tmp_path / "termination-log"
    monkeypatch.setattr(termination_message, "FILE", words)
    monkeypatch.setattr(mongo_client, "SERVER_WAIT_MS", 20)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    secret = (MALFORMED | WELL_FORMED)[way](FIRST, SECOND)
    pod = {"PARIVISION_HOME": str(home), "PARIVISION_POD": "task-1"}
    # Nobody answers, and a task would ask for minutes.
    pod["PARIVISION_PATIENCE_S"] = "0"
    for name in (*CREDENTIALS,):
        words.write_text("")
        environment = pod | {name: _value(name, secret)}
        shown = ""
        for step in (
            lambda chosen: ingest(chosen, NOWHERE),
            lambda chosen: drift(chosen, tmp_path / "shots", tmp_path / "out"),
            lambda chosen: push(chosen, tmp_path),
        ):
            try:
                step(settings.read(environment))
            except PariVisionError as error:
                shown += "".join(traceback.format_exception(error))
        shown += words.read_text()
        assert shown
        assert not {form for form in _forms(secret) if form in shown}, (name, shown)
