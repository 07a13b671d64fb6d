"""What the verdict promises, tried: false alarms, power, shots to a decision, and another rule's.

This is a Monte Carlo study. A rollout is played as in the cluster: the shots of each batch are
served on two tracks, logged, and later labelled, and the verdict is asked after each batch. Only a
fail stops a rollout. One that passed is played to the end, so that every wrong fail is counted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Protocol

import numpy as np

from parivision.scoring.proportions import clopper_pearson
from parivision.shots.facts import Floats
from parivision.verdict import (
    CheckResult,
    LabelledShots,
    LoggedPredictions,
    Rules,
    ServedWindow,
    State,
    Track,
    Verdict,
    judge,
)
from parivision.verdict.quality import loss_bounds

WEIGHTS: Final = (0.05, 0.25, 0.5)
REQUESTS_A_BATCH: Final = 2000
ERROR_RATE: Final = 0.002
BOUNDS_S: Final = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25)
BUCKET_SHARES: Final = (0.02, 0.28, 0.3, 0.25, 0.08, 0.03, 0.02, 0.01, 0.006, 0.003, 0.0008, 0.0002)
"""Of both tracks alike: a service with a p99 of 25 ms."""
MINUTES: Final = 5

Progress = Callable[[int, int], None]


class RolloutSource(Protocol):
    """Where rollouts come from."""

    @property
    def name(self) -> str:
        """What its tables and lines are called."""

    def shots(self, rng: np.random.Generator, n: int) -> LabelledShots:
        """N labelled shots with both models' probabilities, in the order of time."""


@dataclass(frozen=True)
class Plan:
    """How a rollout is played: labelled shots in all, in a batch, and in a minute of the clock.

    `threshold` is the fixed rule's: it fails when the mean difference of log loss over the shots
    of the last five minutes exceeds it, looked at every minute. Ten games at once make about 12
    shots a minute.
    """

    shots: int = 4000
    batch: int = 100
    shots_a_minute: int = 12
    threshold: float = 0.02


@dataclass(frozen=True)
class Path:
    """The difference of log loss and its bounds after each look, and how the rollout ended."""

    shots: tuple[int, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Ending:
    """One rollout: labelled shots at its first fail and pass (None: never), and the fail's cause.

    `worst_minutes` is the largest mean that the fixed rule saw.
    """

    failed_at: int | None
    passed_at: int | None
    cause: str | None
    check: str | None
    worst_minutes: float


@dataclass(frozen=True)
class Share:
    """So many of so many, with the interval of Clopper and Pearson (1934) at 95 %."""

    hits: int
    runs: int
    low: float
    high: float

    @property
    def rate(self) -> float:
        """The share; NaN of none."""
        return self.hits / self.runs if self.runs else math.nan

    @classmethod
    def of(cls, hits: int, runs: int) -> "Share":
        """The share and its interval."""
        return cls(hits, runs, *clopper_pearson(hits, runs))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"rate": self.rate, **asdict(self)}


@dataclass(frozen=True)
class Study:
    """Many rollouts of one kind."""

    world: str
    plan: Plan
    endings: Sequence[Ending] = field(repr=False)

    def failed(self, within: int | None = None) -> Share:
        """Rollouts that failed within so many labelled shots (default: ever)."""
        limit = self.plan.shots if within is None else within
        hits = sum(e.failed_at is not None and e.failed_at <= limit for e in self.endings)
        return Share.of(hits, len(self.endings))

    def passed(self, within: int | None = None) -> Share:
        """Rollouts that passed within so many labelled shots, before any fail."""
        limit = self.plan.shots if within is None else within
        hits = sum(e.passed_at is not None and e.passed_at <= limit for e in self.endings)
        return Share.of(hits, len(self.endings))

    def fixed_failed(self, threshold: float | None = None) -> Share:
        """Rollouts that the fixed rule fails at a threshold (default: the plan's)."""
        limit = self.plan.threshold if threshold is None else threshold
        hits = sum(e.worst_minutes > limit for e in self.endings)
        return Share.of(hits, len(self.endings))

    def median_shots(self) -> float | None:
        """Labelled shots to the first pass or fail in the median rollout; None if undecided."""
        ends = [
            min((at for at in (e.failed_at, e.passed_at) if at is not None), default=math.inf)
            for e in self.endings
        ]
        median = float(np.median(ends))
        return median if math.isfinite(median) else None

    def causes(self) -> dict[str, int]:
        """How often each cause was the first reason."""
        named = [e.cause for e in self.endings if e.cause is not None]
        return {cause: named.count(cause) for cause in sorted(set(named))}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "world": self.world,
            "runs": len(self.endings),
            "failed": self.failed().to_dict(),
            "passed": self.passed().to_dict(),
            "fixed_rule_failed": self.fixed_failed().to_dict(),
            "median_shots_to_decision": self.median_shots(),
            "causes": self.causes(),
        }


