"""A connection as it is read: what came is parsed and held to its bounds, and refused in its turn.

Uvicorn's connection, with what it leaves out. A refusal closes: where the next request would begin
nobody knows. The application learns of it where it answers already.
"""

import asyncio
import re
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parivision.serving import heads
from parivision.serving.asgi import DRAINED_BYTES, Response
from parivision.serving.exchange import Cycle, Resumed, head_again
from parivision.serving.requests import Refusal
from parivision.serving.shared import Shared

REFUSED_S: Final = 2.0
"""How long more is read, and forgotten, behind a refusal: a reset would take the answer along."""
MAX_FRAMING: Final = 16 * 2**10
"""Bytes of a body that are neither content nor the chunks' due: extensions, zeros, trailers."""
_CHUNK_FRAMING: Final = 64
"""A chunk's due: its size, its line ends, and a short extension."""
_STREAM_BYTES: Final = 512 * 2**10
"""So much of a stream is read ahead: some thousand lines, which cost less together."""
BETWEEN, HEAD, BODY = range(3)
"""Where a connection is: between requests, in the head of one, in its body."""
_REQUEST_LINE: Final = re.compile(
    rb"(?:\r\n)*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40} \S{1,8192} HTTP/1\.[01]\r\n"
)
# The only version of which llhttp knows more than that it is none: the preface of HTTP/2.
_OF_HTTP_2: Final = "Pause on PRI/Upgrade"
# Another protocol of the same form, which llhttp takes for HTTP.
_RTSP: Final = b" RTSP/"
_RTSP_LINE: Final = re.compile(rb"(?:\r\n)*\S+ \S+ RTSP/")
_OLDEST: Final = "0.9"


