"""HTTP at the connection: single shots are answered as their bytes come in, and nobody holds it up.

Uvicorn makes a task and an exchange of messages of every request, which costs more than a
prediction. A plain `POST /predict` of one packet's size needs neither: it is answered where it was
parsed. All else goes uvicorn's way (`reading`).

What keeps it answering when there is too much to do, or when clients mean no good:

- Requests that waited too long are refused at once (503, Retry-After) instead of late.
- There are only so many connections; the next one is told so.
- All that a client sends has a bound, and what it costs is linear in what came (`heads`).
- Who brings a request too slowly, or does not take its answer, is cut off.
- When the service stops, what was begun is answered, and connections say that they close.
"""

import asyncio
from typing import Any, Final

from parivision.serving import heads, trace
from parivision.serving.bodies import INLINE_BYTES, TOO_MUCH, TOO_SLOW
from parivision.serving.exchange import Flow
from parivision.serving.reading import BETWEEN, BODY, Reading
from parivision.serving.requests import Refusal
from parivision.serving.shared import Shared
from parivision.serving.trace import NO_TRACE

__all__ = ["Protocol", "Shared"]

_PART_BYTES: Final = 64 * 2**10
"""A good part of a body: who brings so much in `request_s` may go on."""
_PIECE: Final = 4 * 2**10
"""So much is parsed before it is looked at what it makes of the bounds."""
_STREAM_PIECE: Final = 256 * 2**10
"""Of streams there are few, and most of what comes on them is content."""
MAX_WAITING: Final = 64 * 2**20
"""Bytes that all connections together may have sent ahead of what is parsed."""
_SMALL_HEAD: Final = 8 * 2**10
_PREDICT: Final = b"/predict"
_UNUSUAL: Final = frozenset(
    {b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"origin"}
)
_JSON: Final = b"application/json"


class Protocol(Reading):
    """One connection."""

    def __init__(self, *arguments: Any, shared: Shared, **more: Any) -> None:
        """`shared` is the same for all; the rest is uvicorn's."""
        super().__init__(*arguments, shared=shared, **more)
        self._trace = NO_TRACE
        self._host = b"\0"  # the last one that was found in order; at first what none can be
        self._received = 0
        self._moved_at = 0.0
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse to."""
        super().connection_made(transport)
        self.flow = Flow(transport, self._go_on)
        if len(self.connections) > self._shared.max_connections:
            self._write(self._shared.app.refuse_late(), b"connection: close\r\n")
            transport.close()
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._is_deaf = True
        self._forget_rest()
        self._forget_deadline()
        if self._taking is not None:
            self._taking.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, which answers what is complete."""
        if self._is_deaf:
            return
        size = len(data)
        self._received += size
        if size <= _PIECE and not self._rest:
            self._parse(data)
        else:
            self._parse_large(data)
        if self._stage == BETWEEN and not self._wire:
            self._forget_deadline()
        elif not self._is_deaf:
            self._moved_at = self.loop.time()
            if self._deadline is None:
                self._await_request()

    def _parse_large(self, data: bytes) -> None:
        """Parse what came until there is work enough; the rest waits, as much as there is room."""
        shared = self._shared
        shared.waiting -= len(self._rest)
        data, self._rest = self._rest + data, b""
        start = 0
        while start < len(data):
            if self._has_enough():
                self._rest = data[start:]
                break
            end = start + (_STREAM_PIECE if self._is_streaming() else _PIECE)
            self._parse(data[start:end])
            start = end
        shared.waiting += len(self._rest)
        if shared.waiting > MAX_WAITING:
            self._forget_rest()
            self._refuse(Refusal(503, TOO_MUCH))

    def _has_enough(self) -> bool:
        """Whether requests wait, or a good part of a body does."""
        return bool(self.pipeline) or self._is_body_waiting()

    def _go_on(self) -> bool:
        """Parse what waits, when there is time for more; whether to read more then."""
        if self._rest and not self._is_deaf:
            self.loop.call_soon(self._take_rest)
            return False
        return not self.pipeline

    def _take_rest(self) -> None:
        if self._rest and not self._is_deaf and not self._has_enough():
            self._parse_large(b"")
            if not self._rest and not self._has_enough():
                self.flow.resume_reading()

    def _forget_rest(self) -> None:
        self._shared.waiting -= len(self._rest)
        self._rest = b""

    def on_headers_complete(self) -> None:
        """Choose the way: straight for a plain request of one shot."""
        if self.url == _PREDICT and self._is_plain():
            self._stage = BODY
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
        if self._parts is None:
            super().on_message_complete()
            return
        self._stage = BETWEEN
        self._wire = 0
        parts, self._parts = self._parts, None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        app = self._shared.app
        is_late = self._shared.is_late(self.loop)
        response = app.refuse_late() if is_late else app.predict_now(body, self._trace)
        if self._is_stopping:
            self._end_with(response)
        else:
            self._write(response, b"")
            self.server_state.total_requests += 1
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._await_next(self.timeout_keep_alive)

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
            or self._wire > _SMALL_HEAD
        ):
            return False
        fields = dict(self.headers)
        if len(fields) != len(self.headers) or not _UNUSUAL.isdisjoint(fields):
            return False
        host = fields.get(b"host")
        if host != self._host and not self._is_host(host):
            return False
        self._trace = NO_TRACE if trace.NAMES.isdisjoint(fields) else trace.of_fields(fields)
        length = fields.get(b"content-length", b"")
        is_json = fields.get(b"content-type", _JSON) == _JSON
        return is_json and length.isdigit() and int(length) <= INLINE_BYTES

    def _is_host(self, host: bytes | None) -> bool:
        """Whether it is a host that is answered for; it is remembered, a client names but one."""
        if host is None or not heads.is_authority(host) or not self._shared.app.admits(host):
            return False
        self._host = host
        return True

    def _close_if_idle(self) -> None:
        if self._stage == BETWEEN and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _await_request(self, wait_s: float = 0.0) -> None:
        self._received = 0
        self._deadline = self.loop.call_later(wait_s or self._shared.request_s, self._too_slow)

    def _too_slow(self) -> None:
        """A request took its time: wait on if a good part of it came, or if we let it wait.

        A stream is as slow as what it tells of: it may go on as long as anything comes.
        """
        self._deadline = None
        if self._is_stream and self._stage == BODY:
            left_s = self._moved_at + self._shared.request_s - self.loop.time()
            may_go_on = left_s > 0
        else:
            left_s, may_go_on = 0.0, self._received >= _PART_BYTES
        if may_go_on or self.flow.read_paused:
            self._await_request(max(left_s, 0.0))
        elif self._stage == BETWEEN:
            self.transport.close()  # nobody asked anything
        else:
            self._refuse(Refusal(408, TOO_SLOW))
