"""A flame graph of the service's hot path: `python -m bench.flame BUNDLE OUT.svg`.

The process is interrupted after every millisecond of CPU while it answers the same plain request,
parsing of HTTP included, and its stack is counted.
"""

import asyncio
import html
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from bench.load import http_request
from parivision.models.bundle import Bundle
from parivision.serving.app import create_app
from parivision.serving.logs import Logs, spill_to
from parivision.serving.openapi import FULL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.protocol import ProcessState, Protocol
from parivision.serving.server import config

SECONDS = 8.0
WIDTH, ROW, LEAST = 1200.0, 17, 1.0
COLOURS = ("#e8a33d", "#e07b39", "#d9a441", "#c96f4a")
_ROOT = "flame._ask"
Stack = tuple[str, ...]


class Nowhere(asyncio.Transport):
    """A transport whose client takes everything."""

    def write(self, data: Any) -> None:
        """Forget it."""

    def is_closing(self) -> bool:
        """Never."""
        return False


def sampled(bundle: Path, seconds: float = SECONDS) -> Counter[Stack]:
    """Stacks of the hot path, and in how many samples each was seen."""
    stacks: Counter[Stack] = Counter()

    def note(_signal: int, frame: FrameType | None) -> None:
        names = []
        while frame is not None:
            code = frame.f_code
            names.append(f"{Path(code.co_filename).stem}.{code.co_qualname}")
            frame = frame.f_back
        if _ROOT in names:
            stacks[tuple(reversed(names[: names.index(_ROOT) + 1]))] += 1

    with tempfile.TemporaryDirectory() as folder:
        champion = ChampionRecord("shots", "1")
        logs = Logs.open(folder + "/log", spill_to(Path(folder, "spill"), 64), champion, "primary")
        app = create_app(Predictor(Bundle.load(bundle), champion), logs)
        asyncio.run(_run(app, seconds, note))
        app.close()
    return stacks


async def _run(app: Any, seconds: float, note: Any) -> None:
    settings = config(ProcessState(app))
    settings.load()
    state = uvicorn.Server(settings).server_state
    protocol = Protocol(
        config=settings, server_state=state, app_state={}, process=ProcessState(app)
    )
    protocol.connection_made(Nowhere())
    request = http_request("localhost", "/predict", json.dumps(FULL_SHOT).encode())
    signal.signal(signal.SIGPROF, note)
    await _ask(protocol, request, 0.2)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
    await _ask(protocol, request, seconds)
    signal.setitimer(signal.ITIMER_PROF, 0.0)


async def _ask(protocol: Protocol, request: bytes, seconds: float) -> None:
    """As many requests as time allows, some in each turn of the event loop."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for _ in range(100):
            protocol.data_received(request)
        await asyncio.sleep(0)


def draw(stacks: Counter[Stack]) -> str:
    """The graph as SVG: a frame's width is its share of the samples; narrow ones are left out."""
    total = sum(stacks.values())
    boxes: list[str] = []
    deepest = 0

    def level(group: Counter[Stack], depth: int, left: float) -> None:
        nonlocal deepest
        by_name: dict[str, Counter[Stack]] = {}
        for stack, count in group.items():
            if stack:
                by_name.setdefault(stack[0], Counter())[stack[1:]] += count
        for name, below in sorted(by_name.items()):
            width = sum(below.values()) / total * WIDTH
            if width >= LEAST:
                deepest = max(deepest, depth)
                boxes.append(_box(name, depth, left, width))
                level(below, depth + 1, left)
            left += width

    level(stacks, 0, 0.0)
    height = (deepest + 1) * ROW
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height}"'
    return f'{head} font-family="monospace" font-size="11">\n' + "\n".join(boxes) + "\n</svg>\n"


def _box(name: str, depth: int, left: float, width: float) -> str:
    top, share = depth * ROW, width / WIDTH
    colour = COLOURS[sum(map(ord, name)) % len(COLOURS)]
    words = html.escape(f"{name} {share:.1%}")
    shown = html.escape(name[-int(width // 6.7) :]) if width > 30 else ""
    return (
        f'<g><title>{words}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{colour}"/><text x="{left + 2:.1f}" y="{top + 12}">'
        f"{shown}</text></g>"
    )


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(draw(sampled(Path(sys.argv[1]))))
