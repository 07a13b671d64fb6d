"""Where shots come from: one adapter to each origin, and the formats of their records."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parivision.sources import feed22
from parivision.sources.format import Converted, Format

__all__ = ["FORMATS", "Converted", "Format"]

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {chosen.name: chosen for chosen in (feed22.FORMAT,)}
)
"""Every format by its name."""
