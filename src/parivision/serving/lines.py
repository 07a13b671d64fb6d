"""Millions of shots on one connection: a line of JSON each in, a line of JSON each out.

Lines are answered in blocks while the others still come, and no more is read than is answered, so
neither side needs memory for more than some thousands of them.
"""

import asyncio
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

import msgspec

from parivision.serving import fast_path
from parivision.serving.asgi import check_there
from parivision.serving.predictor import Answer, Predictor
from parivision.serving.requests import Refusal, parse_lines
from parivision.serving.shot import MAX_SHOTS, Rows

CONTENT_TYPE: Final = b"application/x-ndjson"
BLOCK_BYTES: Final = 2**21
"""As many bytes make a block."""
GAP_S: Final = 0.003
"""A block ends when no more comes for so long."""
GATHER_S: Final = 0.1
"""And when its first line has waited for so long."""
_LONGEST: Final = 64 * 2**10
_MAX_PARTS: Final = 1000
"""A body may come in single bytes, each of which would take thirty."""
_ENCODER: Final = msgspec.json.Encoder()

Receive = Callable[[], Awaitable[Any]]


class _Line(msgspec.Struct, gc=False):
    """The answer to a line."""

    p_made: float
    expected_points: float
    zone_code: int


async def blocks(receive: Receive) -> AsyncGenerator[list[bytes]]:
    """The lines of a body, empty ones left out, up to some thousands at a time.

    Lines that come fast make large blocks, which cost least; one that comes alone waits for
    `GAP_S` and is a block of its own. What was not read when a block is handed over is not read
    before it is answered. Raises Refusal, as the body's server does, and ClientGoneError.
    """
    rest, more, is_first = b"", True, True
    async with _Arriving(receive) as arriving:
        while more:
            data, more = await arriving.take(rest)
            *lines, rest = (data.removeprefix(BOM_UTF8) if is_first else data).split(b"\n")
            is_first = False
            if len(rest) > _LONGEST:
                raise Refusal(413, f"A line is too long: expected at most {_LONGEST} bytes.")
            if not more:
                lines.append(rest)
            full = [line for line in lines if line.strip()]
            # Of short lines a block of bytes holds more than are answered at a time.
            for start in range(0, len(full), MAX_SHOTS):
                yield full[start : start + MAX_SHOTS]


class _Arriving:
    """The parts of a body as they come in."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._next: asyncio.Task[Any] | None = None

    async def __aenter__(self) -> "_Arriving":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._next is not None:
            self._next.cancel()

    async def take(self, rest: bytes) -> tuple[bytes, bool]:
        """What is there of a block behind the `rest` of the one before, and whether more comes.

        It is at least a part with the end of a line, unless that is too long.
        """
        parts, size, has_line, until = [rest], len(rest), False, 0.0
        clock = asyncio.get_running_loop().time
        while True:
            message = await self._message()
            check_there(message)
            chunk = message.get("body", b"")
            parts.append(chunk)
            size += len(chunk)
            if len(parts) > _MAX_PARTS:
                parts = [b"".join(parts)]
            if not message.get("more_body", False):
                return b"".join(parts), False
            if not has_line and b"\n" in chunk:
                has_line, until = True, clock() + GATHER_S
            is_enough = size >= BLOCK_BYTES or clock() >= until if has_line else size > _LONGEST
            if is_enough or (has_line and not await self._comes_soon()):
                return b"".join(parts), True

    async def _message(self) -> Any:
        if self._next is None:
            return await self._receive()
        coming, self._next = self._next, None
        return await coming

    async def _comes_soon(self) -> bool:
        self._next = asyncio.ensure_future(self._receive())
        # `wait` cancels nothing when time is over: the part that comes later is the next call's.
        await asyncio.wait({self._next}, timeout=GAP_S)
        return self._next.done()


def answer(predictor: Predictor, lines: list[bytes], first: int) -> tuple[bytes, Answer]:
    """The answer to a block, and what it says; raises Refusal, which names the line.

    `first` is the number of lines before the block.
    """
    # The second way takes what is unusual, and names the line of what is wrong.
    rows = fast_path.of_lines(lines) or Rows.of(parse_lines(lines, first))
    answered = predictor.answer_rows(rows)
    values = (answered.p_made.tolist(), answered.expected_points.tolist(), answered.zone.tolist())
    return _ENCODER.encode_lines(map(_Line, *values)), answered


def fault(refusal: Refusal) -> bytes:
    """The last line of an answer that ends early."""
    return msgspec.json.encode({"error": refusal.sentence}) + b"\n"
