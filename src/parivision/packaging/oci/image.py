"""A Bento on a runtime image: the layer, the configuration and the manifest, each by its digest."""

import platform
import re
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from parivision import strict_json
from parivision.errors import ServiceError
from parivision.packaging.bento import CONTENT
from parivision.packaging.oci.layer import Layer, write_layer
from parivision.packaging.oci.registry import (
    DOCKER_MANIFEST,
    INDEXES,
    ImageManifest,
    ImageRegistry,
    digest_of,
)
from parivision.serving.predictor import ChampionRecord

PLACE: Final = PurePosixPath("home/bentoml/bento")
"""Where the runtime image looks for its Bento."""
VERSION_LABEL: Final = "org.opencontainers.image.version"
BENTO_LABEL: Final = "dev.parivision.bento-digest"
BASE_LABEL: Final = "org.opencontainers.image.base.digest"
_OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_BENTO_CARD: Final = "bento.yaml"
_CREATED: Final = re.compile(rb"^creation_time: .*$", re.MULTILINE)
_NO_TIME: Final = b"creation_time: '1970-01-01T00:00:00+00:00'"
_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "aarch64": "arm64"}
_TAG_DIGITS: Final = 12


@dataclass(frozen=True)
class Image:
    """A pushed image. `is_new` is False when the registry held it already."""

    reference: str
    digest: str
    tag: str
    is_new: bool


@dataclass(frozen=True)
class _Base:
    """The runtime image: its repository, manifest and configuration."""

    repository: str
    manifest: ImageManifest
    config: Mapping[str, Any]


def push_bento(
    bento: Path, registry: ImageRegistry, *, repository: str, runtime: str, pull: str
) -> Image:
    """Put a Bento on the runtime image and push the result; returns how the nodes pull it.

    `runtime` is a repository and tag of the same registry, `pull` the repository as the cluster's
    nodes call it. The tag that is set beside the digest keeps the image from being collected as
    garbage; nothing refers to it. Raises ServiceError.
    """
    champion = ChampionRecord.read(bento / CONTENT)
    base = _base(registry, runtime)
    with tempfile.TemporaryDirectory() as scratch:
        card = _CREATED.sub(_NO_TIME, (bento / _BENTO_CARD).read_bytes())
        layer = write_layer(bento, PLACE, Path(scratch) / "layer", {_BENTO_CARD: card})
        config = _json(_config(base, layer, champion))
        manifest = _json(_manifest(base, layer, config))
        digest = digest_of(manifest)
        tag = f"{champion.version}-{champion.digest[:_TAG_DIGITS]}"
        image = Image(f"{pull}@{digest}", digest, tag, is_new=False)
        if registry.has_manifest(repository, digest):
            return image
        for blob in base.manifest.content["layers"]:
            registry.mount(repository, blob["digest"], blob["size"], base.repository)
        registry.upload(repository, layer.digest, layer.path)
        written = Path(scratch) / "config"
        written.write_bytes(config)
        registry.upload(repository, digest_of(config), written)
        registry.put_manifest(repository, tag, base.manifest.media_type, manifest)
    return Image(image.reference, digest, tag, is_new=True)


def _base(registry: ImageRegistry, runtime: str) -> _Base:
    repository, _, tag = runtime.rpartition(":")
    manifest = registry.manifest(repository, tag)
    if manifest is not None and manifest.media_type in INDEXES:
        manifest = registry.manifest(repository, _of_this_machine(manifest, runtime))
    if manifest is None:
        raise ServiceError(
            f"the image registry at {registry.url} holds no runtime image {runtime}: push it, as "
            "`manifests/cluster up` does, or name another in PARIVISION_RUNTIME_IMAGE"
        )
    config = registry.document(repository, manifest.content["config"]["digest"])
    return _Base(repository, manifest, config)


def _of_this_machine(index: ImageManifest, runtime: str) -> str:
    """The digest of an index's image for this machine: what packs a model can also serve it."""
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    for entry in index.content["manifests"]:
        if entry.get("platform", {}).get("architecture") == wanted:
            return str(entry["digest"])
    raise ServiceError(f"the runtime image {runtime} has no variant for {wanted}: build it for it")


def _config(base: _Base, layer: Layer, champion: ChampionRecord) -> dict[str, Any]:
    """The base's configuration with one layer more, which it names by its uncompressed digest."""
    config = deepcopy(dict(base.config))
    config["rootfs"]["diff_ids"].append(layer.diff_id)
    # The specification lets it be absent; where it is there, each layer has its entry.
    if "history" in config:
        entry = {"created": config.get("created"), "created_by": "parivision package"}
        config["history"].append({key: value for key, value in entry.items() if value})
    labels = config.setdefault("config", {}).get("Labels") or {}
    config["config"]["Labels"] = {
        **labels,
        VERSION_LABEL: champion.version,
        BENTO_LABEL: champion.digest,
        BASE_LABEL: base.manifest.digest,
    }
    return config


def _manifest(base: _Base, layer: Layer, config: bytes) -> dict[str, Any]:
    """The base's manifest with one layer more, which it names by its compressed digest."""
    manifest = deepcopy(dict(base.manifest.content))
    manifest["config"] |= {"digest": digest_of(config), "size": len(config)}
    kind = _DOCKER_LAYER if base.manifest.media_type == DOCKER_MANIFEST else _OCI_LAYER
    manifest["layers"].append({"mediaType": kind, "digest": layer.digest, "size": layer.size})
    return manifest


def _json(value: Mapping[str, Any]) -> bytes:
    """The one way to write it, so that equal content has an equal digest."""
    return strict_json.text(value, sort_keys=True, compact=True).encode()
