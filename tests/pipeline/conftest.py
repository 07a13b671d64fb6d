"""Real servers and stores for the pipeline tier."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

import kfp_standin
from kfp_standin import Standin
from parivision.lake import Lake, open_lake
from parivision.packaging import local_deployment
from parivision.registry import Registry, quiet
from pipeline.kfp_commands import Run, name_server
from pipeline.mongo_server import HOW_TO, Server, running
from ports import free_port

_databases = count()


@pytest.fixture(scope="session")
def mongo_server_or_none(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server | None]:
    """The session's MongoDB server, with authentication on; None where there is none."""
    with running(tmp_path_factory.mktemp("mongodb")) as server:
        yield server


@pytest.fixture
def mongo_server(mongo_server_or_none: Server | None) -> Server:
    """The session's MongoDB server; skips where there is none."""
    if mongo_server_or_none is None:
        pytest.skip(HOW_TO)
    return mongo_server_or_none


@pytest.fixture(params=["files", "mongodb"])
def lake_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a lake that is empty, in each store."""
    if request.param == "files":
        return str(tmp_path / "lake")
    server: Server = request.getfixturevalue("mongo_server")
    return server.url(f"test_{tmp_path.name[-30:]}_{next(_databases)}")


@pytest.fixture
def lake(lake_url: str) -> Iterator[Lake]:
    """An empty lake, in each store."""
    opened = open_lake(lake_url)
    yield opened
    opened.close()


@pytest.fixture
def kfp() -> Iterator[Standin]:
    """A Kubeflow Pipelines that holds nothing yet."""
    with kfp_standin.serving() as standin:
        yield standin


@pytest.fixture
def kfp_run(run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command line against the stand-in; gives the exit code, output and errors."""
    name_server(kfp, monkeypatch, tmp_path)
    return run


@pytest.fixture(scope="session")
def mlflow_db(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """MLflow's database, empty and migrated, which takes seconds: tests write copies of it."""
    folder = tmp_path_factory.mktemp("mlflow")
    quiet()
    Registry(f"sqlite:///{folder}/mlflow.db").champion()
    return (folder / "mlflow.db").read_bytes()


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a local deployment keeps; nothing runs on when the tests are over."""
    folder = tmp_path_factory.mktemp("serve")
    yield folder
    local_deployment.stop(folder)


@pytest.fixture(scope="module")
def port() -> int:
    """The port of the prediction service."""
    return free_port()
