"""The stage `deploy`: the champion's Bento answers requests, here or in a cluster."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from parivision import kubernetes
from parivision.errors import ServiceError, SettingsError
from parivision.packaging import local_deployment
from parivision.settings import Settings
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message

_logger = logging.getLogger(__name__)
TARGETS: Final = ("auto", "local", "kubernetes")
"""Where a champion can be deployed to."""


@writes_termination_message
@logs_heartbeat
def deploy(
    settings: Settings,
    bento: Path,
    tag: str,
    digest: str,
    image: str,
    target: str,
    say: Callable[[str], None] = _logger.info,
) -> str:
    """Serve a Bento, or its image, and return its address.

    `target` says where: local, kubernetes, or auto, which is the cluster where this runs in one.
    Where a canary rolls it out, this follows it to its end and tells `say` how it goes.
    """
    if is_for_cluster(settings, target):
        return _deploy_in_cluster(settings, tag, digest, image, say)
    return _deploy_here(settings, bento, tag)


def is_for_cluster(settings: Settings, target: str) -> bool:
    """Whether a target means a cluster, and not this machine."""
    if target not in TARGETS:
        raise SettingsError(f"target is {target!r}: expected {', '.join(TARGETS)}")
    return target == "kubernetes" or (target == "auto" and settings.is_in_cluster)


def _deploy_in_cluster(
    settings: Settings, tag: str, digest: str, image: str, say: Callable[[str], None]
) -> str:
    if not image:
        raise ServiceError(
            f"{tag} has no image, and a cluster serves images: set PARIVISION_IMAGES_PUSH, in a "
            "pod by the Secret parivision-images, and package it again; or run with target=local"
        )
    return kubernetes.deploy(
        # A Bento's tag is NAME:VERSION, and its version is the model's.
        kubernetes.Release(image, tag.partition(":")[2], digest),
        settings.deployment,
        timeout_s=settings.deploy_timeout_s,
        rollout_s=settings.rollout_timeout_s,
        cluster=kubernetes.connect(),
        say=say,
    )


def _deploy_here(settings: Settings, bento: Path, tag: str) -> str:
    """Serve the home folder's copy if there is one: it outlives the files of the run."""
    kept = settings.bentos.joinpath("bentos", *tag.split(":"))
    folder = kept if kept.is_dir() else bento
    return local_deployment.start(folder, port=settings.port, state_dir=settings.serving).url
