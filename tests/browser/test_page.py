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

from parivision import tables
from parivision.client import ServiceClient
from ports import free_port

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("streamlit")

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
WIDTHS = (1280, 390)
PICTURES = Path(__file__).parents[2] / "docs" / "app"
SECRET = "correct horse"  # noqa: S105 - of this test only
WAIT_MS = 30_000
SERVICE = """
import sys
from pathlib import Path
import uvicorn
from parivision.models.bundle import Bundle
from parivision.service.app import create_app
from parivision.service.predictor import Champion, Predictor
predictor = Predictor(Bundle.load(Path(sys.argv[1])), Champion("shots", "12"))
predictor.players = sys.argv[3].encode()
uvicorn.run(create_app(predictor), port=int(sys.argv[2]), log_level="error", ws="none")
"""
PAGE = "from parivision.cli import main; main()"
PROBABILITY = "[data-testid=stMetricValue]"

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: make test-browser")


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
    """The page's address."""
    (tmp_path / "password").write_text(SECRET)
    port = free_port()
    words = ["app", "--service", f"http://127.0.0.1:{service['port']}", "--port", str(port)]
    words += ["--password-file", str(tmp_path / "password")]
    process = started(PAGE, f"http://127.0.0.1:{port}/_stcore/health", *words)
    yield f"http://127.0.0.1:{port}"
    ended(process)


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, url: str) -> Iterator[Any]:
    """The page behind its password, at each width; errors and other hosts fail the test."""
    faults: list[str] = []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        view = browser.new_page(viewport={"width": request.param, "height": 900})
        view.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        view.on("pageerror", lambda error: faults.append(str(error)))
        view.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((url, "data:")) else faults.append(asked.url)
            ),
        )
        view.goto(url)
        view.get_by_label("Password").first.fill(SECRET, timeout=WAIT_MS)
        view.keyboard.press("Enter")
        view.locator(PROBABILITY).first.wait_for(timeout=WAIT_MS)
        yield view
        browser.close()
    assert faults == []


def click(page: Any, across: float, along: float) -> None:
    """Click the court at shares of its width and height."""
    court = page.frame_locator("iframe").first.locator("#court")
    box = court.bounding_box(timeout=WAIT_MS)
    court.click(position={"x": box["width"] * across, "y": box["height"] * along})


def test_a_click_is_answered_as_the_service_answers(page: Any, service: dict[str, Any]) -> None:
    """The place that was clicked stands in the fields, and its probability is the service's."""
    before = page.locator(PROBABILITY).first.inner_text()
    click(page, 0.25, 0.5)
    changed = f"before => document.querySelector('{PROBABILITY}').innerText != before"
    page.wait_for_function(changed, arg=before, timeout=WAIT_MS)
    place = {
        name: float(page.get_by_label(label, exact=True).first.input_value())
        for name, label in (("x_ft", "Feet left of the hoop"), ("y_ft", "Feet from the hoop"))
    }
    # A quarter from the left edge, half of the way down: 12.5 ft left, 15.25 ft out.
    assert place == pytest.approx({"x_ft": 12.5, "y_ft": 15.25}, abs=0.3)
    with ServiceClient(f"http://127.0.0.1:{service['port']}") as client:
        shooter = client.players()[0]["player_id"]
        said = client.predict_one({"player_id": shooter, "period": 1, "clock_s": 300, **place})
    assert page.locator(PROBABILITY).first.inner_text() == f"{said['p_made']:.1%}"
    width = page.evaluate("window.innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    # Nothing but what the page means to say: its title comes first.
    assert page.locator("[data-testid=stMain]").inner_text().startswith("Will it go in?")
    # The page scrolls inside of its window, which is made high enough to show all of it.
    page.set_viewport_size({"width": width, "height": 2100})
    page.get_by_test_id("stStatusWidget").wait_for(state="hidden", timeout=WAIT_MS)
    page.screenshot(path=PICTURES / f"shot-{width}.png")


def test_a_service_that_went_away_is_said_and_comes_back(
    page: Any, service: dict[str, Any], start_service: Callable[[int], subprocess.Popen[bytes]]
) -> None:
    """A plain sentence while it is down; at the next input after it is back, the answer."""
    ended(service["process"])
    field = page.get_by_label("Feet from the hoop", exact=True).first
    field.fill("10")
    field.press("Enter")
    alert = page.get_by_text("The prediction service does not answer")
    alert.wait_for(timeout=WAIT_MS)
    service["process"] = start_service(service["port"])
    page.keyboard.press("r")
    page.locator(PROBABILITY).first.wait_for(timeout=WAIT_MS)
    assert alert.count() == 0
