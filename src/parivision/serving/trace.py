"""The identifiers that a request brings: X-Request-Id, and `traceparent` of W3C Trace Context.

A `traceparent` is VERSION-TRACE_ID-PARENT_ID-FLAGS in hexadecimal (https://www.w3.org/TR/trace-context/,
section 3.2). The service makes no spans of its own, so it hands the value back as it came.

Both are returned and logged with the prediction where they are well formed. What is not well formed
is ignored: it must not end up in answers and logs.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

REQUEST_ID: Final = b"x-request-id"
TRACEPARENT: Final = b"traceparent"
NAMES: Final = frozenset({REQUEST_ID, TRACEPARENT})

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@~-]{1,128}")
_TRACEPARENT: Final = re.compile(
    rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-[!-~]{0,64})?"
)
# Version ff is invalid by the standard; only later versions than 00 may append more fields.
_NO_VERSION: Final = b"ff"
_FIRST_VERSION: Final = b"00"
_NO_IDS: Final = (b"0" * 32, b"0" * 16)


class Trace(NamedTuple):
    """A request's identifiers: as fields of the log, and as headers of the response."""

    fields: Mapping[str, str]
    headers: tuple[tuple[bytes, bytes], ...]


NO_TRACE: Final = Trace(MappingProxyType({}), ())


def of(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """The trace of a request's headers, whose names are in lower case; of two neither holds."""
    named = [(name, value) for name, value in headers if name in NAMES]
    if not named:
        return NO_TRACE
    once = dict(named)
    if len(once) < len(named):
        names = [name for name, _ in named]
        once = {name: value for name, value in named if names.count(name) == 1}
    return of_fields(once)


def of_fields(fields: Mapping[bytes, bytes]) -> Trace:
    """The trace of a request none of whose fields came twice."""
    named: dict[str, str] = {}
    headers: tuple[tuple[bytes, bytes], ...] = ()
    request_id, parent = fields.get(REQUEST_ID), fields.get(TRACEPARENT)
    if request_id is not None and _REQUEST_ID.fullmatch(request_id):
        named["request_id"] = request_id.decode()
        headers = ((REQUEST_ID, request_id),)
    if parent is not None and _is_parent(parent):
        named["traceparent"] = parent.decode()
        headers += ((TRACEPARENT, parent),)
    return Trace(named, headers)


def _is_parent(value: bytes) -> bool:
    """Whether it is a traceparent: no id of zeros, and more behind the flags only later."""
    match = _TRACEPARENT.fullmatch(value)
    if match is None:
        return False
    version, trace_id, parent_id, more = match.groups()
    if trace_id == _NO_IDS[0] or parent_id == _NO_IDS[1] or version == _NO_VERSION:
        return False
    return more is None or version != _FIRST_VERSION
