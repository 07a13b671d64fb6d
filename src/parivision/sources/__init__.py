"""Where shots come from: one adapter to each origin, and the formats of their records."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parivision.sources import feed22, nba_api, season_csv
from parivision.sources.format import Converted, Format

__all__ = ["FILE_FORMATS", "FORMATS", "Converted", "Format"]

FILE_FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {chosen.name: chosen for chosen in (feed22.FORMAT, season_csv.FORMAT, nba_api.FORMAT)}
)
"""The formats that files may have, by name: all are of the NBA."""

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {**FILE_FORMATS, **{chosen.name: chosen for chosen in feed22.OF_LEAGUE.values()}}
)
"""Every format by its name; those of other leagues have the columns of `feed22`."""

UNCONVERTED: Final[Mapping[str, Format]] = MappingProxyType(
    {**FORMATS, season_csv.SeasonCsv.name: season_csv.SeasonCsv(assume_frame="normal")}
)
"""The formats, but season files are read as if all used the normal frame: to show a unit break."""
