"""The classes in which the real archive was measured and the synthetic league is drawn.

Zones are those of `parivision.shots.court`; arrays over zones have seven entries, zone 1 first.
"""

from typing import Final

import numpy as np

from parivision.shots.court import FloatArray, IntArray, Zone

ZONE_COUNT: Final = len(Zone)
BAND_EDGES_FT: Final = (
    (1.0, 2.0, 3.0),
    (6.0, 9.0),
    (12.0, 16.0),
    (12.0, 16.0),
    (26.0, 28.0, 34.0),
    (),
    (),
)
"""For each zone the distances that part it into bands of about equal make rate and action mix."""
BAND_ZONE: Final = tuple(
    zone for zone, edges in enumerate(BAND_EDGES_FT) for _ in range(len(edges) + 1)
)
"""Zone index (0 to 6) of each band."""
BAND_COUNT: Final = len(BAND_ZONE)

CLOCK_EDGES_S: Final = (*range(10), *range(10, 721, 10))
"""Bins of the game clock, the last ten seconds one by one."""
CLOCK_EFFECT_EDGES_S: Final = (0, 1, 2, 4, 10, 30, 60, 120, 360, 600, 721)
"""Bins in which the clock's effect on the make rate is measured."""
CLOCK_GROUP: Final = (0, 1, 1, 1, 2, 2, 3)
"""Zone index to clock group: rim, other twos, threes, heaves from the backcourt."""
CLOCK_GROUP_COUNT: Final = 4

# Places need a finer grid where much happens on few feet, and a coarse one where little does.
FINE_ZONES: Final = (Zone.RESTRICTED_AREA, Zone.CORNER_3)
FAR_FT: Final = 30.0


def band(zone: IntArray, distance_ft: FloatArray) -> IntArray:
    """Band number (0 to BAND_COUNT - 1) of shots from their zone (1 to 7) and distance."""
    bands = np.zeros(len(zone), np.int64)
    first = 0
    for index, edges in enumerate(BAND_EDGES_FT):
        here = zone == index + 1
        bands[here] = first + np.searchsorted(np.asarray(edges), distance_ft[here], "right")
        first += len(edges) + 1
    return bands


def cell_size_ft(zone: IntArray, distance_ft: FloatArray) -> FloatArray:
    """Side of the square in which a place is counted: 0.5, 1 or 4 feet."""
    fine = np.isin(zone, FINE_ZONES)
    return np.where(distance_ft >= FAR_FT, 4.0, np.where(fine, 0.5, 1.0))
