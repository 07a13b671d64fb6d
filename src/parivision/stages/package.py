"""The stage `package`: the champion's Bento, and its image."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from parivision.packaging import bento as packaging
from parivision.packaging.bento import Bento
from parivision.settings import Settings
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.image import push
from parivision.stages.termination_message import writes_termination_message


@dataclass(frozen=True)
class Packaged:
    """The champion's Bento, and its image by digest; empty where none was pushed."""

    bento: Bento
    image: str


@writes_termination_message
@logs_heartbeat
def package(
    settings: Settings,
    bundle: Path,
    version: str,
    out: Path | None = None,
    *,
    has_image: bool = True,
) -> Packaged:
    """Build the champion's Bento, keep it in the home folder and copy it to `out`.

    With `has_image`, and where a registry of images is named, the champion's image is made and
    pushed too.
    """
    bento = packaging.build(bundle, version=version, store=settings.bentos)
    if out is not None:
        shutil.copytree(bento.path, out, dirs_exist_ok=True)
    image = push(settings, bento.path) if has_image and settings.images_push else ""
    return Packaged(bento, image)
