"""Where shots come from: one adapter to each origin, and the formats of their records."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parivision.sources import feed22, nba_api, season_csv
from parivision.sources.format import Converted, Format

__all__ = ["FORMATS", "Converted", "Format"]

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {chosen.name: chosen for chosen in (feed22.FORMAT, season_csv.FORMAT, nba_api.FORMAT)}
)
"""Every format by its name."""

UNCONVERTED: Final[Mapping[str, Format]] = MappingProxyType(
    {**FORMATS, season_csv.SeasonCsv.name: season_csv.SeasonCsv(assume_frame="normal")}
)
"""The formats, but season files are read as if all used the normal frame: to show a unit break."""