def study(
    world: RolloutSource,
    runs: int,
    plan: Plan,
    seed: int,
    *,
    rules: Rules | None = None,
    progress: Progress | None = None,
) -> Study:
    """Play `runs` rollouts of a world; the i-th depends on the seed and i alone."""
    endings = []
    # Generators of their own: a run is the same however many come before or after it.
    for run, child in enumerate(np.random.SeedSequence(seed).spawn(runs)):
        rng = np.random.default_rng(child)
        endings.append(play(world.shots(rng, plan.shots), rng, plan, rules))
        if progress:
            progress(run + 1, runs)
    return Study(world.name, plan, endings)


def play(
    shots: LabelledShots, rng: np.random.Generator, plan: Plan, rules: Rules | None = None
) -> Ending:
    """One rollout to its first fail, or to the end of its shots."""
    failed_at = passed_at = None
    cause = check = None
    for state, n in _looks(shots, rng, plan, rules):
        verdict = judge(state)
        if verdict.outcome is CheckResult.FAIL:
            first = verdict.failed()[0]
            failed_at, cause, check = n, first.cause and first.cause.value, first.name
            break
        if verdict.outcome is CheckResult.PASS and passed_at is None:
            passed_at = n
    return Ending(failed_at, passed_at, cause, check, _worst_minutes(shots, plan))


def follow(
    shots: LabelledShots, rng: np.random.Generator, plan: Plan, rules: Rules | None = None
) -> Path:
    """One rollout with every bound it showed, to its first pass or fail."""
    rows = []
    for state, n in _looks(shots, rng, plan, rules):
        verdict = judge(state)
        rows.append((n, *loss_bounds(state)[1:]))
        if verdict.outcome is not CheckResult.NOT_YET:
            break
    seen, mean, low, high = zip(*rows, strict=True)
    return Path(seen, mean, low, high, verdict)


def _looks(
    shots: LabelledShots, rng: np.random.Generator, plan: Plan, rules: Rules | None
) -> Iterator[tuple[State, int]]:
    """The state after each batch, and how many shots are labelled by then."""
    state = State(rules)
    n = len(shots)
    for start in range(0, n, plan.batch):
        rows = slice(start, min(start + plan.batch, n))
        # Each weight for an equal part of the rollout, as a canary's traffic goes up.
        weight = WEIGHTS[min(start * len(WEIGHTS) // n, len(WEIGHTS) - 1)]
        part = shots.take(rows)
        state.add_served(_served(rng, weight))
        # By chance and not by turns: as a gateway splits single requests by their weight.
        state.add_predictions(_logged(part, rng.random(len(part)) < weight))
        state.add_labelled(part)
        yield state, rows.stop


def _served(rng: np.random.Generator, weight: float) -> ServedWindow:
    """A window in which both tracks are served alike."""
    canary = int(rng.binomial(REQUESTS_A_BATCH, weight))
    tracks = [_track(rng, requests) for requests in (REQUESTS_A_BATCH - canary, canary)]
    return ServedWindow(tracks[0], tracks[1], weight, BOUNDS_S)


def _track(rng: np.random.Generator, requests: int) -> Track:
    counts = rng.multinomial(requests, BUCKET_SHARES)
    return Track(requests, int(rng.binomial(requests, ERROR_RATE)), tuple(counts.tolist()))


def _logged(part: LabelledShots, by_challenger: Any) -> LoggedPredictions:
    """The shots' predictions as an image that is right has served them."""
    return LoggedPredictions(
        p_served=np.where(by_challenger, part.p_challenger, part.p_champion),
        p_champion=part.p_champion,
        p_challenger=part.p_challenger,
        by_challenger=by_challenger,
        same_version=np.ones(len(part), np.bool_),
        segments=part.segments,
    )


def shot_differences(shots: LabelledShots) -> Floats:
    """The challenger's log loss minus the champion's on each shot, shape (n,)."""
    from parivision.scoring.metrics import shot_log_loss

    return shot_log_loss(shots.made, shots.p_challenger) - shot_log_loss(
        shots.made, shots.p_champion
    )


def _worst_minutes(shots: LabelledShots, plan: Plan) -> float:
    """The largest mean of five minutes, looked at every minute once five are there."""
    # A moving mean is a difference of running sums.
    sums = np.concatenate([[0.0], np.cumsum(shot_differences(shots))])
    ends = np.arange(MINUTES * plan.shots_a_minute, len(shots) + 1, plan.shots_a_minute)
    if not len(ends):
        return -math.inf
    window = MINUTES * plan.shots_a_minute
    return float(((sums[ends] - sums[ends - window]) / window).max())
