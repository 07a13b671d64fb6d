"""The image that all components run on; components/Dockerfile builds it.

The word Python is in its name: `kfp.local` runs a task as a process only if its image says so.
"""

from typing import Final

from parivision import __version__

IMAGE: Final = f"parivision/components-python:{__version__}"
