"""Deploy: the champion's Bento answers requests."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Artifact, Input


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def deploy(bento: Input[Artifact], target: str) -> str:
    """Serve a Bento; what was served before is replaced.

    Args:
        bento: What `package` built.
        target: Where to: local, on 127.0.0.1, or kubernetes.

    Returns:
        The address it answers on.
    """
    import os
    from pathlib import Path

    from parivision import settings, steps

    chosen = settings.read(os.environ)
    return steps.deploy(chosen, Path(bento.path), bento.metadata["tag"], target)
