"""The champion's image: a runtime image in a registry and one layer on it, the Bento.

An image, by the OCI image specification (https://github.com/opencontainers/image-spec), is a
manifest that lists a configuration and layers. Each is a blob, named by the SHA-256 digest of its
bytes. To add a layer is to write a new configuration and a new manifest that list one layer
more; the layers of the runtime image stay, and are only mounted from their repository. The manifest
is tagged as any image: referrers of the specification (a manifest with a `subject`) are not used,
since what is pushed is an image to run and not a document about one.

Made with HTTP alone, by whoever may push: no daemon, no privilege, no root. The same Bento on the
same runtime image gives the same digest, and what the registry holds already is not sent again.
Only the runtime image needs a builder; it changes with the packages, not with the model.

Of the libraries kept for this, oras-py reads a blob whole, retries a refused connection for two
minutes and leaves a manifest's bytes, thus its digest, to others.
"""

from parivision.packaging.oci.image import Image, push_bento
from parivision.packaging.oci.registry import ImageRegistry

__all__ = ["Image", "ImageRegistry", "push_bento"]
