"""Challengers made of a champion: one that fits the newest games better, and wrong ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from parivision.models.bundle import Bundle, Part
from parivision.models.recalibration import PRIOR_PRECISION, Recalibration, logit
from parivision.shots.facts import from_records


def recalibrated(bundle: Bundle, shots: Sequence[Mapping[str, Any]]) -> Bundle:
    """The champion, level with shots that ended: as many go in as it says, whoever it is.

    `shots` are facts of requests, with `made` besides.
    """
    facts = [{name: value for name, value in shot.items() if name != "made"} for shot in shots]
    predicted = logit(bundle.predict(from_records(facts, date.today())))
    made_rate = np.mean([shot["made"] for shot in shots])
    # The mean of many sigmoids has no inverse in closed form; it rises with the shift, so there is
    # one root.
    by = brentq(lambda shift: expit(predicted + shift).mean() - made_rate, -5, 5)
    return shifted(bundle, float(by))


def shifted(bundle: Bundle, by: float) -> Bundle:
    """A bundle whose log odds are all higher by so much."""
    return _recalibrated_by(bundle, by, 1.0)


def squared(bundle: Bundle) -> Bundle:
    """Nearly the square of every probability: the log odds of p squared, as a line from p.

    It ranks shots as the champion does, and says too low a probability for each.
    """
    # The line is exact at two probabilities, between which most shots lie.
    at = np.array([0.3, 0.65])
    slope, shift = np.polyfit(logit(at), logit(at**2), 1)
    return _recalibrated_by(bundle, float(shift), float(slope))


def _recalibrated_by(bundle: Bundle, shift: float, slope: float) -> Bundle:
    parts = {name: _on_top(part, shift, slope) for name, part in bundle.parts.items()}
    return replace(bundle, parts=parts)


def _on_top(part: Part, shift: float, slope: float) -> Part:
    """A part whose log odds go through one more line, after its own recalibration.

    So do its partner's: a blend is a mean of log odds, whose weights add up to one, and the line of
    a mean is the mean of the lines.
    """
    # The new line on top of the part's own is a line again.
    own_shift, own_slope = part.recalibration.shift_and_slope
    wanted = np.array([shift + slope * own_shift, slope * own_slope - 1])
    # With no shot counted, one Newton step gives the gradient over the prior's precision. So this
    # gradient is the one that makes `shift_and_slope` answer the wanted line.
    moved = Recalibration(part.recalibration.as_of_day, wanted * PRIOR_PRECISION)
    partner = _on_top(part.partner, shift, slope) if part.partner else None
    return replace(part, recalibration=moved, partner=partner)
