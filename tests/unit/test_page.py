"""The page: its password, and a shot asked of a real service in this process."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl
import pytest
import uvicorn
from typer.testing import CliRunner

from parivision.cli.page import commands
from parivision.errors import SettingsError
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.client import ServiceClient
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.web import heat
from parivision.web.login import MAX_ATTEMPTS, WINDOW_S, Door
from parivision.web.parts import SystemPart, health_of, read
from ports import free_port

MAIN = Path(__file__).parents[2] / "src" / "parivision" / "web" / "main.py"
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
    predictor = Predictor(small_bundle, ChampionRecord("shots", "12"))
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
    """The page of a shot, run once."""
    testing = pytest.importorskip("streamlit.testing.v1")
    script = f"from parivision.web.main import page\npage{arguments!r}\n"
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
    words = " ".join(one.value for one in page.markdown)
    assert "shots 12, lightgbm" in words
    assert "days after the newest game" in words


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


def drawn(script: str):
    """A page alone, run once."""
    testing = pytest.importorskip("streamlit.testing.v1")
    return testing.AppTest.from_string(script, default_timeout=60).run()


def test_the_court_is_coloured_when_it_is_asked_for(service: str) -> None:
    """Not before, because it is nine hundred shots; then by points, or by what is more."""
    page = opened(service, "")
    assert not page.get("vega_lite_chart")
    page.radio(key="colour").set_value("more than the league").run()
    assert not page.exception
    assert len(page.get("vega_lite_chart")) == 1


def test_cells_compare_the_shooter_with_the_league(service: str) -> None:
    """Each place once; what is more is the shooter's points less those of somebody unknown."""
    shot = {
        "player_id": 2544,
        "period": 1,
        "clock_s": 300,
        "x_ft": 0,
        "y_ft": 5,
        "action_type": "x",
    }
    asked = heat.shots(shot)
    assert not any("action_type" in one for one in asked)
    with ServiceClient(service) as client:
        cells = heat.cells(client.what_if(asked))
        place = {"x_ft": -cells[7]["x"], "y_ft": cells[7]["y"]}
        told = {"period": 1, "clock_s": 300, **place}
        own, league = client.what_if(
            [{**told, "player_id": 2544}, {**told, "player_id": heat.SOMEBODY}]
        )
    assert len({(one["x"], one["y"]) for one in cells}) == len(heat.SPOTS)
    assert cells[7]["points"] == pytest.approx(own["expected_points"])
    more = own["expected_points"] - league["expected_points"]
    assert cells[7]["more"] == pytest.approx(more)


class Others:
    """Prometheus and the verdict service, as far as the page asks them."""

    def __init__(self) -> None:
        series = {"metric": {"column": "x_ft"}, "value": [0, "3"]}
        self.answers = {
            "/api/v1/query": {"data": {"result": [series]}},
            "/rollouts": {
                "rollouts": [
                    {
                        "version": "12",
                        "former": "11",
                        "started_at": 0.0,
                        "end": "rolled_back",
                        "stage": "ended",
                        "reason": "worse in zone: corner 3",
                    }
                ]
            },
        }


@pytest.fixture
def others() -> Iterator[str]:
    """Their address."""
    told = Others().answers

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = told.get(self.path.partition("?")[0])
            body = json.dumps(found or {"error": "the lake is away"}).encode()
            self.send_response(200 if found else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


HOME = """
from parivision.web import home
from parivision.web.parts import SystemPart
home.draw({parts!r})
"""
MODEL = """
from parivision.serving.client import ServiceClient
from parivision.web import model
from parivision.web.parts import SystemPart
parts = [SystemPart(name, "", url) for name, url in {parts!r}.items()]
with ServiceClient({service!r}) as client:
    model.draw(client, parts)
"""


def test_the_model_is_shown_with_how_it_serves(service: str, others: str) -> None:
    """Its version, what Prometheus counts, drift, and how rollouts came out, with the reason."""
    page = drawn(MODEL.format(service=service, parts={"Prometheus": others, "Verdict": others}))
    assert not page.exception
    assert page.title[0].value == "Champion 12"
    said = " ".join(str(table.value) for table in page.table)
    assert "300.00%" in said  # the error ratio, which the stand-in says is 3
    assert "x_ft" in said
    assert "rolled back" in said
    assert "corner 3" in said


def test_the_model_is_shown_where_nothing_else_answers(service: str) -> None:
    """What is missing is said, and the rest is there."""
    nobody = f"http://127.0.0.1:{free_port()}"
    page = drawn(MODEL.format(service=service, parts={"Prometheus": nobody, "Verdict": nobody}))
    assert not page.exception
    words = " ".join(warning.value for warning in page.warning)
    assert "Prometheus does not answer" in words
    assert "verdict service does not answer" in words
    alone = drawn(MODEL.format(service=service, parts={}))
    assert not alone.exception
    assert not alone.warning


def test_every_part_is_asked_and_what_is_wrong_is_said(service: str, others: str) -> None:
    """Well, away, and ill are told apart in plain words."""
    parts = [
        SystemPart("Predictions", "answers", service, "/champion", "http://link.example"),
        SystemPart("MLflow", "keeps models", f"http://127.0.0.1:{free_port()}"),
        SystemPart("Stats API", "replays shots", others, "/health"),
    ]
    well, away, ill = health_of(parts)
    assert well.is_well
    assert "nothing answers" in away.message
    assert "503" in ill.message
    assert "the lake is away" in ill.message
    page = drawn(HOME.format(parts=parts))
    assert not page.exception
    assert "MLflow; Stats API" in page.error[0].value
    assert "http://link.example" in page.markdown[0].value


def test_a_list_of_parts_is_read_or_refused(tmp_path: Path) -> None:
    """The chart writes it; a mistake in it is told with what was expected."""
    file = tmp_path / "parts.json"
    file.write_text('[{"name": "Verdict", "about": "judges", "url": "http://v"}]')
    assert read(file) == [SystemPart("Verdict", "judges", "http://v")]
    for text in ("", "{}x", '[{"name": "Verdict"}]', "[1]"):
        file.write_text(text)
        with pytest.raises(SettingsError, match="no list of parts"):
            read(file)


def test_the_page_is_started_with_what_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streamlit takes the process over, with whole paths, and listens where it was told to."""
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, words: started.append(words))
    (tmp_path / "password").write_text(SECRET)
    (tmp_path / "username").write_text("reader")
    (tmp_path / "parts.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    words = ["--password-file", "password", "--parts", "parts.json", "--mlflow-login", "."]
    words += ["--host", "0.0.0.0", "--port", "8600", "--base-path", "app"]  # noqa: S104
    CliRunner().invoke(commands, words, catch_exceptions=False)
    (given,) = started
    assert given[given.index("--server.address") + 1] == "0.0.0.0"  # noqa: S104
    assert given[given.index("--server.baseUrlPath") + 1] == "app"
    names = [str(tmp_path / name) for name in ("password", "parts.json")]
    assert given[given.index("--") + 1 :] == ["http://127.0.0.1:3000", *names, str(tmp_path)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "needs --password-file"),  # noqa: S104
        (["--password-file", "nothing"], "could not be read"),
        (["--parts", "nothing"], "no list of parts"),
        (["--mlflow-login", "nothing"], "could not be read"),
    ],
)
def test_what_the_page_cannot_be_started_with_is_said(words: list[str], said: str) -> None:
    """Before anything listens."""
    with pytest.raises(SettingsError, match=said):
        CliRunner().invoke(commands, words, catch_exceptions=False)
