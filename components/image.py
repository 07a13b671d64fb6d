"""The image that all components run on; components/Dockerfile builds it.

`kfp.local` takes an image for one that can run Python when its name says so.
"""

from typing import Final

from parivision import __version__

IMAGE: Final = f"parivision/components:{__version__}-python3.11"
