"""Deploy: the champion's Bento answers requests."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Artifact, Input


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy(bento: Input[Artifact], image: str, target: str) -> str:
    """Serve a Bento; what was served before is replaced.

    Args:
        bento: What `package` built.
        image: The Bento's image; a cluster serves it.
        target: Where to: local, on 127.0.0.1; kubernetes; or auto, the cluster if this is a pod.

    Returns:
        The address it answers on.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import deploy as stage

    chosen = settings.read(os.environ)
    tag, digest = bento.metadata["tag"], bento.metadata["digest"]
    return stage.deploy(chosen, Path(bento.path), tag, digest, image, target)
