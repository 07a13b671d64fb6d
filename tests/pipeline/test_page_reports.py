"""The page reads the reports that an MLflow server with users keeps."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from parivision.errors import ServiceError
from parivision.registry import Registry, quiet
from parivision.settings.logins import Login
from parivision.web.reports import MlflowReports
from ports import free_port

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

START_S = 120
ADMIN = Login("admin", "a password of this test")
SETTINGS = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {admin.name}
admin_password = {admin.password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
"""


PAGE = """
from parivision.settings.logins import Login
from parivision.web import model
from parivision.web.reports import MlflowReports
model._reports(MlflowReports({url!r}, Login({admin.name!r}, {admin.password!r})))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server's address."""
    folder: Path = tmp_path_factory.mktemp("server")
    (folder / "auth.ini").write_text(SETTINGS.format(folder=folder, admin=ADMIN))
    url = f"http://127.0.0.1:{free_port()}"
    words = [sys.executable, "-m", "mlflow", "server", "--app-name=basic-auth", "--workers=1"]
    words += ["--host=127.0.0.1", f"--port={url.rpartition(':')[2]}", "--serve-artifacts"]
    words += [f"--backend-store-uri=sqlite:///{folder}/mlflow.db"]
    words += [f"--artifacts-destination={folder}/artifacts"]
    environment = os.environ | {
        "MLFLOW_AUTH_CONFIG_PATH": str(folder / "auth.ini"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_S
        while not _answers(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.2)
        yield url
        process.terminate()
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", trust_env=False).is_success
    except httpx.TransportError:
        return False


def test_the_newest_reports_are_read(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind of run those of the newest one, word by word; no login, no report."""
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    quiet()
    reports = MlflowReports(server, ADMIN)
    registry = Registry(server, login=ADMIN)
    registry.prepare()
    assert reports.newest() == []
    for text in ("old", "new \N{LATIN SMALL LETTER S WITH CARON}"):
        (tmp_path / "evaluation.html").write_text(f"<p>{text}</p>", encoding="utf-8")
        registry.log(
            "evaluation",
            tags={"kind": "evaluation"},
            artifacts={"": tmp_path / "evaluation.html"},
        )
    (tmp_path / "drift").mkdir()
    for name in ("drift_summary.html", "evidently_drift.html", "drift.json"):
        (tmp_path / "drift" / name).write_text(f"<p>{name}</p>")
    registry.log("drift", tags={"kind": "drift"}, artifacts={"": tmp_path / "drift"})
    found = {one.file: one for one in reports.newest()}
    assert found.keys() == {"evaluation.html", "drift_summary.html", "evidently_drift.html"}
    assert (
        reports.read(found["evaluation.html"]) == "<p>new \N{LATIN SMALL LETTER S WITH CARON}</p>"
    )
    assert found["evidently_drift.html"].kind == "drift"
    with pytest.raises(ServiceError, match="401"):
        MlflowReports(server).newest()
    page = AppTest.from_string(PAGE.format(url=server, admin=ADMIN), default_timeout=60).run()
    assert not page.exception
    box = page.selectbox(key="report")
    assert len(box.options) == 3
    (wanted,) = [one for one in box.options if one.startswith("evidently drift (drift of 20")]
    box.set_value(wanted).run()
    assert not page.exception
    assert [button.proto.label for button in page.get("download_button")] == ["Download it"]
    assert "<p>evidently_drift.html</p>" in page.get("iframe")[0].proto.srcdoc


def test_a_server_that_is_away_is_said() -> None:
    """By its address."""
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(ServiceError, match=f"MLflow at {url} does not answer"):
        MlflowReports(url).newest()


def test_a_page_that_is_no_mlflow_is_said(server: str) -> None:
    """HTML where JSON was expected: probably another port."""
    with pytest.raises(ServiceError, match="is MLflow there"):
        MlflowReports(f"{server}/health?", ADMIN).newest()
