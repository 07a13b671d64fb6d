"""What a request's head must be, beyond what llhttp checks: RFC 9110 and 9112, and bounds.

llhttp, which httptools brings, is strict about the grammar: line ends, names, values, lengths and
chunks. It knows no rule that needs two fields at once, no Host, and no bound.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple

from parivision.serving.requests import Refusal

Fields = Sequence[tuple[bytes, bytes]]

MAX_HEAD: Final = 24 * 2**10
"""Bytes of a head: request line and all fields. Servers allow 8 to 64 KiB; here 4,096 connections,
each with a head that does not end, must fit into a pod."""
MAX_FIELDS: Final = 100
"""As many fields as Envoy lets through."""
# RFC 9112 (3) recommends to take request lines of 8,000 octets at least.
MAX_TARGET: Final = 8 * 2**10
MAX_NAME: Final = 256
_LINE_BYTES: Final = 4
"""What a field has beside name and value: a colon, a space, and the end of its line."""
_MAX_PORT: Final = 65535
_CONTINUE: Final = b"100-continue"

# A comma is allowed by RFC 3986 and left out here: it is what joins two fields into one.
_AUTHORITY: Final = re.compile(
    rb"(?P<host>\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(:(?P<port>\d*))?"
)
_TARGET: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\[\]-]|%[0-9A-Fa-f]{2})+")
_ABSOLUTE: Final = re.compile(rb"https?://(?P<authority>[^/?]+)(?P<rest>.*)", re.IGNORECASE)


class RequestHead(NamedTuple):
    """What the rest of the way needs of a head that is in order.

    `path` and `query` are as they came, `host` is in lower case and without its port, empty where
    HTTP/1.0 named none. `is_chunked` and `length` say how long the body is.
    """

    path: bytes
    query: bytes
    host: bytes
    length: int
    is_chunked: bool
    waits: bool
    """Whether the client waits for a 100 before it sends the body."""


def read(method: bytes, version: str, target: bytes, fields: Fields) -> RequestHead:
    """A head that is complete, with its names in lower case.

    Raises Refusal: 400, 414, 417, 431, 501 or 505, after each of which the connection must close.
    """
    if version not in ("1.0", "1.1"):
        raise Refusal(505, f"This service speaks HTTP/1.1; got HTTP/{version}.")
    check_size(target, fields)
    if method == b"CONNECT":
        raise Refusal(501, "This service is no proxy: CONNECT is not answered. Send GET or POST.")
    host = _host_of(_values(fields, b"host"), is_needed=version == "1.1")
    rest, authority = _target(method, target)
    path, _, query = rest.partition(b"?")
    coding = _values(fields, b"transfer-encoding")
    _check_coding(coding, version)
    length = _values(fields, b"content-length")
    # HTTP/1.0 knows no 100: there the expectation is ignored (RFC 9110, 10.1.1).
    waits = _expects(_values(fields, b"expect")) and version == "1.1"
    # An absolute target overrides Host (RFC 9112, 3.2.2).
    named = bare(authority) if authority else host
    return RequestHead(path, query, named, int(length[0]) if length else 0, bool(coding), waits)


def check_begun(size: int, target: bytes, fields: Fields, *, is_oldest: bool) -> None:
    """Raises Refusal (414, 431 or 505) for a head of which so many bytes came, and no end yet."""
    check_size(target, fields)
    if size > MAX_HEAD:
        raise _too_large()
    if is_oldest:
        raise Refusal(505, "This service speaks HTTP/1.1; got HTTP/0.9.")


def check_size(target: bytes, fields: Fields) -> None:
    """Raises Refusal (414 or 431) for more than a head may hold; it need not be complete."""
    if len(target) > MAX_TARGET:
        raise Refusal(414, f"The request target is too long: expected at most {MAX_TARGET} bytes.")
    if len(fields) > MAX_FIELDS:
        raise Refusal(431, f"The head has too many fields: expected at most {MAX_FIELDS}.")
    size = len(target)
    for name, value in fields:
        if len(name) > MAX_NAME:
            raise Refusal(431, f"A field's name is too long: expected at most {MAX_NAME} bytes.")
        size += len(name) + len(value) + _LINE_BYTES
    if size > MAX_HEAD:
        raise _too_large()


# A client sends the same Host again and again; bounded, because it may also make some up.
@lru_cache(256)
def is_authority(text: bytes) -> bool:
    """Whether it is `host` or `host:port`, as Host and an absolute target have it."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or int(match["port"] or 0) > _MAX_PORT:
        return False
    if not match["host"].startswith(b"["):
        return True
    try:
        IPv6Address(match["host"][1:-1].decode())
    except AddressValueError:
        return False
    return True


def bare(authority: bytes) -> bytes:
    """The host of `host:port`, in lower case."""
    match = _AUTHORITY.fullmatch(authority)
    return match["host"].lower() if match else b""


def _values(fields: Fields, name: bytes) -> list[bytes]:
    return [value.strip() for each, value in fields if each == name]


def _host_of(hosts: list[bytes], *, is_needed: bool) -> bytes:
    """The one host, without its port (RFC 9112, 3.2)."""
    if len(hosts) > 1 or (is_needed and not hosts):
        came = "two" if hosts else "none"
        raise Refusal(400, f"Host: expected one such field; got {came}.")
    if hosts and not is_authority(hosts[0]):
        raise Refusal(400, f"Host: expected host or host:port; got {_shown(hosts[0])}.")
    return bare(hosts[0]) if hosts else b""


def _target(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Path with query, and the authority if the target names one (RFC 9112, 3.2)."""
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    authority, rest = b"", target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is not None:
        authority, rest = absolute["authority"], absolute["rest"]
        rest = rest if rest.startswith(b"/") else b"/" + rest
        if not is_authority(authority):
            raise Refusal(400, f"The target's host is none: got {_shown(authority)}.")
    if not rest.startswith(b"/") or not _TARGET.fullmatch(rest):
        raise Refusal(400, f"The request target is none: expected /path; got {_shown(target)}.")
    return rest, authority


def _check_coding(codings: list[bytes], version: str) -> None:
    """One coding is known, and HTTP/1.0 knows none (RFC 9112, 6.1)."""
    if not codings:
        return
    if version == "1.0":
        raise Refusal(400, "HTTP/1.0 has no Transfer-Encoding: send a Content-Length.")
    if len(codings) > 1 or codings[0].lower() != b"chunked":
        came = _shown(b", ".join(codings))
        raise Refusal(501, f"Transfer-Encoding: expected chunked; got {came}.")


def _expects(expectations: list[bytes]) -> bool:
    """Whether the client waits for a 100; raises Refusal (417) if it expects something else."""
    for each in expectations:
        if each.lower() != _CONTINUE:
            raise Refusal(417, f"Expect: expected 100-continue; got {_shown(each)}.")
    return bool(expectations)


def _too_large() -> Refusal:
    return Refusal(431, f"The head is too large: expected at most {MAX_HEAD} bytes.")


def _shown(text: bytes) -> str:
    """What came, short enough to be repeated."""
    return repr(text[:40].decode("latin-1"))
