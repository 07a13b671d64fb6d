"""The process of the serving image, with a Bento and nothing in front of it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx
import psutil

from ports import free_port

SERVE: Final = Path(__file__).parents[2] / "bentos" / "serve.py"
START_S: Final = 180.0


class Image(NamedTuple):
    """A process that serves: its port, its number, and what it wrote."""

    port: int
    pid: int
    log: Path

    @property
    def resident_mb(self) -> float:
        """The memory that it has, in megabytes."""
        return float(psutil.Process(self.pid).memory_info().rss) / 2**20

    def get(self, path: str) -> httpx.Response:
        """The answer to a GET on a connection of its own."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", trust_env=False, timeout=30)


@contextmanager
def running(bento: Path, folder: Path, settings: Mapping[str, str]) -> Iterator[Image]:
    """The process, with these settings and a prediction log in the folder; ready, then ended."""
    port, log = free_port(), folder / "serve.log"
    environment = {
        **os.environ,
        "PARIVISION_PREDICTION_LOG": str(folder / "log"),
        "PARIVISION_SPILL": str(folder / "spill"),
        **settings,
    }
    command = [sys.executable, str(SERVE), str(bento), "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        image = Image(port, process.pid, log)
        _wait_until_ready(image, process)
        yield image
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_ready(image: Image, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, image.log.read_text()
        try:
            if image.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(image.log.read_text())
