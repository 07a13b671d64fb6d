"""One HTTP connection: uvicorn's, with stricter parsing, and bounds on all that a client sends.

Refusals are written in the order of the requests, and a refusal closes the connection: nobody knows
where the next request would begin. An application that answers already is told of the refusal.
"""

import asyncio
from typing import Any, Final
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parivision.serving import parser_errors, request_head
from parivision.serving.asgi import DRAINED_BYTES, Response
from parivision.serving.process_state import ProcessState
from parivision.serving.request_cycle import BodyParserCallbacks, RequestCycle, head_again
from parivision.serving.requests import Refusal

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
_OLDEST: Final = "0.9"


class HttpConnection(HttpToolsProtocol):
    """One connection; each request becomes a task of the application, as ASGI has it."""

    cycle: RequestCycle

    def __init__(self, *arguments: Any, process: ProcessState, **more: Any) -> None:
        """`process` is the same for all; the rest is uvicorn's."""
        super().__init__(*arguments, **more)
        self._process = process
        self._stage = BETWEEN
        # Of the request that is being read: bytes so far, those of the body's content, its chunks.
        self._wire_bytes = self._content_bytes = self._chunk_count = 0
        self._head_start = b""  # the first bytes of the head that is being read
        # The body's parts of a request that needs no task; see `Protocol`.
        self._plain_body: list[bytes] | None = None
        self._head: request_head.RequestHead | None = None
        self._head_refusal: Refusal | None = None
        self._final_response: Response | None = None
        self._is_chunked = self._is_stream = self._is_skipping = False
        self._ignores_input = self._is_input_ended = self._is_stopping = False
        self._unparsed = b""  # what came and is not parsed yet
        self._running: RequestCycle | None = None
        self._idle_since = 0.0
        self._deadline: asyncio.TimerHandle | None = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that sent all that it wants to; close to one that went away."""
        cycle = self.cycle
        # True keeps our side open: a client may close its own behind its last request.
        is_due = self._stage == BETWEEN and cycle is not None and not cycle.response_complete
        self._is_input_ended = is_due or bool(self._unparsed)
        return self._is_input_ended

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that runs: uvicorn tells the last one, which may not have begun."""
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
        self._dispatch()

    def on_body(self, body: bytes) -> None:
        """Hand a part of the body on; behind an answer it is forgotten."""
        self._content_bytes += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            # The client has time to see the answer, and not to send on for ever.
            if self._content_bytes > DRAINED_BYTES:
                self._close()
            return
        cycle.body += body
        if self._is_body_waiting():
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunk_count += 1

    def on_message_complete(self) -> None:
        """A request is complete, unless its body is left to a second parser."""
        if self._is_skipping:
            return
        self._stage = BETWEEN
        self._wire_bytes = 0
        self._is_stream = self._is_chunked = False
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Go on with the next request, or say what is wrong with what came behind this one."""
        self._idle_since = self.loop.time()
        super().on_response_complete()
        if self._final_response is not None and self.cycle.response_complete:
            self._respond_and_close(self._final_response)
        elif self._is_input_ended and self.cycle.response_complete and not self._unparsed:
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
            self._start_keep_alive(left_s)
        else:
            super().timeout_keep_alive_handler()

    def _start_keep_alive(self, wait_s: float) -> None:
        handler = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(wait_s, handler)

    def _parse(self, piece: bytes) -> None:
        """Feed bytes to the parser, whose callbacks above are called; refuse what is no request."""
        while piece and not self._ignores_input:
            line = self._head_start + piece if self._stage != BODY else b""
            if parser_errors.is_rtsp(line):
                self._refuse(Refusal(505, "This service speaks HTTP/1.1; got RTSP."))
                return
            self._wire_bytes += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                piece, self._head_start = piece[upgrade.args[0] :], b""
                self._continue_after_upgrade()
                continue
            except httptools.HttpParserError as error:
                # Only if no other request ended in this piece does it begin with this one's line.
                is_first = self._wire_bytes >= len(piece)
                refusal = parser_errors.refusal_of(error, line if is_first else b"")
                self._refuse(self._head_refusal or refusal)
            if self._wire_bytes:
                self._head_start = parser_errors.first_line(line) if self._stage != BODY else b""
                self._check_bounds()
            else:
                self._head_start = b""
            return

    def _continue_after_upgrade(self) -> None:
        """Read the body behind a head that asks for an upgrade, which is ignored (RFC 9110, 7.8).

        llhttp takes what follows for another protocol, so a second parser reads the body: it is
        fed a head with the same length, whose callbacks are dropped.
        """
        head, self._wire_bytes = self._head, 0
        if self._is_skipping and head is not None:
            self._is_skipping = False
            self.parser = httptools.HttpRequestParser(BodyParserCallbacks(self))
            # As uvicorn sets it for the first parser.
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            self.parser.feed_data(head_again(head.length, is_chunked=head.is_chunked))

    def _check_bounds(self) -> None:
        """Refuse what grows beyond its bound while it is not complete."""
        if self._ignores_input:
            return
        try:
            if self._stage == BODY:
                self._check_framing()
            else:
                target = self.url if self._stage == HEAD else b""
                is_oldest = target and self.parser.get_http_version() == _OLDEST
                request_head.check_begun(
                    self._wire_bytes, target, self.headers or (), is_oldest=bool(is_oldest)
                )
        except Refusal as refusal:
            self._refuse(refusal)

    def _check_framing(self) -> None:
        """Raises Refusal (400) for a body in chunks most of which is neither chunk nor content."""
        due = self._content_bytes + MAX_FRAMING + _CHUNK_FRAMING * self._chunk_count
        if self._is_chunked and self._wire_bytes > due:
            raise Refusal(400, "The chunks' extensions or trailers are too long.")

    def _dispatch(self) -> None:
        """Let the application answer a request, when those before it are answered."""
        head = self._read_head()
        version = self.parser.get_http_version()
        if not self.url.startswith(b"/"):  # an absolute target names the host, which holds then
            self.headers = [
                (name, head.host if name == b"host" else value) for name, value in self.headers
            ]
        self.scope = self._scope_of(self.parser.get_method().decode(), version, head)
        self._is_stream = self._process.app.is_stream(dict(self.scope))
        self.headers = []
        previous, self.cycle = self.cycle, self._cycle_of(head, version)
        # Answers go out in the order of requests (RFC 9112, 9.3.2). So a request that was sent
        # ahead waits for the one before it, and meanwhile nothing more is read.
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _read_head(self) -> request_head.RequestHead:
        """The head that is complete now; raises Refusal, which the parser reports as its own."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        try:
            head = request_head.read(method, version, self.url, self.headers)
        except Refusal as refusal:
            self._head_refusal = refusal
            raise
        self._head, self._is_chunked = head, head.is_chunked
        self._content_bytes = self._chunk_count = self._wire_bytes = 0
        has_body = head.is_chunked or head.length > 0
        self._is_skipping = self.parser.should_upgrade() and has_body
        return head

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

    def _scope_of(self, method: str, version: str, head: request_head.RequestHead) -> Any:
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

    def _cycle_of(self, head: request_head.RequestHead, version: str) -> RequestCycle:
        return RequestCycle(
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
        """Read no more, write the refusal behind the responses that are due, and close."""
        self._ignores_input = True
        self._cancel_deadline()
        cycle = self.cycle
        # The application has the head and waits for the body: it gets the refusal in its place.
        if self._stage == BODY and self._plain_body is None and self._head_refusal is None:
            if cycle.response_complete:
                self._close()
            else:
                cycle.give_up(refusal)
            return
        response = self._process.app.refuse(refusal)
        if cycle is None or cycle.response_complete:
            self._respond_and_close(response)
        else:
            self._final_response = response

    def _write(self, response: Response, end: bytes) -> None:
        head = self._process.response_head(response.status, self.server_state.default_headers)
        lines = [head, b"%d\r\n" % len(response.body), end]
        lines += [b"%b: %b\r\n" % header for header in response.headers]
        self.transport.write(b"".join([*lines, b"\r\n", response.body]))

    def _respond_and_close(self, response: Response) -> None:
        if not self.transport.is_closing():
            self._write(response, b"connection: close\r\n")
            self._close()

    def _close(self) -> None:
        """Close, but not before the client had time to read the last response."""
        self._ignores_input = True
        self._cancel_deadline()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.pipeline.clear()
        self.flow.resume_reading()
        # In two steps (RFC 9112, 9.6): our side ends, and what the client sends meanwhile is
        # dropped. At once, unread bytes would make the kernel reset the connection, and the answer
        # would be lost.
        self.transport.write_eof()
        self._deadline = self.loop.call_later(REFUSED_S, self.transport.abort)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
