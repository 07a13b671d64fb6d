"""The champion's image: made of its Bento, and pushed to the registry of images."""

from pathlib import Path
from urllib.parse import urlsplit

from parivision.errors import SettingsError
from parivision.packaging.oci import ImageRegistry, push_bento
from parivision.settings import Settings
from parivision.settings.retry import NEVER, Retry
from parivision.stages import stores


def push(settings: Settings, bento: Path) -> str:
    """Make the image of a Bento and push it; returns how the cluster's nodes pull it."""
    with image_registry(settings, stores.retry(settings)) as registry:
        address = urlsplit(settings.images_push)
        repository = address.path.strip("/")
        image = push_bento(
            bento,
            registry,
            repository=repository,
            runtime=settings.runtime_image,
            # Nodes may reach the registry by another name than a pod does.
            pull=settings.images_pull or f"{address.netloc}/{repository}",
        )
    return image.reference


def image_registry(settings: Settings, retry: Retry = NEVER) -> ImageRegistry:
    """The registry that the champion's image is pushed to; raises SettingsError without one."""
    if not settings.images_push:
        raise SettingsError(
            "PARIVISION_IMAGES_PUSH is not set: expected the repository for the champion's image, "
            "in a pod the key `push` of the Secret parivision-images"
        )
    address = urlsplit(settings.images_push)
    login = (settings.images_username, settings.images_password)
    return ImageRegistry(f"{address.scheme}://{address.netloc}", *login, retry=retry)
