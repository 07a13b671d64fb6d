"""The stats API as a process of its own: killed, terminated, started again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from parivision.stats_api.archive import Archive
from pipeline.feed_records import keys
from ports import free_port
from waiting import wait_for

DEADLINE_S = 60.0
SERVE = """
import sys
from pathlib import Path
from parivision.sources.synthetic import SyntheticConfig
from parivision.stats_api.app import serve
from parivision.stats_api.origins import synthetic_origin
origin = synthetic_origin(SyntheticConfig(seasons=(2023,), games_a_season=20))
serve(origin, Path(sys.argv[1]), port=int(sys.argv[2]))
"""


class TestServe:
    """The runner, as a process of its own."""

    def test_a_killed_server_gives_no_record_twice(self, tmp_path: Path) -> None:
        """Killed between requests and started again: no repeat, and the order of play."""
        got: list[tuple[int, int]] = []
        for _ in range(2):
            with _process(tmp_path) as (server, url):
                for _ in range(4):
                    got += keys(httpx.get(f"{url}/getdata/100").json())
                server.send_signal(signal.SIGKILL)
        assert len(got) == 800
        assert len(set(got)) == 800
        assert got == sorted(got)

    def test_a_terminated_server_ends_well(self, tmp_path: Path) -> None:
        """SIGTERM ends it; archive and place lie in its folder and nothing else."""
        with _process(tmp_path) as (server, url):
            size = httpx.get(f"{url}/health").json()["size"]
            httpx.get(f"{url}/getdata/10")
            server.terminate()
            assert server.wait(DEADLINE_S) in (0, -signal.SIGTERM)
        (place,) = tmp_path.glob("position-*.json")
        assert json.loads(place.read_text())["position"] == 10
        (kept,) = tmp_path.glob("archive-*.parquet")
        assert Archive(kept).size == size


@contextmanager
def _process(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`serve` in a process of its own, ready to answer."""
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(folder), str(port)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}
    with subprocess.Popen(command, env=environment) as server:
        try:
            wait_for(lambda: _answers(f"http://127.0.0.1:{port}/health"), "the process")
            yield server, f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False
