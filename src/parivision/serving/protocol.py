"""HTTP at the connection: single shots are answered as their bytes come in, and nobody holds it up.

Uvicorn makes a task and an exchange of messages of every request, which costs more than a
prediction. A plain `POST /predict` of one packet's size needs neither: it is answered where it was
parsed. All else goes uvicorn's way (`http_connection`).

What keeps it answering when there is too much to do, or when clients mean no good:

- Requests that waited too long are refused at once (503, Retry-After) instead of late.
- There are only so many connections; the next one is told so.
- All that a client sends has a bound, and what it costs is linear in what came (`request_head`).
- Who brings a request too slowly, or does not take its answer, is cut off.
- When the service stops, what was begun is answered, and connections say that they close.
"""

import asyncio
from typing import Any, Final

from parivision.serving import request_head, trace
from parivision.serving.http_connection import BETWEEN, BODY, HttpConnection
from parivision.serving.process_state import ProcessState
from parivision.serving.request_body import INLINE_BYTES, TOO_MUCH, TOO_SLOW
from parivision.serving.request_cycle import ConnectionFlow
from parivision.serving.requests import Refusal
from parivision.serving.trace import NO_TRACE

__all__ = ["ProcessState", "Protocol"]

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
# Fields that ask for more than an answer to a body: a 100, chunks, a coding, CORS headers.
_UNUSUAL: Final = frozenset(
    {b"expect", b"transfer-encoding", b"content-encoding", b"upgrade", b"origin"}
)
_JSON: Final = b"application/json"


class Protocol(HttpConnection):
    """One connection."""

    def __init__(self, *arguments: Any, process: ProcessState, **more: Any) -> None:
        """`process` is the same for all; the rest is uvicorn's."""
        super().__init__(*arguments, process=process, **more)
        self._trace = NO_TRACE
        self._host = b"\0"  # the last one that was accepted; at first one that no client can send
        self._received_bytes = 0
        self._last_data_s = 0.0
        self._write_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, or refuse to."""
        super().connection_made(transport)
        self.flow = ConnectionFlow(transport, self._resume_parsing)
        if len(self.connections) > self._process.max_connections:
            self._write(self._process.app.refuse_late(), b"connection: close\r\n")
            transport.close()
        else:
            self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop all timers, and drop what was not parsed."""
        self._ignores_input = True
        self._drop_unparsed()
        self._cancel_deadline()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came, which answers what is complete."""
        if self._ignores_input:
            return
        size = len(data)
        self._received_bytes += size
        if size <= _PIECE and not self._unparsed:
            self._parse(data)
        else:
            self._parse_large(data)
        # Nothing is begun: this timer is for requests on their way, keep-alive has one of its own.
        if self._stage == BETWEEN and not self._wire_bytes:
            self._cancel_deadline()
        elif not self._ignores_input:
            self._last_data_s = self.loop.time()
            if self._deadline is None:
                self._start_deadline()

    def _parse_large(self, data: bytes) -> None:
        """Parse what came until there is work enough; the rest waits, as much as there is room."""
        self._process.waiting_bytes -= len(self._unparsed)
        data, self._unparsed = self._unparsed + data, b""
        start = 0
        while start < len(data):
            if self._is_busy():
                self._unparsed = data[start:]
                break
            end = start + (_STREAM_PIECE if self._is_streaming() else _PIECE)
            self._parse(data[start:end])
            start = end
        self._process.waiting_bytes += len(self._unparsed)
        if self._process.waiting_bytes > MAX_WAITING:
            self._drop_unparsed()
            self._refuse(Refusal(503, TOO_MUCH))

    def _is_busy(self) -> bool:
        """Whether requests wait, or a good part of a body does."""
        return bool(self.pipeline) or self._is_body_waiting()

    def _resume_parsing(self) -> bool:
        """Parse what waits, when there is time for more; whether to read more then."""
        if self._unparsed and not self._ignores_input:
            # Not at once: this is called while an answer is being finished, and parsing may begin
            # the next.
            self.loop.call_soon(self._parse_unparsed)
            return False
        return not self.pipeline

    def _parse_unparsed(self) -> None:
        if self._unparsed and not self._ignores_input and not self._is_busy():
            self._parse_large(b"")
            if not self._unparsed and not self._is_busy():
                self.flow.resume_reading()

    def _drop_unparsed(self) -> None:
        self._process.waiting_bytes -= len(self._unparsed)
        self._unparsed = b""

    def on_headers_complete(self) -> None:
        """Choose: a plain request of one shot needs no task, all others get one."""
        if self.url == _PREDICT and self._is_plain():
            self._stage = BODY
            self._plain_body = []
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        if self._plain_body is None:
            super().on_body(body)
        else:
            self._plain_body.append(body)

    def on_message_complete(self) -> None:
        """Answer at once, if the request is plain."""
        if self._plain_body is None:
            super().on_message_complete()
            return
        self._stage = BETWEEN
        self._wire_bytes = 0
        parts, self._plain_body = self._plain_body, None
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        app = self._process.app
        is_late = self._process.is_late(self.loop)
        response = app.refuse_late() if is_late else app.predict_now(body, self._trace)
        if self._is_stopping:
            self._respond_and_close(response)
        else:
            self._write(response, b"")
            self.server_state.total_requests += 1
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._start_keep_alive(self.timeout_keep_alive)

    def shutdown(self) -> None:
        """Close when what was begun is answered; a request that is on its way is answered too."""
        self._is_stopping = True
        # An answer that is under way ends the connection itself. An idle one waits: a client that
        # knows nothing of the stop may have sent a request just now.
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(self._process.linger_s, self._close_if_idle)

    def pause_writing(self) -> None:
        """The client takes its answer more slowly than it is made."""
        super().pause_writing()
        self._write_deadline = self.loop.call_later(self._process.answer_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client took it."""
        super().resume_writing()
        if self._write_deadline is not None:
            self._write_deadline.cancel()
            self._write_deadline = None

    def _is_plain(self) -> bool:
        """Whether it is a small POST of JSON, with nothing unusual about it, to be answered now."""
        # Not plain is what needs uvicorn's order of answers, its closing, or its waiting for slow
        # clients.
        parser, cycle = self.parser, self.cycle
        if (
            parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
            or self._wire_bytes > _SMALL_HEAD
        ):
            return False
        fields = dict(self.headers)
        # A field that came twice may be an error, of which the full reading of heads is the judge.
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
        if (
            host is None
            or not request_head.is_authority(host)
            or not self._process.app.admits(host)
        ):
            return False
        self._host = host
        return True

    def _close_if_idle(self) -> None:
        if self._stage == BETWEEN and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _start_deadline(self, wait_s: float = 0.0) -> None:
        self._received_bytes = 0
        self._deadline = self.loop.call_later(
            wait_s or self._process.request_s, self._on_request_deadline
        )

    def _on_request_deadline(self) -> None:
        """A request took its time: wait on if a good part of it came, or if we let it wait.

        A stream is as slow as what it tells of: it may go on as long as anything comes.
        """
        self._deadline = None
        if self._is_stream and self._stage == BODY:
            left_s = self._last_data_s + self._process.request_s - self.loop.time()
            may_go_on = left_s > 0
        else:
            left_s, may_go_on = 0.0, self._received_bytes >= _PART_BYTES
        if may_go_on or self.flow.read_paused:
            self._start_deadline(max(left_s, 0.0))
        elif self._stage == BETWEEN:
            self.transport.close()  # nobody asked anything
        else:
            self._refuse(Refusal(408, TOO_SLOW))
