"""Bentos built twice, served as processes of this machine, replaced, killed and stopped.

With a model that needs no trees, so that it starts in little time.
"""

import dataclasses
import json
import os
import shutil
import signal
import socket
from pathlib import Path

import psutil
import pytest

from parivision.errors import ServiceError
from parivision.features.form import Form
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.packaging import bento, local_deployment
from parivision.packaging.bento import Bento
from parivision.packaging.local_deployment import Deployment
from parivision.serving.client import ServiceClient
from parivision.serving.openapi import SMALL_SHOT
from parivision.serving.predictor import ChampionRecord
from ports import free_port

START_S = 180.0


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Bentos are built."""
    return tmp_path_factory.mktemp("bentoml")


@pytest.fixture(scope="module")
def light_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The league's mean."""
    folder = tmp_path_factory.mktemp("light")
    part = Part(("rate_zone",), Constant(0.46))
    Bundle("league_mean", "full", {"without_action": part}, Form()).save(folder)
    return folder


@pytest.fixture(scope="module")
def light_bento(light_bundle: Path, store: Path) -> Bento:
    """Version 1."""
    return bento.build(light_bundle, name="light", version="1", store=store)


@pytest.fixture
def served(light_bento: Bento, state_dir: Path, port: int) -> Deployment:
    """Version 1, serving; started again where a test ended it."""
    return local_deployment.start(
        light_bento.path, port=port, state_dir=state_dir, timeout_s=START_S
    )


def differing(one: Path, other: Path) -> set[str]:
    """Files of two folders that are not the same."""
    names = {p.relative_to(top) for top in (one, other) for p in top.rglob("*") if p.is_file()}
    return {
        name.as_posix()
        for name in names
        if not (one / name).exists()
        or not (other / name).exists()
        or (one / name).read_bytes() != (other / name).read_bytes()
    }


class TestBuild:
    """Building Bentos."""

    def test_building_again_does_nothing(
        self, light_bento: Bento, light_bundle: Path, store: Path
    ) -> None:
        """The same content under the same version is not built again."""
        changed = (light_bento.path / "bento.yaml").stat().st_mtime_ns
        again = bento.build(light_bundle, name="light", version="1", store=store)
        assert again == dataclasses.replace(light_bento, is_new=False)
        assert (light_bento.path / "bento.yaml").stat().st_mtime_ns == changed

    def test_other_content_takes_the_place_whole(
        self, light_bento: Bento, light_bundle: Path, tmp_path: Path
    ) -> None:
        """Other content under the same version replaces it; but for that it is the same."""
        store = tmp_path / "store"
        first = bento.build(light_bundle, name="light", version="1", store=store)
        assert first.digest == light_bento.digest
        assert differing(first.path, light_bento.path) == {"bento.yaml"}
        second = bento.build(
            light_bundle, name="light", version="1", store=store, metrics={"ece": 0.01}
        )
        assert second.path == first.path
        assert second.is_new
        assert ChampionRecord.read(second.path / "src").metrics == {"ece": 0.01}
        assert (store / "bentos" / "light" / "latest").read_text() == "1"
        assert not list((store / "tmp").iterdir())

    def test_the_image_gets_exact_packages(self, light_bento: Bento) -> None:
        """The image's requirements are the pins, with nothing left to resolve."""
        requirements = light_bento.path / "env" / "python" / "requirements.txt"
        assert set(requirements.read_text().split()) == set(bento.packages(["constant"]))


