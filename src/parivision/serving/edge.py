"""Who may ask: browsers' pages by their origin (CORS), and hosts by their name. Both are off.

A page of another origin may read answers only if its origin is listed; the service itself answers
all the same. A host that is not listed gets 421, but for health and metrics, which Kubernetes and
Prometheus ask for by a pod's address.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from parivision.serving import trace
from parivision.serving.request_head import bare

Headers = tuple[tuple[bytes, bytes], ...]

HEALTH: Final = frozenset({"/livez", "/readyz", "/healthz"})
"""Answered by BentoML's own application."""
BY_ADDRESS: Final = HEALTH | {"/metrics", "/v2/health/live", "/v2/health/ready"}
ANY: Final = b"*"

_REQUEST_HEADERS: Final = b"authorization, content-type, traceparent, x-request-id"
# Fields that a page's script may read; without this it gets a few standard ones (Fetch standard).
_EXPOSED: Final = b"retry-after, traceparent, x-request-id"
_MAX_AGE_S: Final = b"600"
_VARY: Final = (b"vary", b"origin")


@dataclass(frozen=True)
class Edge:
    """Which origins and hosts are listed; none means that nothing is done about them."""

    origins: frozenset[bytes] = frozenset()
    hosts: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, origins: Iterable[str], hosts: Iterable[str]) -> "Edge":
        """From what the settings say, in lower case."""
        return cls(*(frozenset(map(str.encode, texts)) for texts in (origins, hosts)))

    def admits(self, host: bytes) -> bool:
        """Whether a host (`host` or `host:port`) may be asked for."""
        if not self.hosts or ANY in self.hosts:
            return True
        name = bare(host).rstrip(b".")
        if name in self.hosts:
            return True
        # `*.b.example` holds for any depth below b.example, and not for b.example itself.
        parents = (name[index:] for index, letter in enumerate(name) if letter == ord("."))
        return any(b"*" + parent in self.hosts for parent in parents)

    def headers(self, request: Iterable[tuple[bytes, bytes]]) -> Headers:
        """What every answer to a request says beside its content."""
        request = list(request)
        return (*trace.of(request).headers, *self._for_origin(request))

    def preflight(
        self, request: Iterable[tuple[bytes, bytes]], methods: Collection[str]
    ) -> Headers:
        """What a browser is told that asks what it may send, and others that ask for methods."""
        request, allowed = list(request), allow(methods)
        headers: Headers = ((b"allow", allowed),)
        # By this field a browser's preflight is told from another OPTIONS (Fetch standard).
        if self._allowed(request) and any(
            name == b"access-control-request-method" for name, _ in request
        ):
            headers += (
                (b"access-control-allow-methods", allowed),
                (b"access-control-allow-headers", _REQUEST_HEADERS),
                (b"access-control-max-age", _MAX_AGE_S),
            )
        return headers

    def _for_origin(self, request: list[tuple[bytes, bytes]]) -> Headers:
        if not self.origins:
            return ()
        origin = self._allowed(request)
        if not origin:
            # Another origin would get more headers: a cache must not give it this answer.
            return (_VARY,)
        named = (b"access-control-allow-origin", origin)
        return (named, (b"access-control-expose-headers", _EXPOSED), _VARY)

    def _allowed(self, request: list[tuple[bytes, bytes]]) -> bytes:
        """The origin that is named to the browser; empty if the request's is not listed."""
        requested = next((value for name, value in request if name == b"origin"), b"")
        if not requested:
            return b""
        if ANY in self.origins:
            return ANY
        return requested if requested.lower() in self.origins else b""


OPEN: Final = Edge()


def allow(methods: Collection[str]) -> bytes:
    """The value of `Allow` for a path with these methods."""
    head = ["HEAD"] if "GET" in methods else []
    return ", ".join([*methods, *head, "OPTIONS"]).encode()
