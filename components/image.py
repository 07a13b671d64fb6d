"""The image that all components run on; components/Dockerfile builds it.

The name has the word Python in it: `kfp.local` runs a task as a process only if its image's name does.
"""

from typing import Final

from parivision import __version__

IMAGE: Final = f"parivision/components-python:{__version__}"
