"""The names that others gave a request: X-Request-Id, and the trace of the W3C's Trace Context.

Both are taken over where they are well formed, answered, and kept with what is predicted. What is
not well formed is as if it had not come: it must not end up in answers and logs.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

REQUEST_ID: Final = b"x-request-id"
TRACEPARENT: Final = b"traceparent"
NAMES: Final = frozenset({REQUEST_ID, TRACEPARENT})

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=@~-]{1,128}")
# Version ff is not allowed, nor ids of zeros; later versions may have more behind the flags.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)(00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"|(?!00)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,64})?)"
)


class Trace(NamedTuple):
    """What a request is called; empty for what it has no name of."""

    request_id: str = ""
    traceparent: str = ""

    def fields(self) -> dict[str, str]:
        """What is logged of it."""
        return {name: value for name, value in self._asdict().items() if value}

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """What is answered of it."""
        pairs = ((REQUEST_ID, self.request_id), (TRACEPARENT, self.traceparent))
        return tuple((name, value.encode()) for name, value in pairs if value)


NO_TRACE: Final = Trace()


def of(headers: Iterable[tuple[bytes, bytes]]) -> Trace:
    """The trace of a request's headers, whose names are in lower case."""
    named = [(name, value) for name, value in headers if name in NAMES]
    if not named:
        return NO_TRACE
    return Trace(_only(named, REQUEST_ID, _REQUEST_ID), _only(named, TRACEPARENT, _TRACEPARENT))


def _only(headers: list[tuple[bytes, bytes]], name: bytes, form: re.Pattern[bytes]) -> str:
    """A header's value, if it is well formed and alone."""
    values = [value for each, value in headers if each == name]
    return values[0].decode() if len(values) == 1 and form.fullmatch(values[0]) else ""
