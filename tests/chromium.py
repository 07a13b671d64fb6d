"""The page in Chromium: opened behind its password, clicked on, and held to what users expect."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Request, sync_playwright

EXECUTABLE = Path("/usr/bin/chromium")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
WIDTHS = (1280, 390)
HEIGHT = 900
NARROW = 768
"""Below it Streamlit hides the navigation behind a button."""
WAIT_MS = 30_000
PROBABILITY = "[data-testid=stMetricValue]"
SERIOUS = {"serious", "critical"}


@contextmanager
def opened(url: str, password: str, width: int) -> Iterator[Any]:
    """The first page, once it shows a probability; errors and other hosts are an AssertionError."""
    faults: list[str] = []
    host = re.match(r"https?://[^/]+", url)
    assert host is not None
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(EXECUTABLE), args=FLAGS)
        view = browser.new_page(viewport={"width": width, "height": HEIGHT})
        view.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        view.on("pageerror", lambda error: faults.append(str(error)))
        own = (host[0], "data:", "blob:")

        def note_foreign(request: Request) -> None:
            if not request.url.startswith(own):
                faults.append(request.url)

        view.on("request", note_foreign)
        view.goto(url)
        log_in(view, password)
        yield view
        browser.close()
    assert faults == []


def log_in(view: Any, password: str) -> None:
    """Say the password, and wait for the first probability."""
    view.get_by_label("Password").first.fill(password, timeout=WAIT_MS)
    view.keyboard.press("Enter")
    view.locator(PROBABILITY).first.wait_for(timeout=WAIT_MS)


def go_to(view: Any, title: str, heading: str) -> None:
    """Take the link of that title in the navigation, which hides behind a button when narrow."""
    link = view.get_by_role("link", name=title, exact=True)
    if view.viewport_size["width"] < NARROW:
        view.get_by_test_id("stExpandSidebarButton").click(timeout=WAIT_MS)
    link.first.click(timeout=WAIT_MS)
    if view.viewport_size["width"] < NARROW:
        view.get_by_test_id("stSidebarCollapseButton").locator("button").click(timeout=WAIT_MS)
    view.get_by_role("heading", name=re.compile(heading)).first.wait_for(timeout=WAIT_MS)
    settle(view)


def settle(view: Any) -> None:
    """Wait until the script has run to its end, and nothing is half faded."""
    view.wait_for_function(
        "() => document.querySelector('[data-test-script-state=notRunning]')"
        " && !document.querySelector('[data-stale=true]')"
        " && !document.getAnimations().some(one => one instanceof CSSTransition)",
        timeout=WAIT_MS,
    )


def click(view: Any, across: float, along: float) -> None:
    """Click the court at shares of its width and height."""
    court = view.frame_locator("iframe").first.locator("#court")
    box = court.bounding_box(timeout=WAIT_MS)
    court.click(position={"x": box["width"] * across, "y": box["height"] * along})


def answer_ms(view: Any, across: float, along: float) -> float:
    """Click, and wait for another probability: milliseconds from the one to the other."""
    before = view.locator(PROBABILITY).first.inner_text()
    # Clicking itself takes the driver a while: the page's own clock is read when it happens.
    court = view.frames[-1] if len(view.frames) > 1 else view.main_frame
    court.evaluate("document.addEventListener('click', () => top.clickedAt = Date.now(), true)")
    view.evaluate(
        "([place, before]) => { top.answered = new Promise(done => { const look = () => {"
        " const found = document.querySelector(place);"
        " found && found.innerText != before ? done(Date.now()) : setTimeout(look, 5) };"
        " look() }) }",
        [PROBABILITY, before],
    )
    click(view, across, along)
    took: float = view.evaluate("top.answered.then(at => at - top.clickedAt)")
    return took


def fits(view: Any) -> bool:
    """Whether nothing is wider than the window."""
    return bool(view.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def barriers(view: Any) -> list[str]:
    """What axe calls a serious fault or worse: rule, why, and where."""
    settle(view)
    found = Axe().run(view).response["violations"]
    return [
        f"{one['id']}: {one['help']} at {[node['target'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def picture(view: Any, file: Path, height: int) -> None:
    """Keep what it looks like; it scrolls inside of its window, which is made high enough."""
    view.set_viewport_size({"width": view.viewport_size["width"], "height": height})
    settle(view)
    view.screenshot(path=file)


def first_paint_s(url: str, password: str) -> float:
    """Seconds from the address to the first probability, for somebody who knows the password."""
    with opened(url, password, WIDTHS[0]) as view:
        began_s = time.monotonic()
        view.reload()
        log_in(view, password)
        return time.monotonic() - began_s
