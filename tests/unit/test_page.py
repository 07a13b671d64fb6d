"""The page: its password, and a shot asked of a real service in this process."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import uvicorn

from parivision import tables
from parivision.client import ServiceClient
from parivision.models.bundle import Bundle
from parivision.page.login import MAX_ATTEMPTS, WINDOW_S, Door
from parivision.service.app import create_app
from parivision.service.predictor import Champion, Predictor

MAIN = Path(__file__).parents[2] / "src" / "parivision" / "page" / "main.py"
SECRET = "correct horse"  # noqa: S105 - of this test only


class TestDoor:
    """The password."""

    def test_it_opens_to_the_password_only(self) -> None:
        """Nothing else opens it, in any spelling."""
        door = Door(SECRET)
        assert door.opens(SECRET)
        assert not any(door.opens(word) for word in ("", SECRET.upper(), SECRET + "ß"))

    def test_too_many_attempts_close_it_for_a_while(self) -> None:
        """After five wrong ones even the right one is refused, until a minute has passed."""
        now = [100.0]
        door = Door(SECRET, lambda: now[0])
        assert not any(door.opens("wrong") for _ in range(MAX_ATTEMPTS))
        assert door.wait_s() == WINDOW_S
        assert not door.opens(SECRET)
        now[0] += WINDOW_S
        assert door.wait_s() == 0
        assert door.opens(SECRET)


@pytest.fixture(scope="module")
def service(small_bundle: Bundle, synthetic_shots: pl.DataFrame) -> Iterator[str]:
    """A real service's address; it knows the shooters by name."""
    predictor = Predictor(small_bundle, Champion("shots", "12"))
    predictor.players = json.dumps({"players": tables.shooters(synthetic_shots)}).encode()
    app = create_app(predictor)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=30)


def opened(*arguments: str):
    """The page, run once."""
    testing = pytest.importorskip("streamlit.testing.v1")
    script = f"from parivision.page.main import page\npage{arguments!r}\n"
    return testing.AppTest.from_string(script, default_timeout=60).run()


def test_the_page_shows_what_the_service_says(service: str) -> None:
    """Fields in, the service's probability and points out; the session remembers both shots."""
    page = opened(service, "")
    page.number_input(key="x_ft").set_value(-22.5)
    page.number_input(key="y_ft").set_value(2.0).run()
    assert not page.exception
    shooters = page.selectbox(key="player_id")
    shooter = shooters.value
    assert not shooters.options[0].startswith("player ")
    shot = {"player_id": shooter, "period": 1, "clock_s": 300.0, "x_ft": -22.5, "y_ft": 2.0}
    with ServiceClient(service) as client:
        said = client.predict_one(shot)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Probability"] == f"{said['p_made']:.1%}"
    assert shown["Expected points"] == f"{said['expected_points']:.2f}"
    assert len(page.session_state["history"]) == 2


def test_a_service_that_is_away_is_said_plainly() -> None:
    """An error in words, and no exception."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        page = opened(f"http://127.0.0.1:{taken.getsockname()[1]}", "")
    assert not page.exception
    assert "does not answer" in page.error[0].value


def test_without_the_password_there_is_no_page(service: str, tmp_path: Path) -> None:
    """A wrong word shows an error and no shot; the right one opens."""
    (tmp_path / "password").write_text(SECRET + "\n")
    page = opened(service, str(tmp_path / "password"))
    assert not page.metric
    page.text_input(key="password").set_value("wrong")
    page.button[0].click().run()
    assert "not the password" in page.error[0].value
    assert not page.metric
    page.text_input(key="password").set_value(SECRET)
    page.button[0].click().run()
    assert page.metric
    assert not page.exception
