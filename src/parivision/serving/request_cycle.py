"""Parts of a connection: a request with its response, flow control, and a body after an upgrade.

Uvicorn's, with what it leaves out: a request that will never be complete is refused with the
application's message, HTTP/1.0 gets no chunks, and little is read ahead of a client that pipelines.
"""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from parivision.serving.asgi import Message, given_up
from parivision.serving.requests import Refusal

_ENDLESS: Final = sys.maxsize


class ConnectionFlow(FlowControl):
    """When a connection is read and written: not while requests wait that came before."""

    def __init__(self, transport: asyncio.Transport, resume: Callable[[], bool]) -> None:
        """`resume` begins with what waits, and says whether more is to be read now."""
        super().__init__(transport)
        self._resume = resume

    def resume_reading(self) -> None:
        """Read on, unless there is work enough: else a client could fill the memory with it."""
        if self.read_paused and self._resume():
            super().resume_reading()


class RequestCycle(RequestResponseCycle):
    """One request and its response."""

    def __init__(self, *, close: Callable[[], None], **more: Any) -> None:
        """`close` ends the connection when an answer came before its request's end."""
        super().__init__(**more)
        self._close = close
        self._refusal: Refusal | None = None

    def give_up(self, refusal: Refusal) -> None:
        """Nothing more will come of the body: the application answers with the refusal."""
        self._refusal = refusal
        self.keep_alive = False
        self.message_event.set()

    async def receive(self) -> Any:
        """The next part of the body, or why there is none."""
        message = await super().receive()
        # A body that was complete before the refusal is answered as usual.
        if self._refusal is not None and message.get("more_body"):
            return given_up(self._refusal)
        return message

    async def send(self, message: Any) -> None:
        """Send a part of the answer."""
        if self.waiting_for_100_continue and self.more_body:
            self.keep_alive = False  # whether the body follows now nobody knows
        if self.scope["http_version"] == "1.0":
            self._without_chunks(message)
        is_early = self.more_body and not self.keep_alive and _is_last(message)
        if is_early:
            self.keep_alive = True  # or it would be closed at once, and the answer lost
        await super().send(message)
        if is_early and not self.disconnected:
            self._close()

    def _without_chunks(self, message: Message) -> None:
        """For HTTP/1.0 the end of the connection is the end of the answer."""
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            if b"content-length" not in names:
                self.chunked_encoding = False
                self.expected_content_length = _ENDLESS
        # uvicorn demands that the last part completes the length, and it is known only now.
        elif _is_last(message) and self.expected_content_length > len(message.get("body", b"")):
            self.expected_content_length = len(message.get("body", b""))


class BodyParserCallbacks:
    """Callbacks of the second parser, which reads the body of a request with an upgrade.

    llhttp stops behind a head that asks for an upgrade, as if no body followed. The second parser
    is given a head of its own, whose callbacks are dropped, and then the body.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._is_begun = False
        self.on_body = connection.on_body
        self.on_chunk_header = connection.on_chunk_header
        self.on_message_complete = connection.on_message_complete

    def on_message_begin(self) -> None:
        """The next request begins."""
        if self._is_begun:
            self._connection.on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        if self._is_begun:
            self._connection.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its fields, or of the trailers of the body."""
        if self._is_begun:
            self._connection.on_header(name, value)

    def on_headers_complete(self) -> None:
        """The second parser's own head is read; from now on all is passed on."""
        if self._is_begun:
            self._connection.on_headers_complete()
        self._is_begun = True


def head_again(length: int, *, is_chunked: bool) -> bytes:
    """A head for the second parser, of a request with the same body."""
    framing = b"transfer-encoding: chunked" if is_chunked else b"content-length: %d" % length
    return b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n"


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body", False)
