"""Commands on a pipe, as in a CI job: no gap between two lines is longer than 15 seconds."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from parivision.stages.heartbeat import EVERY_S

MOST_S = 15.0
HELD_S = 24.0
LEAGUE = "synthetic:?seed=2&seasons=2021-2023&games=250"


@pytest.fixture
def slow_feed() -> Iterator[str]:
    """A stats API that holds each answer back for longer than two signs of life."""

    class Held(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """An empty last page, late."""
            time.sleep(HELD_S)
            body = json.dumps({"records": [], "next": "0", "more": False}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing: the test reads what the command prints."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Held)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def _lines(home: Path, *words: str) -> list[tuple[float, str]]:
    """What a command prints to a pipe, with the seconds after its start; it must succeed."""
    began_s = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-c", "from parivision.cli import main; main()", *words],
        env=os.environ | {"PARIVISION_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [(time.monotonic() - began_s, line) for line in process.stdout]
    text = "".join(line for _, line in lines)
    assert process.returncode == 0, text
    return [(0.0, ""), *lines, (time.monotonic() - began_s, "")]


def _longest_gap(lines: list[tuple[float, str]]) -> tuple[float, str]:
    return max(
        (after - before, f"before {line!r}") for (before, _), (after, line) in pairwise(lines)
    )


def test_a_stage_that_waits_is_told(tmp_path: Path, slow_feed: str) -> None:
    """A source that takes long to answer: what is waited for, and since when, again and again."""
    lines = _lines(tmp_path, "ingest", slow_feed)
    gap, where = _longest_gap(lines)
    assert gap <= MOST_S, where
    told = [line for _, line in lines if line.startswith("  ... records, ")]
    assert len(told) >= int(HELD_S // EVERY_S)
    assert all(line.endswith(" s so far\n") for line in told)


def test_a_stage_that_computes_is_told(tmp_path: Path) -> None:
    """Training, evaluation and promotion, whose work is in compiled code, on a league's seasons."""
    for words in (
        ("ingest", LEAGUE),
        ("refine",),
        ("train", "--models", "logistic_regression,random_forest,lightgbm"),
        ("evaluate",),
        ("promote",),
        ("drift",),
        ("package",),
    ):
        gap, where = _longest_gap(_lines(tmp_path, *words))
        assert gap <= MOST_S, f"parivision {words[0]}: {gap:.1f} s {where}"
