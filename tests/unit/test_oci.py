"""The champion's image: what it is made of, always the same, and what a registry refuses.

The pipeline tier pushes to a real registry, the cluster tier runs what was pushed.
"""

import gzip
import io
import os
import platform
import tarfile
import tempfile
from pathlib import Path, PurePosixPath

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fake_images import PASSWORD, URL, USER, FakeImages
from parivision.errors import ServiceError
from parivision.packaging.oci import Image, ImageRegistry, push_bento
from parivision.packaging.oci.layer import write_layer
from parivision.packaging.oci.registry import DOCKER_MANIFEST, INDEXES, digest_of
from parivision.serving.predictor import ChampionRecord

RUNTIME = [b"system", b"packages"]
PULL = "localhost:30500/shots"
CARD = "service: service:Shots\ncreation_time: '{}'\nmodels: []\n"


@pytest.fixture
def bento(tmp_path: Path) -> Path:
    """What a Bento looks like from outside."""
    folder = tmp_path / "bento"
    (folder / "src" / "bundle").mkdir(parents=True)
    ChampionRecord("shots", "7", "0123456789abcdef").write(folder / "src")
    (folder / "src" / "bundle" / "trees.model").write_bytes(os.urandom(3000))
    (folder / "bento.yaml").write_text(CARD.format("2026-11-25T23:07:08+00:00"))
    return folder


@pytest.fixture
def images() -> FakeImages:
    """A registry that holds the runtime image."""
    registry = FakeImages()
    registry.add_image("serving", "0.1.0", RUNTIME)
    return registry


def push(
    bento: Path, images: FakeImages, user: str = "", password: str = "", runtime: str = "0.1.0"
) -> Image:
    """Push a Bento to a registry in memory."""
    with ImageRegistry(URL, user, password, transport=images.transport) as registry:
        return push_bento(
            bento, registry, repository="shots", runtime=f"serving:{runtime}", pull=PULL
        )


