"""The table of `http_cases.yaml`, and a client that sends it and reads what comes, byte by byte.

It knows nothing of the server: a socket, and how an answer of HTTP/1.1 looks.
"""

import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

import yaml

TIMEOUT_S: Final = 20.0
_REPEATED: Final = re.compile(rb"\{(\d+)\*(.+?)\}", re.DOTALL)


class Case(NamedTuple):
    """A request, or several, and what must come of it; see the table's own words."""

    name: str
    rfc: str
    sent: str
    answers: list[list[int]]
    then: Literal["open", "closed", "either"]
    methods: tuple[str, ...] = ()
    ends: bool = False

    def filled(self, path: str, body: bytes) -> bytes:
        """Its bytes, for a path and a body that it takes."""
        places = {
            b"{path}": path.encode(),
            b"{bytes}": b"".join(b"1\r\n%c\r\n" % byte for byte in body),
            b"{first}": body[:1],
            b"{x-1}": b"%x" % (len(body) - 1),
            b"{rest}": body[1:],
            b"{n}": b"%d" % len(body),
            b"{x}": b"%x" % len(body),
            b"{X}": b"%X" % len(body),
            b"{body}": body,
        }
        sent = _REPEATED.sub(lambda match: match[2] * int(match[1]), self.sent.encode("latin-1"))
        for name, value in places.items():
            sent = sent.replace(name, value)
        return sent


class Answer(NamedTuple):
    """An answer: status, fields with names in small letters, and the body."""

    status: int
    fields: dict[str, str]
    body: bytes


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""

    def close(self) -> None:
        """Close it; `contextlib.closing` does."""
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all, or what is taken before the other side closes."""
        with suppress(ConnectionError):
            self.socket.sendall(data)

    def end(self) -> None:
        """Close this side."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def answer(self, method: str = "POST") -> Answer:
        """The next answer; raises ConnectionError if the connection ends before it does."""
        head = self._through(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1", first
        fields = dict(line.split(": ", 1) for line in lines)
        fields = {name.lower(): value for name, value in fields.items()}
        body = self._body(int(status), fields, method)
        return Answer(int(status), fields, body)

    def is_closed(self) -> bool:
        """Whether the other side closed, without a byte more."""
        if self._received:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False

    def _body(self, status: int, fields: dict[str, str], method: str) -> bytes:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._through(b"\r\n"), 16):
                body += self._take(size)
                self._take(2)
            self._take(2)
            return body
        if "content-length" in fields:
            return self._take(int(fields["content-length"]))
        return self._rest()

    def _rest(self) -> bytes:
        """What comes before the other side closes."""
        with suppress(ConnectionError):
            while True:
                self._more()
        taken, self._received = self._received, b""
        return taken

    def _through(self, end: bytes) -> bytes:
        while end not in self._received:
            self._more()
        taken, _, self._received = self._received.partition(end)
        return taken + end

    def _take(self, size: int) -> bytes:
        while len(self._received) < size:
            self._more()
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _more(self) -> None:
        came = self.socket.recv(65536)
        if not came:
            raise ConnectionError(f"closed after {self._received!r}")
        self._received += came


def cases() -> list[Case]:
    """All cases of the table."""
    text = Path(__file__).with_name("http_cases.yaml").read_text()
    return [
        Case(**{**case, "methods": tuple(case.get("methods", ()))})
        for group in yaml.safe_load(text).values()
        for case in group
    ]
