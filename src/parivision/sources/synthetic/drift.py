"""Applies the drift switches; each is a pure function of arrays and of the rows it touches."""

from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray

from parivision.shots import court
from parivision.shots.court import FloatArray, IntArray
from parivision.sources.synthetic import bins
from parivision.sources.synthetic.config import Start

THREES: Final = (4, 5)
"""Zone indices of the two three-point zones."""
RELABELLED_ZONES: Final = (0, 1)
"""Zone indices in which scorers swap their words: restricted area and paint."""
BASELINE_SHIFT: Final = 52
"""Tenths of feet from the hoop back to the baseline."""
FARTHEST_Y: Final = 887

Mask = NDArray[np.bool_]


def active(start: Start, day: IntArray) -> Mask:
    """Which rows lie in a drift; `day` counts from 1970-01-01. A season starts on 1 October."""
    if start is None:
        return np.zeros(len(day), np.bool_)
    first = start if isinstance(start, date) else date(start - 1, 10, 1)
    mask: Mask = day >= (first - date(1970, 1, 1)).days
    return mask


def more_threes(zone_share: FloatArray, log_odds: float) -> FloatArray:
    """Zone shares in which the odds of a three have grown."""
    grown = zone_share.copy()
    grown[:, THREES] *= np.exp(log_odds)
    result: FloatArray = grown / grown.sum(axis=1, keepdims=True)
    return result


def skill_changed(player_id: IntArray, share: float) -> Mask:
    """Which players a change of skill hits: always the same ones, about `share` of them."""
    # Multiplicative hashing (Knuth): a random-looking number of each player without a generator.
    mixed = (player_id * 2_654_435_761) % 2**32 / 2**32
    mask: Mask = mixed < share
    return mask


def reversed_words(
    action: IntArray, band: IntArray, share: FloatArray, base: FloatArray, position: FloatArray
) -> IntArray:
    """Actions after the scorers near the hoop have turned their words around.

    In each band the actions are put in order of their make rate and mirrored at the median shot:
    the hardest shots get the words of the easiest. Each word's share of the band stays the same.
    `position` (0 to 1) places a shot among the shots of its own action.
    """
    words = action.copy()
    for index in range(bins.BAND_COUNT):
        if bins.BAND_ZONE[index] not in RELABELLED_ZONES:
            continue
        order = np.argsort(base[index], kind="stable")
        edges = np.concatenate([[0.0], np.cumsum(share[index][order])])
        rank = np.argsort(order)
        rows = np.flatnonzero(band == index)
        at = rank[action[rows]]
        quantile = edges[at] + position[rows] * (edges[at + 1] - edges[at])
        mirrored = np.searchsorted(edges, 1.0 - quantile, "right") - 1
        words[rows] = order[np.clip(mirrored, 0, len(order) - 1)]
    return words


def moved_places(
    x: IntArray, y: IntArray, distance_ft: IntArray, moved: Mask, frame: str
) -> tuple[IntArray, IntArray, IntArray]:
    """Places (tenths of feet) and reported distances (whole feet) in the frame that is reported."""
    if frame == "tenfold":
        small_x = -np.rint(x / 10).astype(np.int64)
        small_y = np.rint((y - court.BASELINE_Y_FT * 10) / 10).astype(np.int64)
        return np.where(moved, small_x, x), np.where(moved, small_y, y), distance_ft
    shifted = np.where(moved, np.minimum(y + BASELINE_SHIFT, FARTHEST_Y), y)
    return x, shifted, np.where(moved, whole_feet(x, shifted), distance_ft)


def shuffled(made: Mask, rows: Mask) -> Mask:
    """Outcomes of which those of the marked rows are handed to other shots.

    They change places from end to end of the season: no random number is drawn, and the shot that
    an outcome came from has another player, zone and word.
    """
    mixed = made.copy()
    mixed[rows] = made[rows][::-1]
    return mixed


def whole_feet(x: IntArray, y: IntArray) -> IntArray:
    """Distance as the league reports it, from a place in tenths of feet."""
    # Integer square root: the floor must not hang on the last bit of a square root.
    return np.floor(np.sqrt((x * x + y * y).astype(np.float64)) / 10 + 1e-9).astype(np.int64)