def unpacked(layer: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The members of a layer and their content."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as archive:
        return {
            member.name: (member, (archive.extractfile(member) or io.BytesIO()).read())
            for member in archive
        }


class TestImage:
    """What is pushed."""

    def test_it_is_the_runtime_image_and_one_layer(self, bento: Path, images: FakeImages) -> None:
        """The Bento lies where the runtime looks for it; everything else is the runtime's."""
        image = push(bento, images)
        manifest = images.json("shots", image.digest)
        assert image == Image(f"{PULL}@{image.digest}", image.digest, "7-0123456789ab", is_new=True)
        assert images.manifests["shots", image.tag] == images.manifests["shots", image.digest]
        *below, top = [images.blobs["shots", layer["digest"]] for layer in manifest["layers"]]
        assert below == RUNTIME
        members = unpacked(top)
        model = "home/bentoml/bento/src/bundle/trees.model"
        assert members[model][1] == (bento / "src" / "bundle" / "trees.model").read_bytes()
        assert list(members) == sorted(members, key=lambda name: PurePosixPath(name).parts)

    def test_its_configuration_says_what_is_in_it(self, bento: Path, images: FakeImages) -> None:
        """The layers' fingerprints fit, the entry point stays, labels name version and Bento."""
        base = images.json("serving", "0.1.0")
        manifest = images.json("shots", push(bento, images).digest)
        config = images.json("shots", manifest["config"]["digest"])
        former = images.json("serving", base["config"]["digest"])
        plain = gzip.decompress(images.blobs["shots", manifest["layers"][-1]["digest"]])
        expected = [*former["rootfs"]["diff_ids"], digest_of(plain)]
        assert config["rootfs"]["diff_ids"] == expected
        assert len(config["history"]) == len(expected)
        assert config["config"]["Entrypoint"] == ["serve"]
        assert config["config"]["Labels"] == {
            "org.opencontainers.image.version": "7",
            "dev.parivision.bento-digest": "0123456789abcdef",
            "org.opencontainers.image.base.digest": digest_of(
                images.manifests["serving", "0.1.0"][1]
            ),
        }

    def test_nobody_but_its_user_owns_the_files_and_no_time_is_in_it(
        self, bento: Path, images: FakeImages
    ) -> None:
        """The service may read them all; they are nobody's secret and nobody's to change."""
        (bento / "src" / "bundle" / "trees.model").chmod(0o600)
        manifest = images.json("shots", push(bento, images).digest)
        members = unpacked(images.blobs["shots", manifest["layers"][-1]["digest"]])
        for member, _ in members.values():
            assert (member.uid, member.gid, member.uname, member.mtime) == (1000, 1000, "", 0)
            assert member.mode == (0o755 if member.isdir() else 0o644)

    def test_the_same_bento_has_the_same_digest(self, bento: Path, images: FakeImages) -> None:
        """Built again at another time, in other files: nothing is sent, not even the layer."""
        first = push(bento, images)
        (bento / "bento.yaml").write_text(CARD.format("2027-01-01T00:00:00+00:00"))
        for path in bento.rglob("*"):
            os.utime(path, (1, 1))
        images.asked.clear()
        again = push(bento, images)
        assert (again.digest, again.is_new) == (first.digest, False)
        assert not [asked for asked in images.asked if asked.startswith(("PUT", "POST"))]

    def test_another_model_is_another_image_and_sends_one_layer(
        self, bento: Path, images: FakeImages
    ) -> None:
        """What the registry holds of the runtime is not sent, nor looked for, twice."""
        first = push(bento, images)
        (bento / "src" / "bundle" / "trees.model").write_bytes(b"others")
        images.asked.clear()
        second = push(bento, images)
        assert second.digest != first.digest
        sent = [asked for asked in images.asked if asked.startswith("PUT")]
        assert len(sent) == 3, "the layer, the configuration and the manifest"

    def test_a_manifest_of_dockers_kind_stays_of_that_kind(
        self, bento: Path, images: FakeImages
    ) -> None:
        """`docker push` makes such a runtime image; a mixture is what some clients refuse."""
        images.add_image("serving", "docker", RUNTIME, DOCKER_MANIFEST)
        image = push(bento, images, runtime="docker")
        kind, _ = images.manifests["shots", image.digest]
        layer = images.json("shots", image.digest)["layers"][-1]
        assert kind == DOCKER_MANIFEST
        assert layer["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar.gzip"

    def test_of_an_index_it_takes_the_image_of_this_machine(
        self, bento: Path, images: FakeImages
    ) -> None:
        """An image for several machines is an index; attestations in it are no images."""
        mine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        entries = [
            {"digest": "sha256:0", "platform": {"architecture": "unknown"}},
            {
                "digest": images.add_image("serving", "m", RUNTIME),
                "platform": {"architecture": mine},
            },
        ]
        images.add_manifest("serving", "index", INDEXES[0], {"manifests": entries})
        assert (
            push(bento, images, runtime="index").digest == push(bento, images, runtime="m").digest
        )
        images.add_manifest("serving", "others", INDEXES[0], {"manifests": entries[:1]})
        with pytest.raises(ServiceError, match="serving:others has no variant for"):
            push(bento, images, runtime="others")

    def test_a_registry_that_cannot_link_blobs_gets_them(self, bento: Path) -> None:
        """Linking is an offer; where it is not taken up the runtime's layers are copied."""
        images = FakeImages(mounts=False)
        images.add_image("serving", "0.1.0", RUNTIME)
        manifest = images.json("shots", push(bento, images).digest)
        assert all(("shots", layer["digest"]) in images.blobs for layer in manifest["layers"])


class TestLayer:
    """The archive."""

    @given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=50)))
    def test_it_follows_from_names_and_content(self, content: dict[str, bytes]) -> None:
        """Written in any order and at any time it is the same, and it says its own fingerprint."""
        with tempfile.TemporaryDirectory() as scratch:
            layers = []
            for number, names in enumerate((sorted(content), sorted(content, reverse=True))):
                folder = Path(scratch) / f"folder{number}"
                folder.mkdir()
                for name in names:
                    (folder / name).write_bytes(content[name])
                target = Path(scratch) / f"layer{number}"
                layers.append(write_layer(folder, PurePosixPath("a/b"), target, {}))
            first, second = layers
            packed = first.path.read_bytes()
            assert packed == second.path.read_bytes()
            assert (first.digest, first.size) == (digest_of(packed), len(packed))
            assert first.diff_id == digest_of(gzip.decompress(packed))
            assert {name for name in unpacked(packed) if name != "a/b"} == {
                f"a/b/{name}" for name in content
            }


