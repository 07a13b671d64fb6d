"""Given the installed system, people reach the page and see what is there."""

import logging
import re
import statistics
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import chromium
import docs_pages
from cluster.live_cluster import LiveCluster

PICTURES = docs_pages.ROOT / "docs" / "app"
PAINT_S = 3.0
CLICK_MS = 500.0
CLICKS = 9
_logger = logging.getLogger("page")

needs_chromium = pytest.mark.skipif(
    not chromium.EXECUTABLE.exists(), reason="no Chromium: `make chromium` installs it"
)


@pytest.fixture(scope="module")
def url(gateway_url: str) -> str:
    """The page's address."""
    return f"{gateway_url}/app"


@pytest.fixture(scope="module")
def password(cluster: LiveCluster) -> str:
    """What opens it."""
    return cluster.secret("parivision-app", "password")


@pytest.fixture(params=chromium.WIDTHS)
def page(
    request: pytest.FixtureRequest, url: str, password: str, champion: dict[str, object]
) -> Iterator[Any]:
    """The page behind its password, at each width."""
    assert champion
    with chromium.opened(url, password, request.param) as view:
        yield view


def test_the_gateway_leads_to_the_page_and_still_to_predictions(
    url: str, gateway_url: str, http: httpx.Client, champion: dict[str, object]
) -> None:
    """Its path is the page's, everything else the service's."""
    assert http.get(f"{url}/_stcore/health").text == "ok"
    assert "<title>" in http.get(f"{url}/").text
    assert http.get(f"{gateway_url}/champion").json()["version"] == champion["version"]


@needs_chromium
def test_a_click_is_answered_by_the_service_in_time(
    page: Any, gateway_url: str, http: httpx.Client
) -> None:
    """The probability is the one that the service gives for that spot, within half a second."""
    took_ms = [chromium.answer_ms(page, 0.1 + 0.08 * step, 0.5) for step in range(CLICKS)]
    chromium.settle(page)
    place = {
        name: float(page.get_by_label(label, exact=True).first.input_value())
        for name, label in (("x_ft", "Feet left of the hoop"), ("y_ft", "Feet from the hoop"))
    }
    shooter = http.get(f"{gateway_url}/players").json()["players"][0]["player_id"]
    shot = {"player_id": shooter, "period": 1, "clock_s": 300, **place}
    said = http.post(f"{gateway_url}/predict", json=shot).json()
    assert page.locator(chromium.PROBABILITY).first.inner_text() == f"{said['p_made']:.1%}"
    page.get_by_text("go in").last.wait_for(timeout=chromium.WAIT_MS)
    _logger.info("clicks were answered in %s ms", [round(one) for one in took_ms])
    assert statistics.median(took_ms) < CLICK_MS, took_ms


@needs_chromium
def test_the_first_answer_is_painted_in_time(
    url: str, password: str, champion: dict[str, object]
) -> None:
    """From the address to a probability, the password's typing included."""
    assert champion
    took_s = chromium.first_paint_s(url, password)
    _logger.info("the first probability was painted after %.2f s", took_s)
    assert took_s < PAINT_S


@needs_chromium
def test_every_part_is_well_and_is_said_to_be(page: Any) -> None:
    """The page reaches all of them through their network policies."""
    chromium.go_to(page, "Parts", "Every part")
    page.get_by_text("All parts answer.").wait_for(timeout=chromium.WAIT_MS)
    for part in ("Predictions", "MLflow", "Prometheus", "Alertmanager", "Stats API", "Verdict"):
        page.get_by_text(part, exact=True).first.wait_for(timeout=chromium.WAIT_MS)
    assert chromium.fits(page)
    assert chromium.barriers(page) == []


@needs_chromium
def test_the_champion_is_shown_with_all_that_is_known(
    page: Any, champion: dict[str, object]
) -> None:
    """Reliability, how it serves, drift, rollouts, and reports that open."""
    chromium.go_to(page, "Model", f"Champion {champion['version']}")
    page.locator("[data-testid=stVegaLiteChart]").first.wait_for(timeout=chromium.WAIT_MS)
    page.get_by_text("Predictions a second").first.wait_for(timeout=chromium.WAIT_MS)
    assert not page.get_by_test_id("stAlert").count(), page.get_by_test_id("stAlert").all()
    assert chromium.fits(page)
    assert chromium.barriers(page) == []
    chromium.picture(page, PICTURES / f"model-{page.viewport_size['width']}.png", 2600)
    # A run of the script that is under way would close the list again.
    chromium.settle(page)
    page.get_by_label("Read").first.fill("evaluation (")
    page.get_by_role("option", name=re.compile(r"^evaluation \(")).first.click()
    report = page.frame_locator("[data-testid=stIFrame]").first
    report.get_by_role("heading").first.wait_for(timeout=chromium.WAIT_MS)
