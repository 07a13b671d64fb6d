"""Logged shots through the verdict: as they came, drawn again, and with the models made equal."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from parivision.errors import DataError
from parivision.shots.segments import SEGMENTS
from parivision.simulation import replay_rows
from parivision.verdict import LabelledShots, Segments

if TYPE_CHECKING:
    from parivision.promotion.holdout import Judgement


def read_labelled(lines: Iterable[str]) -> LabelledShots:
    """Labelled shots from JSON lines with p_champion, p_challenger and made, in their order.

    If they are there, `zone` (its name or number, 1 to 7), `period` (from 1 on) and
    `player_volume` (the player's earlier attempts) give the segments. Raises DataError with the
    line's number and the field for a line that is no such shot.
    """
    return _labelled(replay_rows.of_lines(lines))


def read_file(path: Path) -> LabelledShots:
    """The same from a file of JSON lines, of a JSON list or of CSV; it may be gzipped."""
    try:
        return _labelled(replay_rows.of_file(path.read_bytes()))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}): give another file") from error
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error


def _labelled(shots: Iterable[replay_rows.ReplayedShot]) -> LabelledShots:
    rows = list(shots)
    if not rows:
        raise DataError("expected a labelled shot on each line, got none")
    p, q, made, zone, period, volume = zip(*rows, strict=True)
    return LabelledShots(
        p_champion=np.array(p),
        p_challenger=np.array(q),
        made=np.array(made),
        segments=Segments.of(zone, period, volume),
    )


def of_judgement(judgement: "Judgement", champion: str, challenger: str) -> LabelledShots:
    """The shots of a judgement, with two of its models as champion and challenger."""
    codes = (judgement.segments()[name].to_physical().to_numpy() for name in SEGMENTS)
    return LabelledShots(
        p_champion=judgement.predictions[champion],
        p_challenger=judgement.predictions[challenger],
        made=judgement.made,
        segments=Segments.of(*codes),
    )


@dataclass(frozen=True)
class Resampled:
    """Rollouts of logged shots, drawn with replacement: the bootstrap (Efron 1979).

    With `is_equal` a coin decides on each shot which model is called the challenger, as in a
    randomisation test of pairs: then both are equally good, whatever the log says, and every fail
    is a false alarm.
    """

    name: str
    logged: LabelledShots
    is_equal: bool

    def shots(self, rng: np.random.Generator, n: int) -> LabelledShots:
        """N shots drawn from the log."""
        drawn = self.logged.take(rng.integers(0, len(self.logged), n))
        if not self.is_equal:
            return drawn
        is_swapped = rng.random(n) < 0.5
        p, q = drawn.p_champion, drawn.p_challenger
        return LabelledShots(
            p_champion=np.where(is_swapped, q, p),
            p_challenger=np.where(is_swapped, p, q),
            made=drawn.made,
            segments=drawn.segments,
        )
