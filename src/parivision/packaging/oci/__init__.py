"""The champion's image: a runtime image in a registry and one layer on it, the Bento.

Made with HTTP alone, by whoever may push: no daemon, no privilege, no root. The same Bento on the
same runtime image gives the same digest, and what the registry holds already is not sent again.
Only the runtime image needs a builder; it changes with the packages, not with the model.

Of the libraries kept for this, oras-py reads a blob whole, retries a refused connection for two
minutes and leaves a manifest's bytes, thus its digest, to others.
"""

from parivision.packaging.oci.image import Image, push_bento
from parivision.packaging.oci.registry import ImageRegistry

__all__ = ["Image", "ImageRegistry", "push_bento"]
