"""HTTP at the connection: single shots are answered as their bytes come in, and nobody holds it up.

Uvicorn makes a task and an exchange of messages of every request, which costs more than a
prediction. A plain `POST /predict` of one packet's size needs neither: it is answered where it was
parsed. All else goes uvicorn's way.

What keeps it answering when there is too much to do, or when clients mean no good:

- Requests that waited too long are refused at once (503, Retry-After) instead of late.
- There are only so many connections; the next one is told so.
- Who brings a request too slowly, or does not take its answer, is cut off.
- When the service stops, what was begun is answered, and connections say that they close.
"""

import asyncio
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parivision.service.app import INLINE_BYTES, App
from parivision.service.asgi import Response

Headers = list[tuple[bytes, bytes]]

MAX_CONNECTIONS: Final = 4096
MAX_WAIT_S: Final = 0.25
"""A request that waited longer than this for its turn is refused."""
REQUEST_S: Final = 10.0
"""A request must be there, or a good part more of it, within this time."""
_PART_BYTES: Final = 64 * 2**10
ANSWER_S: Final = 30.0
"""A client must take its answer within this time."""
LINGER_S: Final = 0.5
"""How long an idle connection is kept when the service stops: a request may be on its way."""
_PREDICT: Final = b"/predict"
_UNUSUAL: Final = frozenset({b"expect", b"transfer-encoding", b"content-encoding", b"upgrade"})
_JSON: Final = b"application/json"


@dataclass
class Shared:
    """What the connections of one process share.

    `turn_began` is when the event loop began to answer what had come in meanwhile; 0 between turns.
    """

    app: App
    max_connections: int = MAX_CONNECTIONS
    max_wait_s: float = MAX_WAIT_S
    request_s: float = REQUEST_S
    answer_s: float = ANSWER_S
    linger_s: float = LINGER_S
    turn_began: float = 0.0
    _heads: dict[int, bytes] = field(default_factory=dict)
    _headers: Headers = field(default_factory=list)

    def is_late(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the requests of this turn have waited too long by now.

        All of them had come in when the turn began, so the last ones waited for all the others.
        """
        now = time.perf_counter()
        if not self.turn_began:
            self.turn_began = now
            loop.call_soon(self._end_turn)
        return now - self.turn_began > self.max_wait_s

    def _end_turn(self) -> None:
        self.turn_began = 0.0

    def head(self, status: int, headers: Headers) -> bytes:
        """An answer's first lines up to its length; `headers` are uvicorn's, new every second."""
        if headers is not self._headers:
            self._headers = headers
            self._heads.clear()
        head = self._heads.get(status)
        if head is None:
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in headers]
            head = b"\r\n".join([*lines, b"content-type: application/json", b"content-length: "])
            self._heads[status] = head
        return head


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, shared: Shared, **more: Any) -> None:
        """`shared` is the same for all; the rest is uvicorn's."""
        super().__init__(*arguments, **more)
        self._shared = shared
        self._parts: list[bytes] | None = None
        self._is_whole = True
        self._is_stopping = False
        self._received = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse to."""
        super().connection_made(transport)
        if len(self.connections) > self._shared.max_connections:
            self._close_with(self._shared.app.refuse_late())
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._forget_deadline()
        if self._taking is not None:
            self._taking.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, which answers what is complete."""
        self._received += len(data)
        super().data_received(data)
        if self._is_whole:
            self._forget_deadline()
        elif self._deadline is None:
            self._await_request()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_whole = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Choose the way: straight for a plain request of one shot."""
        if self.url == _PREDICT and self._is_plain():
            self._parts = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        if self._parts is None:
            super().on_body(body)
        else:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """Answer, if it goes straight."""
        self._is_whole = True
        if self._parts is None:
            super().on_message_complete()
            return
        parts, self._parts = self._parts, None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        app = self._shared.app
        is_late = self._shared.is_late(self.loop)
        response = app.refuse_late() if is_late else app.predict_now(body)
        if self._is_stopping:
            self._close_with(response)
        else:
            self._write(response, b"")
            self.on_response_complete()

    def shutdown(self) -> None:
        """Close when what was begun is answered; a request that is on its way is answered too."""
        self._is_stopping = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(self._shared.linger_s, self._close_if_idle)

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        super().pause_writing()
        self._taking = self.loop.call_later(self._shared.answer_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client took it."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _is_plain(self) -> bool:
        """Whether it is a small POST of JSON, with nothing unusual about it, to be answered now."""
        parser, cycle = self.parser, self.cycle
        if (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
        ):
            return False
        length, kind = b"", _JSON
        for name, value in self.headers:
            if name in _UNUSUAL:
                return False
            if name == b"content-length":
                length = value
            elif name == b"content-type":
                kind = value
        return kind == _JSON and length.isdigit() and int(length) <= INLINE_BYTES

    def _write(self, response: Response, end: bytes) -> None:
        head = self._shared.head(response.status, self.server_state.default_headers)
        lines = [head, b"%d\r\n" % len(response.body), end]
        lines += [b"%b: %b\r\n" % header for header in response.headers]
        self.transport.write(b"".join([*lines, b"\r\n", response.body]))

    def _close_with(self, response: Response) -> None:
        self._write(response, b"connection: close\r\n")
        self.transport.close()

    def _close_if_idle(self) -> None:
        if self._is_whole and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _await_request(self) -> None:
        self._received = 0
        self._deadline = self.loop.call_later(self._shared.request_s, self._too_slow)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        """A request took its time: wait on if a good part of it came, or if we let it wait."""
        if self._received >= _PART_BYTES or self.flow.read_paused:
            self._await_request()
        elif self.cycle is None or self.cycle.response_complete:
            self._close_with(self._shared.app.refuse_slow())
        else:
            self.transport.abort()