class TestLogin:
    """How a client says who it is."""

    @pytest.mark.parametrize("login", ["basic", "bearer"])
    def test_a_challenge_is_answered_once(self, bento: Path, login: str) -> None:
        """With a password or with a token that the password gets; then it is known."""
        images = FakeImages(login=login)
        images.add_image("serving", "0.1.0", RUNTIME)
        assert push(bento, images, USER, PASSWORD).is_new
        assert images.asked.count("GET /v2/serving/manifests/0.1.0") == 2
        assert images.asked.count("GET /token") == (1 if login == "bearer" else 0)

    @pytest.mark.parametrize("login", ["basic", "bearer"])
    @pytest.mark.parametrize(
        ("user", "says"), [(USER, "the user 'pusher'"), ("", "a request without a user")]
    )
    def test_a_refusal_names_the_user_and_the_settings(
        self, bento: Path, login: str, user: str, says: str
    ) -> None:
        """A wrong password is a sentence with what to check, and without the password."""
        images = FakeImages(login=login)
        with pytest.raises(ServiceError, match=rf"refuses {says} \(401.*PARIVISION_IMAGES_") as no:
            push(bento, images, user, "wrong-one")
        assert "wrong-one" not in str(no.value)

    def test_the_password_goes_nowhere_else(self) -> None:
        """A registry may keep blobs in a store of another host: that gets no password."""
        seen = {}

        def answer(request: httpx.Request) -> httpx.Response:
            seen[request.url.host] = request.headers.get("Authorization", "")
            if request.url.host == "store.example":
                return httpx.Response(200, content=b"{}")
            if not seen[request.url.host]:
                return httpx.Response(401, headers={"WWW-Authenticate": "Basic"})
            return httpx.Response(307, headers={"Location": "http://store.example/blob"})

        transport = httpx.MockTransport(answer)
        with ImageRegistry(URL, USER, PASSWORD, transport=transport) as registry:
            assert registry.document("serving", digest_of(b"{}")) == {}
        assert seen["images.example"].startswith("Basic ")
        assert seen["store.example"] == ""


class TestRefused:
    """Errors say what to do."""

    def test_no_runtime_image(self, bento: Path, images: FakeImages) -> None:
        """The image to start from is named, and how it gets there."""
        with pytest.raises(ServiceError, match=r"no runtime image serving:9.*manifests/cluster"):
            push(bento, images, runtime="9")

    def test_no_registry(self, bento: Path) -> None:
        """An address where nobody answers is named."""
        with (
            ImageRegistry("http://127.0.0.1:9") as registry,
            pytest.raises(ServiceError, match=r"no answer from .*127\.0\.0\.1:9.*IMAGES_PUSH"),
        ):
            push_bento(bento, registry, repository="shots", runtime="serving:1", pull=PULL)

    def test_no_bento(self, tmp_path: Path, images: FakeImages) -> None:
        """A folder that is no Bento is said before anything is asked."""
        with pytest.raises(ServiceError, match="build one"):
            push(tmp_path, images)
        assert not images.asked

    def test_no_image_registry(self, bento: Path) -> None:
        """A web server at that address is told from a registry."""
        transport = httpx.MockTransport(lambda _: httpx.Response(200, html="<p>Hello</p>"))
        with (
            ImageRegistry(URL, transport=transport) as registry,
            pytest.raises(ServiceError, match="no JSON object: is this an image registry"),
        ):
            push_bento(bento, registry, repository="shots", runtime="serving:1", pull=PULL)

    def test_what_the_registry_says_is_passed_on(self, bento: Path) -> None:
        """An error of the registry's own is quoted, its words or its page."""
        said = {"errors": [{"code": "UNKNOWN", "message": "disk is full"}]}
        for response in (httpx.Response(507, json=said), httpx.Response(507, text="disk is full")):
            transport = httpx.MockTransport(lambda _, response=response: response)
            with (
                ImageRegistry(URL, transport=transport) as registry,
                pytest.raises(ServiceError, match=r"answered 507 to GET .*: disk is full"),
            ):
                push_bento(bento, registry, repository="shots", runtime="serving:1", pull=PULL)

    def test_a_damaged_blob(self, bento: Path, images: FakeImages) -> None:
        """A configuration that is not what its digest says is not built upon."""
        digest = images.json("serving", "0.1.0")["config"]["digest"]
        images.blobs["serving", digest] = b"{}"
        with pytest.raises(ServiceError, match=f"is damaged: what came is not {digest}"):
            push(bento, images)

    def test_a_runtime_layer_that_is_gone(self, bento: Path) -> None:
        """A registry that lost a layer says so, when it has to be copied."""
        images = FakeImages(mounts=False)
        images.add_image("serving", "0.1.0", RUNTIME)
        del images.blobs["serving", digest_of(RUNTIME[1])]
        with pytest.raises(ServiceError, match=r"answered 404 to GET .*/v2/serving/blobs/"):
            push(bento, images)
