"""A registry of images for tests: upstream's, with a login, built by `make image-registry`."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx

from ports import free_port

TOOLS = Path(__file__).parents[2] / ".tools"
HOW_TO = "no registry of images: run `make image-registry`"
START_WAIT_S = 60.0
CONFIGURATION = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}}}
auth: {{htpasswd: {{realm: tests, path: {folder}/htpasswd}}}}
http: {{addr: "{host}"}}
"""


@dataclass(frozen=True)
class Images:
    """Where a registry listens and who may use it."""

    host: str
    user: str
    password: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://{self.host}"


@contextmanager
def running(folder: Path) -> Iterator[Images | None]:
    """A registry on a free port of 127.0.0.1; None where there is none."""
    binary = shutil.which("registry", path=os.pathsep.join([str(TOOLS), os.environ["PATH"]]))
    if binary is None:
        yield None
        return
    images = Images(f"127.0.0.1:{free_port()}", "pusher", secrets.token_hex(16))
    hashed = bcrypt.hashpw(images.password.encode(), bcrypt.gensalt(rounds=4)).decode()
    (folder / "htpasswd").write_text(f"{images.user}:{hashed}\n")
    (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder, host=images.host))
    with (folder / "registry.log").open("wb") as log:
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        command = [binary, "serve", str(folder / "config.yml")]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        _wait_until_answering(process, images.url, folder / "registry.log")
        yield images
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_WAIT_S
    while True:
        try:
            httpx.get(f"{url}/v2/", trust_env=False)
        except httpx.TransportError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"no registry ({error}): {log.read_text()[-2000:]}") from error
            time.sleep(0.05)
        else:
            return
