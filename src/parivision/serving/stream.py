"""A request of lines, answered while it comes: what the client sees of `lines`."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from parivision.serving import lines
from parivision.serving.asgi import Message, Receive, Send
from parivision.serving.handlers import RequestHandlers
from parivision.serving.request_body import INLINE_BYTES
from parivision.serving.requests import Refusal

MAX_STREAMS: Final = 32
"""Each may hold a block of two megabytes."""
_EMPTY: Final = "The body is empty: send a line of JSON for each shot."


class Stream:
    """The answer to one request of lines; it begins with its first block."""

    def __init__(
        self,
        handlers: RequestHandlers,
        send: Send,
        headers: tuple[tuple[bytes, bytes], ...],
        in_thread: Callable[..., Awaitable[bytes]],
        on_begin: Callable[[], None],
    ) -> None:
        self._on_begin = on_begin
        self._handlers = handlers
        self._send = send
        self._in_thread = in_thread
        self._start: Message = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", lines.CONTENT_TYPE), *headers],
        }
        self._is_begun = False

    async def answer(self, receive: Receive) -> None:
        """Answer all lines; one that cannot be used ends the answer, and says so.

        Raises Refusal where nothing is answered yet.
        """
        try:
            done = 0
            async with aclosing(lines.blocks(receive)) as blocks:
                async for block in blocks:
                    await self._send_text(await self._answer_to(block, done))
                    done += len(block)
        except Refusal as refusal:
            if not self._is_begun:
                raise
            await self._send_text(lines.fault(refusal))
        if not self._is_begun:
            raise Refusal(400, _EMPTY)
        await self._send({"type": "http.response.body", "body": b""})

    async def _answer_to(self, block: list[bytes], done: int) -> bytes:
        if sum(map(len, block)) <= INLINE_BYTES:
            return self._handlers.answer_lines(block, done)
        return await self._in_thread(self._handlers.answer_lines, block, done)

    async def _send_text(self, text: bytes) -> None:
        # Not before there is an answer: until then a refusal can have a status of its own.
        if not self._is_begun:
            self._is_begun = True
            self._on_begin()
            await self._send(self._start)
        await self._send({"type": "http.response.body", "body": text, "more_body": True})


def is_lines(headers: Any) -> bool:
    """Whether a request's headers say that its body is lines."""
    kinds = (value for name, value in headers if name == b"content-type")
    return next(kinds, b"").split(b";")[0].strip().lower() == lines.CONTENT_TYPE
