"""Package: the champion's Bento and image."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Artifact, Input, Model, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def package(
    model: Input[Model], version: str, bento: Output[Artifact], image: dsl.OutputPath(str)
) -> str:
    """Build the Bento of the new champion, and its image where a registry is named.

    Args:
        model: The champion's bundle.
        version: The champion's version.
        bento: The Bento, a folder.
        image: The image by its digest; empty where no registry is named.

    Returns:
        The Bento's tag.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import package as stage

    chosen = settings.read(os.environ)
    built = stage.package(chosen, Path(model.path), version, Path(bento.path))
    bento.metadata.update({"tag": built.bento.tag, "digest": built.bento.digest})
    Path(image).write_text(built.image)
    return built.bento.tag