class TestDeployment:
    """Start, replace, stop."""

    def test_starting_again_does_nothing(
        self, served: Deployment, light_bento: Bento, state_dir: Path, port: int
    ) -> None:
        """The same Bento on the same port is the same process."""
        again = local_deployment.start(light_bento.path, port=port, state_dir=state_dir)
        assert again == served == local_deployment.status(state_dir)

    def test_a_new_version_takes_the_place_of_the_old(
        self, served: Deployment, light_bundle: Path, state_dir: Path, port: int, tmp_path: Path
    ) -> None:
        """After `start` returns the new version answers, and the old process is gone."""
        newer = bento.build(light_bundle, version="2", store=tmp_path / "store")
        deployed = local_deployment.start(newer.path, port=port, state_dir=state_dir)
        assert deployed.version == "2"
        assert not psutil.pid_exists(served.pid)
        with ServiceClient(deployed.url) as client:
            assert client.predict_one(SMALL_SHOT)["model"]["version"] == "2"
        assert local_deployment.stop(state_dir)

    def test_a_broken_version_leaves_the_old_one_serving(
        self, served: Deployment, light_bento: Bento, state_dir: Path, port: int, tmp_path: Path
    ) -> None:
        """A Bento that does not come up is an error with its log, and the old one answers."""
        broken = shutil.copytree(light_bento.path, tmp_path / "broken")
        card = json.loads((broken / "src" / "champion.json").read_text())
        (broken / "src" / "champion.json").write_text(json.dumps({**card, "version": "3"}))
        (broken / "src" / "bundle" / "form.npz").write_bytes(b"not an archive")
        with pytest.raises(
            ServiceError, match=r"(?s)ended while.*form\.npz is damaged: fetch or train"
        ):
            local_deployment.start(broken, port=port, state_dir=state_dir, timeout_s=START_S)
        with ServiceClient(served.url) as client:
            assert client.champion()["version"] == "1"

    def test_a_killed_service_is_noticed_and_started_again(
        self, served: Deployment, light_bento: Bento, state_dir: Path, port: int
    ) -> None:
        """After kill -9 there is no service, and the next start brings it back."""
        family = [psutil.Process(served.pid), *psutil.Process(served.pid).children(recursive=True)]
        for process in family:
            os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(family, timeout=10)
        assert local_deployment.status(state_dir) is None
        assert not local_deployment.stop(state_dir)
        again = local_deployment.start(
            light_bento.path, port=port, state_dir=state_dir, timeout_s=START_S
        )
        assert again.pid != served.pid

    def test_stop_leaves_nothing(self, served: Deployment, state_dir: Path, port: int) -> None:
        """A stopped service has no process, no port and no state; stopping again is nothing."""
        family = [psutil.Process(served.pid), *psutil.Process(served.pid).children(recursive=True)]
        assert local_deployment.stop(state_dir)
        assert not any(process.is_running() for process in family)
        assert local_deployment.status(state_dir) is None
        assert not local_deployment.stop(state_dir)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        with pytest.raises(ServiceError, match="is the service running"):
            ServiceClient(served.url).champion()


class TestRefusedStarts:
    """Starts that cannot work say so at once."""

    def test_a_port_in_use(self, light_bento: Bento, tmp_path: Path) -> None:
        """Another program's port is named, and that program is left alone."""
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            taken = int(other.getsockname()[1])
            with pytest.raises(ServiceError, match=f"port {taken} .* is in use"):
                local_deployment.start(light_bento.path, port=taken, state_dir=tmp_path)

    def test_no_bento(self, tmp_path: Path) -> None:
        """A folder that is no Bento is an error that says what to do."""
        with pytest.raises(ServiceError, match="build one"):
            local_deployment.start(tmp_path, port=free_port(), state_dir=tmp_path / "state")

    def test_too_slow(self, light_bento: Bento, tmp_path: Path) -> None:
        """A service that is not ready in time is ended and is an error."""
        port = free_port()
        with pytest.raises(ServiceError, match=r"within 0.2 s"):
            local_deployment.start(light_bento.path, port=port, state_dir=tmp_path, timeout_s=0.2)
        assert local_deployment.status(tmp_path) is None

    def test_another_process_with_the_same_number(self, tmp_path: Path) -> None:
        """A number that was given to another process in the meantime is left alone."""
        stranger = Deployment("shots", "1", "", "http://127.0.0.1:1", os.getpid(), 1.0, "", "")
        (tmp_path / "service.json").write_text(json.dumps(dataclasses.asdict(stranger)))
        assert local_deployment.status(tmp_path) is None
        assert not local_deployment.stop(tmp_path)

    def test_a_spoiled_state_file(self, tmp_path: Path) -> None:
        """A state file that cannot be read is no service."""
        (tmp_path / "service.json").write_text('{"pid": "x"')
        assert local_deployment.status(tmp_path) is None
