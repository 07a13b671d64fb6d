"""A Bento becomes an image in a real registry: twice the same, and all of it is there."""

import gzip
import io
import json
import shutil
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from parivision import settings
from parivision.errors import ServiceError
from parivision.features.form import Form
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.packaging import bento as package
from parivision.packaging.bento import Bento
from parivision.packaging.oci import ImageRegistry
from parivision.packaging.oci.registry import OCI_MANIFEST, digest_of
from parivision.settings import Settings
from parivision.stages.image import push
from pipeline.image_registry import HOW_TO, Images, running

RUNTIME = "serving:test"
LONGEST_S = 3.0


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """A registry with a runtime image of two layers."""
    with running(tmp_path_factory.mktemp("images")) as found:
        if found is None:
            pytest.skip(HOW_TO)
        _push_runtime(found, tmp_path_factory.mktemp("runtime"))
        yield found


def _push_runtime(images: Images, folder: Path) -> None:
    layers = [gzip.compress(bytes([number]) * 2_000_000, mtime=0) for number in (1, 2)]
    plain = [digest_of(gzip.decompress(layer)) for layer in layers]
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": plain},
    }
    blobs = [json.dumps(config).encode(), *layers]
    kinds = ["config.v1+json", "layer.v1.tar+gzip", "layer.v1.tar+gzip"]
    described = [
        {
            "mediaType": f"application/vnd.oci.image.{kind}",
            "digest": digest_of(b),
            "size": len(b),
        }
        for b, kind in zip(blobs, kinds, strict=True)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": described[0],
        "layers": described[1:],
    }
    with ImageRegistry(images.url, images.user, images.password) as registry:
        for blob in blobs:
            (folder / "blob").write_bytes(blob)
            registry.upload("serving", digest_of(blob), folder / "blob")
        registry.put_manifest("serving", "test", OCI_MANIFEST, json.dumps(manifest).encode())


@pytest.fixture(scope="module")
def home(images: Images, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings that name the registry."""
    return settings.read(
        {
            "PARIVISION_HOME": str(tmp_path_factory.mktemp("home")),
            "PARIVISION_IMAGES_PUSH": f"{images.url}/shots",
            "PARIVISION_IMAGES_PULL": "localhost:30500/shots",
            "PARIVISION_IMAGES_USERNAME": images.user,
            "PARIVISION_IMAGES_PASSWORD": images.password,
            "PARIVISION_RUNTIME_IMAGE": RUNTIME,
        }
    )


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Bento:
    """The league's mean as a Bento."""
    bundle = tmp_path_factory.mktemp("bundle")
    part = Part(("rate_zone",), Constant(0.46))
    Bundle("league_mean", "full", {"without_action": part}, Form()).save(bundle)
    return package.build(bundle, version="1", store=tmp_path_factory.mktemp("store"))


def _fetched(images: Images, path: str) -> bytes:
    """A blob or manifest, as anybody gets it who may pull."""
    login = (images.user, images.password)
    response = httpx.get(
        f"{images.url}/v2/shots/{path}",
        auth=login,
        headers={"Accept": OCI_MANIFEST},
        trust_env=False,
    )
    response.raise_for_status()
    return response.content


def test_the_image_holds_the_bento_and_can_be_pulled_by_its_digest(
    images: Images, home: Settings, bento: Bento
) -> None:
    """Every byte is there under its own digest, and the Bento's files are those that were built."""
    repository, _, digest = push(home, bento.path).partition("@")
    manifest = _fetched(images, f"manifests/{digest}")
    assert (repository, digest) == ("localhost:30500/shots", digest_of(manifest))
    described = json.loads(manifest)
    for blob in (described["config"], *described["layers"]):
        content = _fetched(images, f"blobs/{blob['digest']}")
        assert (digest_of(content), len(content)) == (blob["digest"], blob["size"])
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        for path in bento.path.rglob("*"):
            if path.is_file() and path.name != "bento.yaml":
                name = f"home/bentoml/bento/{path.relative_to(bento.path)}"
                member = archive.extractfile(name)
                assert member is not None, f"{name} is no file"
                assert member.read() == path.read_bytes()


def test_the_same_bento_built_again_is_the_same_image_and_takes_no_time(
    home: Settings, bento: Bento, tmp_path: Path
) -> None:
    """Another build differs in its time of creation only, and the image does not."""
    first = push(home, bento.path)
    again = Path(shutil.copytree(bento.path, tmp_path / "again"))
    card = (again / "bento.yaml").read_text()
    later = card.replace("creation_time: '20", "creation_time: '21")
    assert later != card
    (again / "bento.yaml").write_text(later)
    began_s = time.monotonic()
    assert push(home, again) == first
    assert time.monotonic() - began_s < LONGEST_S


def test_a_large_model_is_made_and_pushed_in_time(
    home: Settings, bento: Bento, tmp_path: Path
) -> None:
    """A forest of 30 MB, which nobody has pushed before."""
    large = Path(shutil.copytree(bento.path, tmp_path / "large"))
    (large / "src" / "bundle" / "forest.model").write_bytes(bytes(range(256)) * 120_000)
    began_s = time.process_time()
    assert push(home, large) != push(home, bento.path)
    assert time.process_time() - began_s < LONGEST_S


def test_a_wrong_password_and_a_missing_runtime_are_said(home: Settings, bento: Bento) -> None:
    """A real registry's refusals become sentences that say what to set."""
    environment = settings.as_environment(home)
    wrong = settings.read(environment | {"PARIVISION_IMAGES_PASSWORD": "wrong"})
    with pytest.raises(ServiceError, match="refuses the user 'pusher'"):
        push(wrong, bento.path)
    missing = settings.read(environment | {"PARIVISION_RUNTIME_IMAGE": "serving:none"})
    with pytest.raises(ServiceError, match="holds no runtime image serving:none"):
        push(missing, bento.path)
