"""Promotion: may a challenger take the champion's place? A pure function over numbers.

All models answer the same later games as they would be served, from what was known before them.
The order of the questions:

1. Without a champion, the best challenger must beat the zone rate, or nothing is served.
2. The champion recalibrated on recent games takes over if it is better than the champion as it is
   served. That costs seconds, so it comes first.
3. The best retrained challenger takes over if it is better than whichever of the two stands. One
   of them is the best of the others in which the champion keeps a say.

"Better" is a lower log loss by a paired one-sided t test by game; on top, the calibration error
may not exceed the stated bound. Missing or thin evidence never promotes.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from parivision.scoring.bootstrap import Paired, paired_by_game
from parivision.scoring.metrics import none_for_nan
from parivision.scoring.scores import Scores, scores

CHAMPION: Final = "champion"
RECALIBRATED: Final = "champion_recalibrated"
BLENDED: Final = "champion_blended"
"""The best retrained challenger with the champion still having a say; a challenger like another."""
BASELINE: Final = "zone_rate"
# Why these numbers, and how the rule did on past seasons: docs/adr/0002-promotion-rule.md.
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
        return {**none_for_nan(asdict(self)), "test": self.test.to_dict()}


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

    `baseline` is the zone rate's, needed on a first run only, when `champion` is None. A model
    whose answers are no probabilities (missing ones, say) loses its contest. Raises DataError when
    the arrays differ in length or hold impossible labels.
    """
    own = {CHAMPION: champion, RECALIBRATED: recalibrated, BASELINE: baseline}
    answers = {**challengers, **{name: p for name, p in own.items() if p is not None}}
    judged = {n: scores(made, p, games) for n, p in answers.items() if are_probabilities(p)}
    # Models without usable probabilities are tried too, so that their defeat is on record. Of the
    # others only the best is: with each further contest a lucky winner gets likelier.
    contenders = [name for name in challengers if name not in judged]
    contenders += sorted(judged.keys() & challengers, key=lambda n: (judged[n].log_loss, n))[:1]
    contests: list[Contest] = []

    def wins(challenger: str, incumbent: str) -> bool:
        test = paired_by_game(made, answers[incumbent], answers[challenger], games)
        ours, theirs = judged.get(challenger), judged.get(incumbent)
        contests.append(_contest(challenger, incumbent, test, ours, theirs, rule or Rule()))
        return contests[-1].won

    standing = BASELINE if champion is None else CHAMPION
    if champion is None and baseline is None:
        contenders.clear()
    elif champion is not None and recalibrated is not None and wins(RECALIBRATED, CHAMPION):
        standing = RECALIBRATED
    winner = next((name for name in contenders if wins(name, standing)), None)
    return _decision(winner, standing, contests, judged)


def _decision(
    winner: str | None, standing: str, contests: list[Contest], judged: Mapping[str, Scores]
) -> Decision:
    is_first = standing == BASELINE
    if winner is not None:
        before = "first champion: " if is_first else ""
        return Decision(winner, True, before + contests[-1].reason, tuple(contests), judged)
    reason = "; ".join(contest.reason for contest in contests) or "there is nothing to compare"
    if is_first:
        return Decision(None, False, f"no first champion: {reason}", tuple(contests), judged)
    return Decision(standing, standing != CHAMPION, reason, tuple(contests), judged)


def are_probabilities(p: ArrayLike) -> bool:
    """Whether all are numbers from 0 to 1."""
    values = np.asarray(p, np.float64)
    # NaN fails both comparisons.
    return bool(((values >= 0) & (values <= 1)).all())


def _contest(
    challenger: str,
    incumbent: str,
    test: Paired,
    ours: Scores | None,
    theirs: Scores | None,
    rule: Rule,
) -> Contest:
    ece = limit = math.nan
    if ours and theirs:
        ece = ours.ece
        # The second bound is for a champion that is itself off: a challenger need not be better
        # calibrated than it to replace it.
        limit = max(rule.ece_bound + ours.ece_noise, theirs.ece + rule.ece_slack)
    won, reason = _judge(challenger, incumbent, test, ece, limit, rule)
    return Contest(challenger, incumbent, won, reason, test, ece, limit)


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
    gain = f"{test.gain:+.4f} better" if test.gain >= 0 else f"{-test.gain:.4f} worse"
    numbers = (
        f"log loss {gain} than {incumbent}'s, p = {test.p_value:.2g} over {test.n_games} games"
    )
    if not test.is_better(rule.alpha):
        return False, f"{challenger} is not shown to be better: {numbers}, needs p < {rule.alpha:g}"
    # Not `ece > limit`: a calibration error of NaN has to fail.
    if not ece <= limit:
        return (
            False,
            f"{challenger} is better ({numbers}) but its ECE {ece:.4f} is above {limit:.4f}",
        )
    return True, f"{challenger} is better: {numbers}; ECE {ece:.4f} within {limit:.4f}"
