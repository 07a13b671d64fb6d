"""What is read of ASGI's messages, and how answers are sent as such."""

import hmac
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NamedTuple

from parivision.serving import answers
from parivision.serving.requests import MAX_BODY_BYTES, Refusal

JSON: Final = "application/json"
NO_CONTENT: Final = 204
DRAINED_BYTES: Final = 8 * MAX_BODY_BYTES
"""How much of a body that is too large is read, so that the client gets to see the refusal."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


def given_up(refusal: Refusal) -> Message:
    """What a server says when the rest of a body will not come, and what is to be answered."""
    return {"type": "http.disconnect", "refusal": refusal}


def check_there(message: Message) -> None:
    """Raises what a message says instead of a part of the body: Refusal or ClientGoneError."""
    if message["type"] == "http.disconnect":
        raise message.get("refusal") or ClientGoneError


class Response(NamedTuple):
    """What is answered."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def bears(scope: Scope, token: str) -> bool:
    """Whether a request bears the token, if there is one."""
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    # In constant time, so that how long a refusal takes tells nothing about the token.
    return not token or hmac.compare_digest(given, b"Bearer " + token.encode())


def declared_size(scope: Scope) -> float:
    """How long the body is said to be; one that comes in chunks may be of any length."""
    size: float = 0
    for name, value in scope["headers"]:
        # It overrides Content-Length where both are there (RFC 9112, 6.3).
        if name == b"transfer-encoding":
            return math.inf
        if name == b"content-length" and value.isdigit():
            size = int(value)
    return size


def check_headers(scope: Scope) -> None:
    """Raises Refusal (415) for a body that is no plain JSON."""
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        came = kind.decode("latin-1")[:40]
        raise Refusal(415, f"Content-Type: expected application/json; got {came!r}.")
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding != b"identity":
        came = coding.decode("latin-1")[:40]
        raise Refusal(415, f"Content-Encoding: expected none; got {came!r}. Send plain JSON.")


async def read(receive: Receive) -> bytes:
    """The body; raises Refusal (413) when it is too large, without keeping it."""
    body = bytearray()  # a list of parts would be many times as large where they are tiny
    size, more = 0, True
    while more and size <= DRAINED_BYTES:
        message = await receive()
        check_there(message)
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            body += chunk
    if size > MAX_BODY_BYTES:
        raise too_large()
    return bytes(body)


def too_large() -> Refusal:
    """What is said of a body that is longer than it may be."""
    limit = f"{MAX_BODY_BYTES // 2**20} MiB"
    return Refusal(413, f"The body is too large: expected at most {limit}. Send fewer shots.")


def refused(refusal: Refusal, *headers: tuple[bytes, bytes]) -> Response:
    """A refusal as an answer."""
    return Response(refusal.status, answers.of_refusal(refusal), headers=headers)


async def send_whole(
    response: Response, send: Send, more: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """Send an answer and its length, with `more` headers than it has itself."""
    headers = [*response.headers, *more]
    if response.status != NO_CONTENT:  # which must not say how long it is
        headers.append((b"content-type", response.content_type.encode()))
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
