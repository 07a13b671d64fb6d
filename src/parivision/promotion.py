"""Promotion: may a challenger take the champion's place? A pure function over numbers.

All models answer the same later games as they would be served, from what was known before them.
The order of the questions:

1. Without a champion, the best challenger must beat the zone rate, or nothing is served.
2. The champion recalibrated on recent games takes over if it is better than the champion as it is
   served. That costs seconds, so it comes first.
3. The best retrained challenger takes over if it is better than whichever of the two stands.

"Better" is a lower log loss by a paired one-sided t test by game; on top, the calibration error
may not exceed the stated bound. Missing or thin evidence never promotes.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from numpy.typing import ArrayLike

from parivision.bootstrap import Paired, paired_by_game
from parivision.evaluate import Scores, scores

CHAMPION: Final = "champion"
RECALIBRATED: Final = "champion_recalibrated"
ALPHA: Final = 0.05
ECE_BOUND: Final = 0.010
"""What a challenger's ECE may be, beyond what chance alone gives on as few shots."""
ECE_SLACK: Final = 0.003
"""How much worse than the champion's it may be when that is above the bound itself."""

MIN_GAMES: Final = 20
"""With fewer games the test's standard error is too small, and nothing is promoted."""


@dataclass(frozen=True)
class Rule:
    """The numbers promotion depends on."""

    alpha: float = ALPHA
    min_games: int = MIN_GAMES
    ece_bound: float = ECE_BOUND
    ece_slack: float = ECE_SLACK


@dataclass(frozen=True)
class Contest:
    """One challenger against one incumbent: the test, both calibrations, the outcome and why."""

    challenger: str
    incumbent: str
    won: bool
    reason: str
    test: Paired
    challenger_ece: float
    ece_limit: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None where a number is not defined."""
        return {**asdict(self), "test": self.test.to_dict()}


@dataclass(frozen=True)
class Decision:
    """Who is champion from now on, why, and every contest that led there.

    `winner` is None when nothing may be served; `promoted` is False when the champion stays as it
    is.
    """

    winner: str | None
    promoted: bool
    reason: str
    contests: tuple[Contest, ...] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "winner": self.winner,
            "promoted": self.promoted,
            "reason": self.reason,
            "contests": [contest.to_dict() for contest in self.contests],
            "scores": {name: score.to_dict() for name, score in self.scores.items()},
        }


def decide(
    made: ArrayLike,
    games: ArrayLike,
    challengers: Mapping[str, ArrayLike],
    baseline: ArrayLike | None,
    *,
    champion: ArrayLike | None = None,
    recalibrated: ArrayLike | None = None,
    rule: Rule | None = None,
) -> Decision:
    """Decide on probabilities of the same later shots, all of shape (n,).

    `baseline` is the zone rate's, needed on a first run only, when `champion` is None. Raises
    DataError when the arrays differ in length or hold impossible labels.
    """
    rule = rule or Rule()
    predictions = dict(challengers)
    if champion is not None:
        predictions[CHAMPION] = champion
    if recalibrated is not None:
        predictions[RECALIBRATED] = recalibrated
    judged = {name: scores(made, p, games) for name, p in predictions.items()}
    best = min(challengers, key=lambda name: judged[name].log_loss, default=None)
    contests: list[Contest] = []

    def contest(challenger: str, incumbent: str, p_incumbent: ArrayLike) -> bool:
        against = judged.get(incumbent) or scores(made, p_incumbent, games)
        test = paired_by_game(made, p_incumbent, predictions[challenger], games)
        contests.append(_contest(challenger, incumbent, test, judged[challenger], against, rule))
        return contests[-1].won

    if champion is None:
        if best and baseline is not None and contest(best, "zone_rate", baseline):
            return Decision(
                best, True, f"first champion: {contests[-1].reason}", tuple(contests), judged
            )
        reason = contests[-1].reason if contests else "there is no challenger"
        return Decision(None, False, f"no first champion: {reason}", tuple(contests), judged)

    standing = CHAMPION
    if recalibrated is not None and contest(RECALIBRATED, CHAMPION, champion):
        standing = RECALIBRATED
    if best is not None and contest(best, standing, predictions[standing]):
        return Decision(best, True, contests[-1].reason, tuple(contests), judged)
    reason = "; ".join(c.reason for c in contests) or "there is no challenger"
    return Decision(standing, standing != CHAMPION, reason, tuple(contests), judged)


def _contest(
    challenger: str, incumbent: str, test: Paired, ours: Scores, theirs: Scores, rule: Rule
) -> Contest:
    limit = max(rule.ece_bound + ours.ece_noise, theirs.ece + rule.ece_slack)
    won, reason = _judge(challenger, incumbent, test, ours.ece, limit, rule)
    return Contest(challenger, incumbent, won, reason, test, ours.ece, limit)


def _judge(
    challenger: str, incumbent: str, test: Paired, ece: float, limit: float, rule: Rule
) -> tuple[bool, str]:
    if test.no_evidence is not None:
        return False, f"{challenger} against {incumbent}: no evidence, {test.no_evidence}"
    if test.n_games < rule.min_games:
        return False, (
            f"{challenger} against {incumbent}: thin evidence, {test.n_games} games where "
            f"{rule.min_games} are needed"
        )
    numbers = (
        f"log loss {test.gain:+.4f} better than {incumbent}'s, "
        f"p = {test.p_value:.2g} over {test.n_games} games"
    )
    if not test.is_better(rule.alpha):
        return False, f"{challenger} is not shown to be better: {numbers}, needs p < {rule.alpha:g}"
    if math.isnan(ece) or ece > limit:
        return (
            False,
            f"{challenger} is better ({numbers}) but its ECE {ece:.4f} is above {limit:.4f}",
        )
    return True, f"{challenger} is better: {numbers}; ECE {ece:.4f} within {limit:.4f}"
