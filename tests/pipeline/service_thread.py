"""The service on real connections, in a thread, and what is needed to talk to it."""

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import uvicorn

from parivision.serving.app import App
from parivision.serving.handlers import RequestHandlers
from parivision.serving.process_state import ProcessState
from parivision.serving.server import config


class Running:
    """The service on a port of its own, in a thread."""

    def __init__(self, app: App, **limits: Any) -> None:
        self.process = ProcessState(app, **limits)
        options = config(self.process, host="127.0.0.1", port=0, loop="uvloop")
        self.server = uvicorn.Server(options)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 20
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    @property
    def handlers(self) -> RequestHandlers:
        """What answers with the champion, which must be loaded."""
        handlers = self.process.app._handlers
        assert handlers is not None
        return handlers

    def connect(self) -> socket.socket:
        """A connection whose answers do not take for ever."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request: bytes) -> tuple[int, dict[str, str], Any]:
        """Status, headers and content of the answer to one request on a new connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return answer(connection)

    def stop(self) -> None:
        """End it, and wait for its end."""
        self.server.should_exit = True
        self.thread.join(20)
        assert not self.thread.is_alive()


def post(body: bytes, path: str = "/predict", *more: str) -> bytes:
    """The bytes of a POST."""
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def get(path: str) -> bytes:
    """The bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def answer(connection: socket.socket) -> tuple[int, dict[str, str], Any]:
    """The next answer on a connection: status, headers, content."""
    received = b""
    while b"\r\n\r\n" not in received:
        came = connection.recv(1)
        assert came, f"closed after {received!r}"
        received += came
    first, *lines = received.decode().strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    body, length = b"", int(headers["content-length"])
    while len(body) < length:
        body += connection.recv(length - len(body))
    return int(first.split()[1]), headers, json.loads(body)


def expect_close(connection: socket.socket) -> None:
    """Wait until the other side closes it, if need be after some bytes more; else time runs out."""
    with suppress(ConnectionError):
        while connection.recv(65536):
            pass
