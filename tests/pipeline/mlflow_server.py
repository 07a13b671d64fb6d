"""A real MLflow server on 127.0.0.1."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from ports import free_port

START_S = 120


@contextmanager
def serving(folder: Path, workers: int = 2) -> Iterator[str]:
    """The address of a server that keeps runs, versions and files in `folder`."""
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/server.db"]
    command += ["--artifacts-destination", str(folder / "server-artifacts")]
    ours = ("MLFLOW_", "PARIVISION_")
    environment = {name: v for name, v in os.environ.items() if not name.startswith(ours)}
    log = folder / "server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, f"{url}/health", log)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    """Wait for a good answer of a process at an address; one that ended is told by its log."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=5, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(log.read_text())
