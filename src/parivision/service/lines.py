"""Millions of shots on one connection: a line of JSON each in, a line of JSON each out.

Lines are answered in blocks while the others still come, and no more is read than is answered, so
neither side needs memory for more than some thousands of them.
"""

from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from parivision.service import quick
from parivision.service.predictor import Answer, Predictor
from parivision.service.requests import Refusal, parse_lines
from parivision.service.shot import MAX_SHOTS, Rows

CONTENT_TYPE: Final = b"application/x-ndjson"
BLOCK_BYTES: Final = 2**21
"""As many bytes make a block."""
_LONGEST: Final = 64 * 2**10
_ENCODER: Final = msgspec.json.Encoder()

Receive = Callable[[], Awaitable[Any]]


class _Line(msgspec.Struct, gc=False):
    """The answer to a line."""

    p_made: float
    expected_points: float
    zone_code: int


async def blocks(receive: Receive) -> AsyncIterator[list[bytes]]:
    """The lines of a body, empty ones left out, some thousands at a time.

    Ends early, without what is not complete, when the client goes away.
    """
    rest, parts, size, more, is_first = b"", [], 0, True, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        parts.append(chunk)
        size += len(chunk)
        if size < BLOCK_BYTES and more:
            continue
        held = rest + b"".join(parts)
        *lines, rest = (held.removeprefix(BOM_UTF8) if is_first else held).split(b"\n")
        parts, size, is_first = [], 0, False
        if len(rest) > _LONGEST:
            raise Refusal(413, f"A line is too long: expected at most {_LONGEST} bytes.")
        if not more:
            lines.append(rest)
        full = [line for line in lines if line.strip()]
        for start in range(0, len(full), MAX_SHOTS):
            yield full[start : start + MAX_SHOTS]


def answer(predictor: Predictor, lines: list[bytes], first: int) -> tuple[bytes, Answer]:
    """The answer to a block, and what it says; raises Refusal, which names the line.

    `first` is the number of lines before the block.
    """
    rows = quick.of_lines(lines) or Rows.of(parse_lines(lines, first))
    said = predictor.answer_rows(rows)
    values = (said.p_made.tolist(), said.expected_points.tolist(), said.zone.tolist())
    return _ENCODER.encode_lines(map(_Line, *values)), said


def fault(refusal: Refusal) -> bytes:
    """The last line of an answer that ends early."""
    return msgspec.json.encode({"error": refusal.sentence}) + b"\n"