class Reading(HttpToolsProtocol):
    """One connection, all of whose requests go the long way."""

    cycle: Cycle

    def __init__(self, *arguments: Any, shared: Shared, **more: Any) -> None:
        """`shared` is the same for all; the rest is uvicorn's."""
        super().__init__(*arguments, **more)
        self._shared = shared
        self._stage = BETWEEN
        # Of the request that is coming: bytes so far, and of its body those that are content.
        self._wire = self._content = self._chunks = 0
        self._begun = b""  # of the head that is coming: the first bytes
        # The body of a request that does not go the long way.
        self._parts: list[bytes] | None = None
        self._head: heads.Head | None = None
        self._fault: Refusal | None = None
        self._last_words: Response | None = None
        self._is_chunked = self._is_stream = self._is_skipping = False
        self._is_deaf = self._is_ended = self._is_stopping = False
        self._rest = b""  # what came and is not parsed yet
        self._running: Cycle | None = None
        self._idle_since = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that sent all that it wants to; close to one that went away."""
        cycle = self.cycle
        is_due = self._stage == BETWEEN and cycle is not None and not cycle.response_complete
        self._is_ended = is_due or bool(self._rest)
        return self._is_ended

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who answers: uvicorn tells the last request, which may not have begun."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._stage = HEAD
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field; those that come behind the body are in a list that nobody reads."""
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Let the application answer, when the requests before it are answered."""
        self._stage = BODY
        self._begin()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on; behind an answer it is forgotten."""
        self._content += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            if self._content > DRAINED_BYTES:
                self._close()
            return
        cycle.body += body
        if self._is_body_waiting():
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_message_complete(self) -> None:
        """The end of a request that goes the long way, or only of the first parser's part of it."""
        if self._is_skipping:
            return
        self._stage = BETWEEN
        self._wire = 0
        self._is_stream = self._is_chunked = False
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request, or say what is wrong with what came behind this one."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        if self._last_words is not None and self.cycle.response_complete:
            self._end_with(self._last_words)
        elif self._is_ended and self.cycle.response_complete and not self._rest:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Close what nobody used for so long; a timer for each request would cost more than that.

        While something is asked there is no timer: it begins with the answer.
        """
        self.timeout_keep_alive_task = None
        cycle = self.cycle
        if self._stage != BETWEEN or (cycle is not None and not cycle.response_complete):
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._await_next(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _await_next(self, wait_s: float) -> None:
        handler = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(wait_s, handler)

    def _parse(self, piece: bytes) -> None:
        while piece and not self._is_deaf:
            line = self._begun + piece if self._stage != BODY else b""
            if _RTSP in line and _RTSP_LINE.match(line):
                self._refuse(Refusal(505, "This service speaks HTTP/1.1; got RTSP."))
                return
            self._wire += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                piece, self._begun = piece[upgrade.args[0] :], b""
                self._read_on()
                continue
            except httptools.HttpParserError as error:
                # Only if no other request ended in this piece does it begin with this one's line.
                is_first = self._wire >= len(piece)
                self._refuse(self._fault or _refusal_of(error, line if is_first else b""))
            if self._wire:
                self._begun = _first_line(line) if self._stage != BODY else b""
                self._check_bounds()
            else:
                self._begun = b""
            return

    def _read_on(self) -> None:
        """Read on behind a head that asked for an upgrade, of which there is none (RFC 9110, 7.8).

        llhttp took what follows for another protocol.
        """
        head, self._wire = self._head, 0
        if self._is_skipping and head is not None:
            self._is_skipping = False
            self.parser = httptools.HttpRequestParser(Resumed(self))
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head_again(head.length, is_chunked=head.is_chunked))

    def _check_bounds(self) -> None:
        """Refuse what grows beyond its bound while it is not complete."""
        if self._is_deaf:
            return
        try:
            if self._stage == BODY:
                self._check_framing()
            else:
                target = self.url if self._stage == HEAD else b""
                is_oldest = target and self.parser.get_http_version() == _OLDEST
                heads.check_begun(self._wire, target, self.headers or (), is_oldest=bool(is_oldest))
        except Refusal as refusal:
            self._refuse(refusal)

    def _check_framing(self) -> None:
        """Raises Refusal (400) for a body in chunks most of which is neither chunk nor content."""
        due = self._content + MAX_FRAMING + _CHUNK_FRAMING * self._chunks
        if self._is_chunked and self._wire > due:
            raise Refusal(400, "The chunks' extensions or trailers are too long.")

    def _begin(self) -> None:
        """Let the application answer a request, when those before it are answered."""
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        try:
            head = heads.read(method, version, self.url, self.headers)
        except Refusal as refusal:
            self._fault = refusal
            raise
        self._head, self._is_chunked = head, head.is_chunked
        self._content = self._chunks = self._wire = 0
        self._is_skipping = parser.should_upgrade() and (head.is_chunked or head.length > 0)
        if not self.url.startswith(b"/"):  # it may name the host itself, which holds then
            self.headers = [
                (name, head.host if name == b"host" else value) for name, value in self.headers
            ]
        self.scope = self._scope_of(method.decode(), version, head)
        self._is_stream = self._shared.app.is_stream(dict(self.scope))
        self.headers = []
        before, self.cycle = self.cycle, self._cycle_of(head, version)
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def _is_body_waiting(self) -> bool:
        """Whether the application has a good part of a body to take."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return False
        return len(cycle.body) > (_STREAM_BYTES if self._is_streaming() else HIGH_WATER_LIMIT)

    def _is_streaming(self) -> bool:
        """Whether the lines of a stream are coming, and are taken."""
        return self._is_stream and self._stage == BODY and not self.cycle.response_complete

    def _scope_of(self, method: str, version: str, head: heads.Head) -> Any:
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "root_path": self.root_path,
            "headers": self.headers,
            "state": self.app_state.copy(),
            "method": method,
            "path": unquote(head.path.decode()),
            "raw_path": head.path,
            "query_string": head.query,
        }

    def _cycle_of(self, head: heads.Head, version: str) -> Cycle:
        return Cycle(
            close=self._close,
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.waits,
            keep_alive=version == "1.1"
            and self.parser.should_keep_alive()
            and not self._is_stopping,
            on_response=self.on_response_complete,
        )

    def _refuse(self, refusal: Refusal) -> None:
        """Say what is wrong, in its turn, and close: where the next request begins nobody knows."""
        self._is_deaf = True
        self._forget_deadline()
        cycle = self.cycle
        if self._stage == BODY and self._parts is None and self._fault is None:
            if cycle.response_complete:
                self._close()
            else:
                cycle.give_up(refusal)
            return
        response = self._shared.app.refuse(refusal)
        if cycle is None or cycle.response_complete:
            self._end_with(response)
        else:
            self._last_words = response

    def _write(self, response: Response, end: bytes) -> None:
        head = self._shared.head(response.status, self.server_state.default_headers)
        lines = [head, b"%d\r\n" % len(response.body), end]
        lines += [b"%b: %b\r\n" % header for header in response.headers]
        self.transport.write(b"".join([*lines, b"\r\n", response.body]))

    def _end_with(self, response: Response) -> None:
        if not self.transport.is_closing():
            self._write(response, b"connection: close\r\n")
            self._close()

    def _close(self) -> None:
        """Close, but not before the client had time to read what was said last."""
        self._is_deaf = True
        self._forget_deadline()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.pipeline.clear()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._deadline = self.loop.call_later(REFUSED_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _first_line(begun: bytes) -> bytes:
    """A request's first line, or as much of it as there is."""
    begun = begun.lstrip(b"\r\n")
    end = begun.find(b"\r\n")
    return begun[: end + 2 if end >= 0 else heads.MAX_TARGET]


def _refusal_of(error: httptools.HttpParserError, piece: bytes) -> Refusal:
    """What is said of bytes that are no request; the parser's own words tell where it stopped."""
    words = str(error)
    if words == _OF_HTTP_2:
        return Refusal(505, f"This service speaks HTTP/1.1 ({words}).")
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.match(piece):
        return Refusal(501, "The method is none that this service knows: send GET or POST.")
    return Refusal(400, f"This is no HTTP/1.1 request ({words}).")
