"""The page in Chromium: a real service process, a real page process, and a click on the court."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

import chromium
from parivision.features import tables
from parivision.serving.client import ServiceClient
from ports import free_port

PICTURES = Path(__file__).parents[2] / "docs" / "app"
SECRET = "correct horse"  # noqa: S105 - of this test only
SERVICE = """
import sys
from pathlib import Path
import uvicorn
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.predictor import ChampionRecord, Predictor
predictor = Predictor(Bundle.load(Path(sys.argv[1])), ChampionRecord("shots", "12"))
predictor.players = sys.argv[3].encode()
uvicorn.run(create_app(predictor), port=int(sys.argv[2]), log_level="error", ws="none")
"""
PAGE = "from parivision.cli import main; main()"
DOWN = "Verdict"

pytestmark = pytest.mark.skipif(
    not chromium.EXECUTABLE.exists(), reason="no Chromium: make test-browser"
)


def started(code: str, url: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A Python process that answers at `url` now."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return process
        except httpx.TransportError:
            time.sleep(0.1)
    process.kill()
    raise AssertionError(f"nothing answers at {url}")


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a process and wait for it."""
    process.terminate()
    process.wait(timeout=30)


@pytest.fixture(scope="module")
def start_service(
    small_bundle_dir: Path, synthetic_shots: pl.DataFrame
) -> Callable[[int], subprocess.Popen[bytes]]:
    """Starts a service on a port."""
    players = json.dumps({"players": tables.shooters(synthetic_shots)})

    def start(port: int) -> subprocess.Popen[bytes]:
        url = f"http://127.0.0.1:{port}/champion"
        return started(SERVICE, url, str(small_bundle_dir), str(port), players)

    return start


@pytest.fixture
def service(start_service: Callable[[int], subprocess.Popen[bytes]]) -> Iterator[dict[str, Any]]:
    """A service: its `port`, and its `process`, which a test may end and replace."""
    port = free_port()
    running: dict[str, Any] = {"port": port, "process": start_service(port)}
    yield running
    ended(running["process"])


@pytest.fixture
def url(service: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """The page's address; of its two parts one is down."""
    (tmp_path / "password").write_text(SECRET)
    answers, port = f"http://127.0.0.1:{service['port']}", free_port()
    parts = [
        {"name": "Predictions", "about": "answers", "url": answers, "health": "/v2/health/ready"},
        {"name": DOWN, "about": "judges rollouts", "url": f"http://127.0.0.1:{free_port()}"},
    ]
    (tmp_path / "parts.json").write_text(json.dumps(parts))
    words = ["app", "--service", answers, "--port", str(port), "--base-path", "app"]
    words += ["--password-file", str(tmp_path / "password")]
    words += ["--parts", str(tmp_path / "parts.json")]
    page = f"http://127.0.0.1:{port}/app"
    process = started(PAGE, f"{page}/_stcore/health", *words)
    yield page
    ended(process)


@pytest.fixture(params=chromium.WIDTHS)
def page(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    """The page behind its password, at each width."""
    with chromium.opened(url, SECRET, request.param) as view:
        yield view


def test_a_click_is_answered_as_the_service_answers(page: Any, service: dict[str, Any]) -> None:
    """The place that was clicked stands in the fields, and its probability is the service's."""
    chromium.answer_ms(page, 0.25, 0.5)
    chromium.settle(page)
    place = {
        name: float(page.get_by_label(label, exact=True).first.input_value())
        for name, label in (("x_ft", "Feet left of the hoop"), ("y_ft", "Feet from the hoop"))
    }
    # A quarter from the left edge, half of the way down: 12.5 ft left, 15.25 ft out.
    assert place == pytest.approx({"x_ft": 12.5, "y_ft": 15.25}, abs=0.3)
    with ServiceClient(f"http://127.0.0.1:{service['port']}") as client:
        shooter = client.players()[0]["player_id"]
        said = client.predict_one({"player_id": shooter, "period": 1, "clock_s": 300, **place})
    assert page.locator(chromium.PROBABILITY).first.inner_text() == f"{said['p_made']:.1%}"
    # Nothing but what the page means to say: its title comes first.
    assert page.locator("[data-testid=stMain]").inner_text().startswith("Will it go in?")
    page.get_by_text("expected points", exact=True).click()
    page.locator("[data-testid=stVegaLiteChart]").first.wait_for(timeout=chromium.WAIT_MS)
    chromium.settle(page)
    assert chromium.fits(page)
    assert chromium.barriers(page) == []
    chromium.picture(page, PICTURES / f"shot-{page.viewport_size['width']}.png", 2600)


def test_the_champion_is_shown(page: Any, service: dict[str, Any]) -> None:
    """Its version, scores and reliability; and that Prometheus is not known here."""
    chromium.go_to(page, "Model", "Champion 12")
    page.get_by_text("No Prometheus is named").first.wait_for(timeout=chromium.WAIT_MS)
    page.get_by_text("The verdict service does not answer").wait_for(timeout=chromium.WAIT_MS)
    assert chromium.fits(page)
    assert chromium.barriers(page) == []


def test_a_part_that_is_down_is_named(page: Any) -> None:
    """What is well and what is not, with why."""
    chromium.go_to(page, "Parts", "Every part")
    page.get_by_text(f"1 of 2 parts: {DOWN}").wait_for(timeout=chromium.WAIT_MS)
    page.get_by_text("nothing answers at").wait_for(timeout=chromium.WAIT_MS)
    assert chromium.fits(page)
    assert chromium.barriers(page) == []
    chromium.picture(page, PICTURES / f"parts-{page.viewport_size['width']}.png", 900)


def test_a_service_that_went_away_is_said_and_comes_back(
    page: Any, service: dict[str, Any], start_service: Callable[[int], subprocess.Popen[bytes]]
) -> None:
    """A plain sentence while it is down; at the next input after it is back, the answer."""
    ended(service["process"])
    field = page.get_by_label("Feet from the hoop", exact=True).first
    field.fill("10")
    field.press("Enter")
    alert = page.get_by_text("The prediction service does not answer")
    alert.wait_for(timeout=chromium.WAIT_MS)
    service["process"] = start_service(service["port"])
    page.keyboard.press("r")
    page.locator(chromium.PROBABILITY).first.wait_for(timeout=chromium.WAIT_MS)
    assert alert.count() == 0
