"""Why the model predicts what it predicts for a shot, and how far its predictions have been off.

The attribution method is the Shapley value (Shapley 1953; for models Strumbelj and Kononenko, JMLR
2010), with one baseline shot as reference ("baseline Shapley", Sundararajan and Najmi, ICML 2020).
The log odds of a shot are the league's, plus what the place adds, plus what each group of other
facts adds to a plain shot from that place: unknown shooter, no teams, no action, in the middle of
the second period. Groups are put back in every order, and what each adds is averaged. There are
four groups, so all 16 combinations are evaluated and the value is exact, not sampled as in SHAP.
The contributions add up to the prediction (efficiency).

Facts are withheld, not features, so the model never sees a row that no request could produce. It
works for every family, blends and recalibration included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from math import comb
from typing import Any, Final

import numpy as np

from parivision.features.form import PRIOR_RATE, SHRINKAGE, Form
from parivision.features.tally import Tally
from parivision.models.bundle import Bundle
from parivision.models.recalibration import logit
from parivision.shots.facts import Floats, from_records

PLACE: Final = "place"
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "action": ("action_type",),
    "shooter": ("player_id",),
    "team and opponent": ("team_id", "home_team", "away_team"),
    "clock and game so far": (
        *("period", "clock_s", "since_last_shot_s", "last_shot_own", "last_shot_made"),
        *("player_attempts", "player_makes"),
    ),
}
"""What people understand, and the facts of a request that it stands for."""
# No player of the league has this number: form knows it as nobody.
NOBODY: Final = 0
_PLAIN: Final = {"player_id": NOBODY, "period": 2, "clock_s": 360.0}
_GROUPED: Final = frozenset(name for names in GROUPS.values() for name in names)
_MASKS: Final = tuple(product((False, True), repeat=len(GROUPS)))


@dataclass(frozen=True)
class Explanation:
    """A shot's probability, the league's, and what each group adds to the league's log odds.

    `logit(league_rate) + sum(contributions)` is `logit(p_made)`.
    """

    p_made: float
    league_rate: float
    contributions: Mapping[str, float]


@dataclass(frozen=True)
class Band:
    """Where the rate of shots like this one is, with 95 %."""

    low: float
    high: float


def explain(bundle: Bundle, shot: Mapping[str, Any], today: date) -> Explanation:
    """The explanation of a shot that holds what `facts.from_records` takes."""
    combinations = [_with_groups(shot, mask) for mask in _MASKS]
    p_made = bundle.predict(from_records(combinations, today))
    log_odds = dict(zip(_MASKS, logit(p_made).tolist(), strict=True))
    # The plain shot differs from the league's mean by its place alone, so that is the place's part.
    league = league_rate(bundle.form)
    plain = log_odds[_MASKS[0]] - float(logit(np.array(league)))
    shares = {name: _shapley(log_odds, at) for at, name in enumerate(GROUPS)}
    return Explanation(float(p_made[-1]), league, {PLACE: plain, **shares})


def league_rate(form: Form) -> float:
    """The share of shots that the league makes lately, from everywhere."""
    zones = form.tallies["zone"]
    everywhere = Tally(zones.attempts.sum(keepdims=True), zones.successes.sum(keepdims=True))
    return float(everywhere.table(SHRINKAGE["zone"], is_for_one=True).rate(0, PRIOR_RATE))


def band(bins: Sequence[Mapping[str, float]], p_made: float) -> Band | None:
    """How far the made rate of shots that were given `p_made` may be from it; None without bins.

    `bins` are rows of `scoring.scores.reliability`, from low to high, seen on games that the model
    did not know. The distance of a bin's 95 % Wilson interval from its mean prediction is carried
    over to `p_made`, linearly between the bins. It is the uncertainty of the rate of such shots; a
    single shot goes in or not.
    """
    if not bins:
        return None
    predicted = np.array([row["mean_p_made"] for row in bins])
    low, high = (
        _moved(predicted, np.array([row[name] for row in bins]), p_made) for name in ("low", "high")
    )
    return Band(low, high)


def _moved(predicted: Floats, edge: Floats, p_made: float) -> float:
    return float(np.clip(p_made + np.interp(p_made, predicted, edge - predicted), 0, 1))


def _with_groups(shot: Mapping[str, Any], mask: Sequence[bool]) -> dict[str, Any]:
    """The plain shot from this place, with the groups of `mask` as they were."""
    kept = {
        name
        for names, is_kept in zip(GROUPS.values(), mask, strict=True)
        if is_kept
        for name in names
    }
    facts = {name: value for name, value in shot.items() if name in kept or name not in _GROUPED}
    return {**_PLAIN, **facts}


def _shapley(log_odds: Mapping[tuple[bool, ...], float], at: int) -> float:
    """What the group `at` adds, averaged over all orders in which groups can be added.

    A combination S with the group counts with weight (|S| - 1)! (n - |S|)! / n!, which is
    1 / (n * comb(n - 1, |S| - 1)): the share of the n! orders in which S comes about so.
    """
    size = len(GROUPS)
    return sum(
        (value - log_odds[(*mask[:at], False, *mask[at + 1 :])])
        / (size * comb(size - 1, sum(mask) - 1))
        for mask, value in log_odds.items()
        if mask[at]
    )
