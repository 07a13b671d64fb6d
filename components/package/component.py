"""Package: the champion's Bento."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def package(model: Input[Model], version: str, bento: Output[Artifact]) -> str:
    """Build the Bento of the new champion.

    Args:
        model: The champion's bundle.
        version: The champion's version.
        bento: The Bento, a folder.

    Returns:
        The Bento's tag.
    """
    import os
    from pathlib import Path

    from parivision import settings, steps

    chosen = settings.read(os.environ)
    built = steps.package(chosen, Path(model.path), version, Path(bento.path))
    bento.metadata.update({"tag": built.tag, "digest": built.digest})
    return built.tag
