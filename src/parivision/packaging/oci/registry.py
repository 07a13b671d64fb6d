"""A client of an image registry: the part of the OCI distribution specification that a push needs.

Blobs first, then the manifest that names them: a registry refuses one whose blobs it does not hold.
See https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push.

Logs in as the registry asks for it, with a password or a token. Proxies are not asked.
"""

import base64
import hashlib
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx

from parivision.errors import ServiceError
from parivision.settings.retry import NEVER, Retry, TransientError, asks_again, is_transient

TIMEOUT_S: Final = 30.0
CONNECT_S: Final = 5.0
OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ACCEPTED: Final = ", ".join((OCI_MANIFEST, DOCKER_MANIFEST, *INDEXES))
_BUSY: Final = (429, 502, 503, 504)
_CHUNK_BYTES: Final = 2**20
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')


def may_pass(error: BaseException) -> bool:
    """Whether an error is that the registry was away, broke off, or had too much to do."""
    broken = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
    return is_transient(error) or isinstance(error.__cause__, broken)


@dataclass(frozen=True)
class ImageManifest:
    """A manifest or an index, as the registry has it; `digest` is that of its bytes."""

    media_type: str
    digest: str
    content: Mapping[str, Any]


class ImageRegistry:
    """A registry at `url`, such as http://localhost:30500; use it as a context manager."""

    def __init__(
        self,
        url: str,
        username: str = "",
        password: str = "",
        transport: httpx.BaseTransport | None = None,
        retry: Retry = NEVER,
    ) -> None:
        self.url = url.rstrip("/")
        self.retry = retry
        self._username = username
        self._client = httpx.Client(
            base_url=f"{self.url}/v2/",
            auth=_Login(self.url, username, password),
            timeout=httpx.Timeout(TIMEOUT_S, connect=CONNECT_S),
            transport=transport or httpx.HTTPTransport(),
            trust_env=False,
            follow_redirects=True,
        )

    def __enter__(self) -> "ImageRegistry":
        """The registry itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self._client.close()

    @asks_again(may_pass)
    def manifest(self, repository: str, reference: str) -> ImageManifest | None:
        """The manifest under a tag or digest, or None where there is none."""
        path = f"{repository}/manifests/{reference}"
        response = self._ask("GET", path, 200, 404, headers={"Accept": _ACCEPTED})
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        content = self._object(response)
        # An OCI manifest need not name its own type.
        kind = content.get("mediaType") or response.headers.get("Content-Type", "").split(";")[0]
        return ImageManifest(kind, digest_of(response.content), content)

    @asks_again(may_pass)
    def has_manifest(self, repository: str, digest: str) -> bool:
        """Whether the repository holds a manifest."""
        path = f"{repository}/manifests/{digest}"
        response = self._ask("HEAD", path, 200, 404, headers={"Accept": _ACCEPTED})
        return response.is_success

    @asks_again(may_pass)
    def document(self, repository: str, digest: str) -> dict[str, Any]:
        """A blob that is a JSON object, proven to be the one that was asked for."""
        response = self._ask("GET", f"{repository}/blobs/{digest}", 200)
        if digest_of(response.content) != digest:
            raise ServiceError(f"{response.url} is damaged: what came is not {digest}")
        return self._object(response)

    @asks_again(may_pass)
    def mount(self, repository: str, digest: str, size: int, source: str) -> None:
        """Let `repository` hold a blob that `source`, another repository here, holds."""
        if self._has_blob(repository, digest):
            return
        path = f"{repository}/blobs/uploads/"
        wanted = {"mount": digest, "from": source}
        response = self._ask("POST", path, 201, 202, params=wanted)
        if response.status_code == httpx.codes.ACCEPTED:  # it cannot, and expects the blob
            with tempfile.TemporaryFile() as copy:
                self._fetch(source, digest, copy)
                self._finish(response, digest, size, copy)

    @asks_again(may_pass)
    def upload(self, repository: str, digest: str, path: Path) -> None:
        """Send a blob, unless the repository holds it."""
        if not self._has_blob(repository, digest):
            started = self._ask("POST", f"{repository}/blobs/uploads/", 202)
            with path.open("rb") as blob:
                self._finish(started, digest, path.stat().st_size, blob)

    @asks_again(may_pass)
    def put_manifest(self, repository: str, tag: str, media_type: str, content: bytes) -> None:
        """Send a manifest, whose blobs the repository holds, under a tag."""
        path = f"{repository}/manifests/{tag}"
        self._ask("PUT", path, 201, content=content, headers={"Content-Type": media_type})

    def _has_blob(self, repository: str, digest: str) -> bool:
        return self._ask("HEAD", f"{repository}/blobs/{digest}", 200, 404).is_success

    def _fetch(self, repository: str, digest: str, into: IO[bytes]) -> None:
        path = f"{repository}/blobs/{digest}"
        with self._answering(), self._client.stream("GET", path) as response:
            if not response.is_success:
                response.read()
                raise self._refusal(response)
            for chunk in response.iter_bytes(_CHUNK_BYTES):
                into.write(chunk)

    def _finish(self, started: httpx.Response, digest: str, size: int, blob: IO[bytes]) -> None:
        """Send the bytes to where the registry said, which may be a relative address."""
        location = started.url.join(started.headers.get("Location", ""))
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        # The registry's own parameters stay: they say which upload it is.
        address = str(location.copy_merge_params({"digest": digest}))
        self._ask("PUT", address, 201, content=_Rewound(blob), headers=headers)

    def _ask(self, method: str, path: str, *expected: int, **content: Any) -> httpx.Response:
        with self._answering():
            response = self._client.request(method, path, **content)
        if response.status_code not in expected:
            cause = TransientError("busy") if response.status_code in _BUSY else None
            raise self._refusal(response) from cause
        return response

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise ServiceError(
                f"no answer from the image registry at {self.url} ({error}): is it running, and "
                "is PARIVISION_IMAGES_PUSH its address?"
            ) from error

    def _refusal(self, response: httpx.Response) -> ServiceError:
        request = f"{response.request.method} {response.url.copy_with(query=None)}"
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            who = f"the user {self._username!r}" if self._username else "a request without a user"
            return ServiceError(
                f"the image registry refuses {who} ({response.status_code} to {request}): check "
                "PARIVISION_IMAGES_USERNAME and PARIVISION_IMAGES_PASSWORD"
            )
        message = _sentence(response)
        return ServiceError(
            f"the image registry answered {response.status_code} to {request}: {message}"
        )

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        try:
            content = response.json()
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise ServiceError(f"{response.url} is no JSON object: is this an image registry?")
        return content


class _Login(httpx.Auth):
    """Answers the registry's challenge, and keeps the answer for the requests that follow."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self._home = httpx.URL(url).netloc
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._basic = f"Basic {pair}" if username else ""
        self._answer = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request, and once more with what the registry asked for."""
        if request.url.netloc != self._home:  # a store of blobs that the registry pointed to
            yield request
            return
        _authorize(request, self._answer)
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            challenge = response.headers.get("WWW-Authenticate", "")
            self._answer = self._basic
            if challenge.lower().startswith("bearer"):
                self._answer = _bearer((yield self._token_request(challenge)))
            _authorize(request, self._answer)
            yield request

    def _token_request(self, challenge: str) -> httpx.Request:
        parameters = dict(_PARAMETER.findall(challenge))
        request = httpx.Request("GET", parameters.pop("realm", ""), params=parameters)
        _authorize(request, self._basic)
        return request


def _authorize(request: httpx.Request, answer: str) -> None:
    if answer:
        request.headers["Authorization"] = answer


def _bearer(response: httpx.Response) -> str:
    """The token as a header; empty when there is none, so that the registry's refusal is said."""
    response.read()
    try:
        content = response.json()
        # Registries give `token`, `access_token` (OAuth 2.0), or both.
        return f"Bearer {content.get('token') or content['access_token']}"
    except (ValueError, LookupError, AttributeError):
        return ""


class _Rewound:
    """A file's bytes, from the start each time: a challenge makes a request be sent again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK_BYTES):
            yield chunk


def digest_of(content: bytes) -> str:
    """The name of a blob or manifest."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _sentence(response: httpx.Response) -> str:
    """What the registry says is wrong."""
    try:
        return "; ".join(str(error["message"]) for error in response.json()["errors"])
    except (ValueError, LookupError, TypeError):
        return response.text[:200]
