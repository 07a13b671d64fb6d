"""Logged shots through the verdict: as they came, drawn again, and with the models made equal."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from parivision.court import Zone
from parivision.errors import DataError
from parivision.verdict import SEGMENTS, Labelled, Segments
from parivision.verdict.evidence import UNKNOWN, VOLUME_CUTS

if TYPE_CHECKING:
    from parivision.judge import Judgement

_ZONE_CODES: Final = {
    **{zone.label: zone - 1 for zone in Zone},
    **{str(int(zone)): zone - 1 for zone in Zone},
}


def read_labelled(lines: Iterable[str]) -> Labelled:
    """Labelled shots from JSON lines with p_champion, p_challenger and made, in their order.

    If they are there, `zone` (its name or number, 1 to 7), `period` (from 1 on) and
    `player_volume` (the player's earlier attempts) give the segments. Raises DataError with the
    line's number for a line that is no such shot.
    """
    rows = [_row(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError("expected a labelled shot on each line, got none")
    p, q, made, zone, period, volume = zip(*rows, strict=True)
    return Labelled(
        p_champion=np.array(p),
        p_challenger=np.array(q),
        made=np.array(made),
        segments=Segments.of(zone, period, volume),
    )


def of_judgement(judgement: "Judgement", champion: str, challenger: str) -> Labelled:
    """The shots of a judgement, with two of its models as champion and challenger."""
    codes = (judgement.segments()[name].to_physical().to_numpy() for name in SEGMENTS)
    return Labelled(
        p_champion=judgement.predictions[champion],
        p_challenger=judgement.predictions[challenger],
        made=judgement.made,
        segments=Segments.of(*codes),
    )


@dataclass(frozen=True)
class Resampled:
    """Rollouts of logged shots, drawn with replacement.

    With `is_equal` a coin decides on each shot which model is called the challenger: then both are
    equally good, whatever the log says, and every fail is a false alarm.
    """

    name: str
    logged: Labelled
    is_equal: bool

    def shots(self, rng: np.random.Generator, n: int) -> Labelled:
        """N shots drawn from the log."""
        drawn = self.logged.take(rng.integers(0, len(self.logged), n))
        if not self.is_equal:
            return drawn
        is_swapped = rng.random(n) < 0.5
        p, q = drawn.p_champion, drawn.p_challenger
        return Labelled(
            p_champion=np.where(is_swapped, q, p),
            p_challenger=np.where(is_swapped, p, q),
            made=drawn.made,
            segments=drawn.segments,
        )


def _row(number: int, line: str) -> tuple[float, float, float, int, int, int]:
    try:
        values = json.loads(line)
        p, q, made = (float(values[k]) for k in ("p_champion", "p_challenger", "made"))
        codes = _zone(values), _period(values), _volume(values)
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            f"line {number}: expected a JSON object with the numbers p_champion, p_challenger and "
            f"made, and perhaps zone, period and player_volume ({type(error).__name__}: {error})"
        ) from error
    if not (0 <= p <= 1 and 0 <= q <= 1 and made in {0, 1}):
        raise DataError(
            f"line {number}: expected probabilities from 0 to 1 and made 0 or 1, got "
            f"{p}, {q} and {made}"
        )
    return p, q, made, *codes


def _zone(values: Mapping[str, Any]) -> int:
    zone = values.get("zone")
    return UNKNOWN if zone is None else _ZONE_CODES[str(zone)]


def _period(values: Mapping[str, Any]) -> int:
    period = values.get("period")
    return UNKNOWN if period is None else min(int(period), len(SEGMENTS["period"])) - 1


def _volume(values: Mapping[str, Any]) -> int:
    attempts = values.get("player_volume")
    if attempts is None or math.isnan(float(attempts)):
        return UNKNOWN
    return int(np.searchsorted(VOLUME_CUTS, float(attempts), side="right"))
