"""Kubeflow Pipelines behind a certificate that no public authority signed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

import kfp_standin
from kfp_standin import Standin
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow.access import CA_FILE, KfpAccess
from parivision.kubeflow.client import connect
from pipeline.kfp_commands import Run, name_server
from ports import free_port
from private_authority import DAY, Authority

PARIVISION = str(Path(sys.executable).with_name("parivision"))
WAIT_S = 120


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Who signs the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def server(authority: Authority) -> Iterator[Standin]:
    """A Kubeflow Pipelines with a good certificate for its address."""
    with kfp_standin.serving(authority.server()) as standin:
        yield standin


@pytest.fixture
def named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: Standin, authority: Authority
) -> Run:
    """Runs a command with the server and its authority named."""
    name_server(server, monkeypatch, tmp_path)
    monkeypatch.setenv(CA_FILE, str(authority.file))
    return run


def test_every_command_trusts_the_authority_that_is_named(named: Run, server: Standin) -> None:
    """Looking and changing alike: submit, follow, runs, schedule."""
    code, _, err = named("submit", "etl")
    assert code == 0, err
    assert len(json.loads(named("runs", "--json")[1])["runs"]) == 1
    assert named("schedule")[1].count("created") == 3
    assert named("schedule", "--remove")[1].count("removed") == 3
    (run_id,) = server.runs
    assert named("submit", "--attach", run_id)[0] == 0


@pytest.mark.parametrize(
    ("command", "path", "shows"),
    [
        ("retrain-on-alerts", "/", '"outcome":"started"'),
        ("exporter", "/metrics", 'parivision_exporter_source_up{source="kfp"} 1.0'),
    ],
)
def test_every_service_trusts_it_too(
    server: Standin, authority: Authority, tmp_path: Path, command: str, path: str, shows: str
) -> None:
    """The retraining service and the exporter, as processes."""
    port = free_port()
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= {
        "PARIVISION_HOME": str(tmp_path / "home"),
        "PARIVISION_KFP": server.url,
        CA_FILE: str(authority.file),
        "HOME": str(tmp_path),
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [PARIVISION, command, "--port", str(port)], env=environment, stdout=out, stderr=out
        )
    try:
        _until(lambda: shows in httpx.get(f"http://127.0.0.1:{port}{path}", timeout=20).text, log)
    finally:
        process.terminate()
        process.wait(30)


def _until(condition: Callable[[], bool], log: Path) -> None:
    import time

    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(log.read_text())


def test_an_unknown_authority_is_told_with_the_setting(server: Standin, tmp_path: Path) -> None:
    """Without the file, and with that of another authority."""
    other = Authority(tmp_path, "other")
    for access in (KfpAccess(), KfpAccess(ca_file=str(other.file))):
        with pytest.raises(PipelineError, match=f"signed its certificate is not known: {CA_FILE}"):
            connect(server.url, access)


@pytest.mark.parametrize(
    ("host", "begins", "hint"),
    [
        ("kfp.example", -DAY, "certificate is for another name"),
        ("127.0.0.2", -DAY, "certificate is for another name"),
        ("127.0.0.1", -3 * DAY, "has expired: have it renewed"),
        ("127.0.0.1", timedelta(hours=1), "not valid yet: check the clock"),
    ],
)
def test_what_is_wrong_with_a_certificate_is_told(
    authority: Authority, host: str, begins: timedelta, hint: str
) -> None:
    """Another name or address, one that was, one that will be: each with what to do."""
    with (
        kfp_standin.serving(authority.server(host, begins)) as server,
        pytest.raises(PipelineError, match=hint) as told,
    ):
        connect(server.url, KfpAccess(ca_file=str(authority.file)))
    assert CA_FILE not in str(told.value)


def test_the_wrong_scheme_is_told(server: Standin) -> None:
    """An encrypted port asked by http, and one that is not by https."""
    with pytest.raises(PipelineError, match="encrypted port, which needs https://"):
        connect(server.url.replace("https:", "http:"))
    with (
        kfp_standin.serving() as plain,
        pytest.raises(PipelineError, match="not encrypted: write http://"),
    ):
        connect(plain.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    "said",
    ["Client sent an HTTP request to an HTTPS server.", "The plain HTTP request was sent to HTTPS"],
)
def test_servers_that_say_so_themselves_are_understood(said: str) -> None:
    """Go's servers and nginx answer 400 with a sentence."""
    with kfp_standin.serving() as server:
        server.faults.append(kfp_standin.Fault(400, f"{said} port", "text/plain"))
        with pytest.raises(PipelineError, match="encrypted port: write https://"):
            connect(server.url)


def test_a_file_that_is_no_certificate_is_told(named: Run, tmp_path: Path, monkeypatch) -> None:
    """Missing, a folder, empty, another text, a key alone: a sentence that names the setting."""
    texts = {"empty": "", "text": "no PEM", "cut": "-----BEGIN CERTIFICATE-----\nMIIB"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes").write_bytes(bytes(range(256)))
    for name in ("missing", ".", *texts, "bytes"):
        monkeypatch.setenv(CA_FILE, str(tmp_path / name))
        code, out, err = named("runs")
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {CA_FILE}: {tmp_path / name} ")
        assert "expected a PEM file" in err
    with pytest.raises(SettingsError, match="could not be read"):
        KfpAccess.read({}, "a\0b")
