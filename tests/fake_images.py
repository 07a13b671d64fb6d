"""An image registry in memory, for what a real one cannot be made to do; and an image to push."""

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from parivision.packaging.oci.registry import OCI_MANIFEST, digest_of

URL = "http://images.example:5000"
USER, PASSWORD = "pusher", "hush"
TOKEN = "token-of-the-day"  # noqa: S105 - nobody's


@dataclass
class FakeImages:
    """Answers as a registry does: `transport` is what a client is given.

    `login` is empty, basic or bearer; `mounts` says whether it can link blobs between repositories.
    """

    login: str = ""
    mounts: bool = True
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        """The way to it."""
        return httpx.MockTransport(self.answer)

    def add_image(
        self, repository: str, tag: str, layers: list[bytes], kind: str = OCI_MANIFEST
    ) -> str:
        """Hold an image; returns its digest."""
        config = {
            "architecture": "amd64",
            "config": {"Env": ["A=b"], "Entrypoint": ["serve"]},
            "created": "2026-01-01T00:00:00Z",
            "history": [{"created_by": "base"} for _ in layers],
            "rootfs": {"type": "layers", "diff_ids": [digest_of(b"plain" + b) for b in layers]},
        }
        described = [self.add_blob(repository, layer) for layer in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": self.add_blob(repository, json.dumps(config).encode()),
            "layers": described,
        }
        return self.add_manifest(repository, tag, kind, manifest)

    def add_blob(self, repository: str, content: bytes) -> dict[str, Any]:
        """Hold a blob; returns how a manifest names it."""
        digest = digest_of(content)
        self.blobs[repository, digest] = content
        return {"mediaType": "x", "digest": digest, "size": len(content)}

    def add_manifest(self, repository: str, tag: str, kind: str, content: dict[str, Any]) -> str:
        """Hold a manifest or an index under a tag; returns its digest."""
        body = json.dumps(content).encode()
        self._keep(repository, tag, kind, body)
        return digest_of(body)

    def json(self, repository: str, digest: str) -> dict[str, Any]:
        """A manifest or blob as it was sent."""
        if (repository, digest) in self.manifests:
            return dict(json.loads(self.manifests[repository, digest][1]))
        return dict(json.loads(self.blobs[repository, digest]))

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the distribution specification says."""
        self.asked.append(f"{request.method} {request.url.path}")
        if request.url.path == "/token":
            return self._token(request)
        if not self._may(request):
            return self._challenge(request)
        _, _, repository, what, *rest = request.url.path.split("/")
        if what == "manifests":
            return self._manifest(request, repository, rest[0])
        if rest[0] == "uploads":
            return self._upload(request, repository)
        blob = self.blobs.get((repository, rest[0]))
        return httpx.Response(404) if blob is None else httpx.Response(200, content=blob)

    def _may(self, request: httpx.Request) -> bool:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        wanted = {"": None, "basic": f"Basic {pair}", "bearer": f"Bearer {TOKEN}"}[self.login]
        return wanted in (None, request.headers.get("Authorization"))

    def _challenge(self, request: httpx.Request) -> httpx.Response:
        asked = 'Basic realm="images"'
        if self.login == "bearer":
            scope = "repository:shots:pull,push"
            asked = f'Bearer realm="{URL}/token",service="images",scope="{scope}"'
        return httpx.Response(401, headers={"WWW-Authenticate": asked})

    def _token(self, request: httpx.Request) -> httpx.Response:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {pair}":
            return httpx.Response(401)
        assert dict(request.url.params) == {
            "service": "images",
            "scope": "repository:shots:pull,push",
        }
        return httpx.Response(200, json={"token": TOKEN})

    def _manifest(self, request: httpx.Request, repository: str, name: str) -> httpx.Response:
        if request.method == "PUT":
            kind = request.headers["Content-Type"]
            self._keep(repository, name, kind, request.read())
            return httpx.Response(201)
        kind, body = self.manifests.get((repository, name), ("", b""))
        if not body:
            return httpx.Response(404)
        return httpx.Response(200, content=body, headers={"Content-Type": kind})

    def _keep(self, repository: str, name: str, kind: str, body: bytes) -> None:
        self.manifests[repository, name] = self.manifests[repository, digest_of(body)] = (
            kind,
            body,
        )

    def _upload(self, request: httpx.Request, repository: str) -> httpx.Response:
        words = request.url.params
        if request.method == "POST":
            source = (words.get("from", ""), words.get("mount", ""))
            if self.mounts and source in self.blobs:
                self.blobs[repository, source[1]] = self.blobs[source]
                return httpx.Response(201)
            there = f"/v2/{repository}/blobs/uploads/session?state=kept"
            return httpx.Response(202, headers={"Location": there})
        assert words["state"] == "kept"
        body = request.read()
        assert len(body) == int(request.headers["Content-Length"])
        assert "Transfer-Encoding" not in request.headers
        if digest_of(body) != words["digest"]:
            error = {"errors": [{"message": "provided digest did not match uploaded content"}]}
            return httpx.Response(400, json=error)
        self.blobs[repository, words["digest"]] = body
        return httpx.Response(201)
