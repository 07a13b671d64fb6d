"""A challenger that no contest chose: registered, and its image pushed, ready to be rolled out."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from parivision.errors import ServiceError
from parivision.kubernetes import Release
from parivision.models.bundle import Bundle
from parivision.packaging import bento as packaging
from parivision.promotion.decision import Decision
from parivision.registry import Registry
from parivision.settings import Settings
from parivision.stages.image import push

Spoil = Callable[[Path], None]
"""Changes the image's `src` folder, so that it differs from what MLflow has."""


def make_release(
    registry: Registry,
    settings: Settings,
    folder: Path,
    name: str,
    bundle: Bundle,
    *,
    reason: str,
    tags: Mapping[str, str] | None = None,
    spoil: Spoil | None = None,
) -> Release:
    """Register a bundle as a contest's winner, and push its image.

    It gets the alias, as every winner does before its rollout. What a promotion keeps beside a
    bundle, the drift reference and names, is the champion's. `folder` is for files between the
    steps, `name` that of the challenger's in it. Raises ServiceError without a champion.
    """
    champion = registry.champion()
    if champion is None:
        raise ServiceError("there is no champion to challenge: run `make cluster` first")
    saved = folder / name
    shutil.rmtree(saved, ignore_errors=True)
    shutil.copytree(registry.fetch(champion.number, folder / "kept"), saved)
    bundle.save(saved)
    decision = Decision(bundle.family, promoted=True, reason=reason)
    version = registry.record(decision, saved, None, extra_tags=tags)
    assert version is not None  # noqa: S101 - the decision promotes
    bento = packaging.build(saved, version=version.number, store=folder / "store")
    if spoil is None:
        return Release(push(settings, bento.path), version.number, bento.digest)
    copied = folder / f"{name}-bento"
    shutil.copytree(bento.path, copied)
    spoil(copied / "src")
    # A spoiled image has other content under the Bento's name: its digest must be another too.
    return Release(push(settings, copied), version.number, f"{bento.digest[:24]}-{name}")
