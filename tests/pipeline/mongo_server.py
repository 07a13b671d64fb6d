"""A MongoDB server for tests: one that is given, mongod, or FerretDB built by `make ferretdb`."""

import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymongo
from pymongo.errors import PyMongoError

from ports import free_port

GIVEN = "PARIVISION_TEST_MONGODB"
FERRETDB = Path(__file__).parents[2] / ".tools" / "ferretdb"
HOW_TO = f"no MongoDB server: run `make ferretdb`, install mongod, or set {GIVEN}"
START_WAIT_S = 120.0


@dataclass(frozen=True)
class Server:
    """Where a server listens and who may use it; `options` follow the database in a URL."""

    host: str
    user: str
    password: str
    options: str = ""

    def url(self, database: str, password: str | None = None) -> str:
        """The URL of a database."""
        credentials = f"{self.user}:{password or self.password}"
        return f"mongodb://{credentials}@{self.host}/{database}{self.options}"


@contextmanager
def running(folder: Path) -> Iterator[Server | None]:
    """A server with authentication on, on a free port of 127.0.0.1; None where there is none."""
    mongod = shutil.which("mongod")
    if given := os.environ.get(GIVEN):
        yield _given(given)
    elif mongod:
        with _mongod(mongod, folder) as server:
            yield server
    elif FERRETDB.is_file():
        with _ferretdb(folder) as server:
            yield server
    else:
        yield None


def _given(url: str) -> Server:
    """A server at mongodb://user:password@host:port; the user lives in admin."""
    user, _, rest = url.partition("://")[2].partition(":")
    password, _, host = rest.rpartition("@")
    return Server(host.partition("/")[0], user, password, "?authSource=admin")


class Killable:
    """A server of this machine that can be killed and started again with what it holds."""

    def __init__(self, folder: Path) -> None:
        self.server, command = _ferretdb_server(folder)
        self._start = lambda: _process(command, folder, self.server.url("accounts"))
        self._running = ExitStack()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = self._running.enter_context(self._start())

    def kill(self) -> None:
        """End it with SIGKILL, whatever it is doing."""
        self._process.kill()
        self._running.close()


def is_killable_here() -> bool:
    """Whether a `Killable` can be started: where FerretDB is built."""
    return FERRETDB.is_file()


@contextmanager
def _ferretdb(folder: Path) -> Iterator[Server]:
    server, command = _ferretdb_server(folder)
    with _process(command, folder, server.url("accounts")):
        yield server


def _ferretdb_server(folder: Path) -> tuple[Server, list[str]]:
    port, password = free_port(), secrets.token_hex(8)
    server = Server(f"127.0.0.1:{port}", "parivision", password, "?authSource=accounts")
    command = [
        str(FERRETDB),
        "--handler=sqlite",
        f"--sqlite-url=file:{folder}/?_pragma=synchronous(off)",
        f"--state-dir={folder}",
        f"--listen-addr=127.0.0.1:{port}",
        "--debug-addr=-",
        "--telemetry=disable",
        "--log-level=ERROR",
        "--test-enable-new-auth",
        "--setup-database=accounts",
        f"--setup-username={server.user}",
        f"--setup-password={password}",
    ]
    return server, command


@contextmanager
def _mongod(binary: str, folder: Path) -> Iterator[Server]:
    port, password = free_port(), secrets.token_hex(8)
    server = Server(f"127.0.0.1:{port}", "parivision", password, "?authSource=admin")
    command = [binary, "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1"]
    unguarded = f"mongodb://127.0.0.1:{port}"
    client: pymongo.MongoClient[dict[str, Any]]
    with _process(command, folder, unguarded), pymongo.MongoClient(unguarded) as client:
        client.admin.command("createUser", server.user, pwd=password, roles=["root"])
    with _process([*command, "--auth"], folder, server.url("admin")):
        yield server


@contextmanager
def _process(command: list[str], folder: Path, url: str) -> "Iterator[subprocess.Popen[bytes]]":
    log = folder / "server.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)
    try:
        _wait_until_answering(process, url, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_answering(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_WAIT_S
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(url, serverSelectionTimeoutMS=500) as client:
        while True:
            try:
                client.admin.command("ping")
            except PyMongoError as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    said = log.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the server does not answer ({error}): {said}") from error
                time.sleep(0.05)
            else:
                return
