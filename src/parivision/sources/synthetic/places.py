"""Draws places of shots zone by zone, and names them as the league does."""

from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from parivision.shots import court
from parivision.shots.court import FloatArray, IntArray, Zone
from parivision.sources.synthetic.facts import Places

LEFT: Final = "Left Side"
RIGHT: Final = "Right Side"
BACKCOURT_AREA_Y_FT: Final = 39.75
SIDE_ANGLE_DEG: Final = 54.0
NEAR_SIDE_ANGLE_DEG: Final = 30.0


def draw(
    zone: IntArray, places: tuple[Places, ...], rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Places in tenths of feet, one in each given zone (1 to 7).

    Every row takes the same number of draws whatever its zone, so that a drift that moves some
    shots to other zones leaves the others where they were.
    """
    x, y = np.zeros_like(zone), np.zeros_like(zone)
    # `pile`: some shots are filed without a place, at the hoop's centre, where x and y stay 0.
    which, within, pile = rng.random((3, len(zone)))
    for index, table in enumerate(places):
        rows = np.flatnonzero((zone == index + 1) & (pile >= table.at_origin))
        square = np.searchsorted(table.cumulated, which[rows], "right")
        square = np.minimum(square, len(table.count) - 1)
        point = table.first[square] + (within[rows] * table.count[square]).astype(np.int64)
        x[rows], y[rows] = table.x[point], table.y[point]
    return x, y


def league_names(zone: IntArray, x_ft: FloatArray, y_ft: FloatArray) -> dict[str, pl.Series]:
    """The league's words for places: columns zone_basic, zone_area and zone_range.

    Agrees with the real archive on 99.9 % of its shots.
    """
    radius = court.distance_ft(x_ft, y_ft)
    left = x_ft > 0
    back = y_ft > BACKCOURT_AREA_Y_FT
    return {
        "zone_basic": _gather(BASIC, np.where((zone == Zone.CORNER_3) & ~left, 7, zone - 1)),
        "zone_area": _gather(AREA, _area(zone, radius, court.angle_deg(x_ft, y_ft), left, back)),
        "zone_range": _gather(RANGE, _range(zone, radius, back)),
    }


BASIC: Final = (
    "Restricted Area",
    "In The Paint (Non-RA)",
    "Mid-Range",
    "Mid-Range",
    "Above the Break 3",
    "Left Corner 3",
    "Backcourt",
    "Right Corner 3",
)
AREA: Final = ("Center", LEFT, RIGHT, f"{LEFT} Center", f"{RIGHT} Center", "Back Court")
RANGE: Final = ("Less Than 8 ft.", "8-16 ft.", "16-24 ft.", "24+ ft.", "Back Court Shot")


def _gather(words: tuple[str, ...], at: IntArray) -> pl.Series:
    return pl.Series(words, dtype=pl.String).gather(at)


def _range(zone: IntArray, radius: FloatArray, back: NDArray[np.bool_]) -> IntArray:
    three = np.isin(zone, (Zone.ABOVE_BREAK_3, Zone.CORNER_3))
    return np.select([back, three, radius < 8.0, radius < 16.0], [4, 3, 0, 1], 2)


def _area(
    zone: IntArray,
    radius: FloatArray,
    angle: FloatArray,
    left: NDArray[np.bool_],
    back: NDArray[np.bool_],
) -> IntArray:
    wide = np.abs(angle)
    far = radius >= court.WING_RADIUS_FT
    side = np.where(left, 1, 2)
    wing = far & (wide > court.WING_ANGLE_DEG)
    beside = (far & (zone != Zone.ABOVE_BREAK_3) & (wide > SIDE_ANGLE_DEG)) | (
        ~far & (radius >= 8.0) & (wide > NEAR_SIDE_ANGLE_DEG)
    )
    corner = zone == Zone.CORNER_3
    return np.select([back, corner | beside, wing], [np.full(len(zone), 5), side, side + 2], 0)
