"""Who may ask: browsers' pages by their origin (CORS), and hosts by their name. Both are off.

A page of another origin may read answers only if its origin is listed; the service itself answers
all the same. A host that is not listed gets 421, but for health and metrics, which Kubernetes and
Prometheus ask for by a pod's address.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from parivision.errors import SettingsError
from parivision.service import trace
from parivision.service.heads import bare

Headers = tuple[tuple[bytes, bytes], ...]

HEALTH: Final = frozenset({"/livez", "/readyz", "/healthz"})
"""Answered by BentoML's own application."""
BY_ADDRESS: Final = HEALTH | {"/metrics", "/v2/health/live", "/v2/health/ready"}
ANY: Final = "*"

_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?")
_HOST: Final = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]")
_REQUEST_HEADERS: Final = b"authorization, content-type, traceparent, x-request-id"
_EXPOSED: Final = b"retry-after, traceparent, x-request-id"
_MAX_AGE_S: Final = b"600"
_VARY: Final = (b"vary", b"origin")


@dataclass(frozen=True)
class Edge:
    """Which origins and hosts are listed; none means that nothing is done about them."""

    origins: frozenset[bytes] = frozenset()
    hosts: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, origins: str, hosts: str) -> "Edge":
        """From settings: names with commas between. Raises SettingsError."""
        return cls(
            _listed(origins, _ORIGIN, "PARIVISION_CORS_ORIGINS", "https://host[:port], or *"),
            _listed(hosts, _HOST, "PARIVISION_ALLOWED_HOSTS", "host or *.domain without a port"),
        )

    def admits(self, host: bytes) -> bool:
        """Whether a host (`host` or `host:port`) may be asked for."""
        if not self.hosts or ANY.encode() in self.hosts:
            return True
        name = bare(host).rstrip(b".")
        if name in self.hosts:
            return True
        parents = (name[place:] for place, letter in enumerate(name) if letter == ord("."))
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
            return (_VARY,)
        named = (b"access-control-allow-origin", origin)
        return (named, (b"access-control-expose-headers", _EXPOSED), _VARY)

    def _allowed(self, request: list[tuple[bytes, bytes]]) -> bytes:
        """The origin that is named to the browser; empty if the request's is not listed."""
        given = next((value for name, value in request if name == b"origin"), b"")
        if not given:
            return b""
        if ANY.encode() in self.origins:
            return ANY.encode()
        return given if given.lower() in self.origins else b""


OPEN: Final = Edge()


def allow(methods: Collection[str]) -> bytes:
    """The value of `Allow` for a path with these methods."""
    head = ["HEAD"] if "GET" in methods else []
    return ", ".join([*methods, *head, "OPTIONS"]).encode()


def _listed(text: str, form: re.Pattern[str], name: str, shown: str) -> frozenset[bytes]:
    values = [each.strip().lower() for each in text.split(",") if each.strip()]
    for each in values:
        if each != ANY and not form.fullmatch(each):
            raise SettingsError(f"{name} has {each!r}: expected {shown}, with commas between")
    return frozenset(each.encode() for each in values)
