"""Evidence of a rollout in which all went well but for what a test asks for."""

from typing import Any

import numpy as np

from parivision.simulation.worlds import World, bad_worlds, equal_worlds
from parivision.verdict import (
    Cause,
    LabelledShots,
    LoggedPredictions,
    Rules,
    ServedWindow,
    State,
    Track,
    judge,
)

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
FAST = (0.50, 0.40, 0.08, 0.015, 0.005, 0.0, 0.0)
SLOW = (0.10, 0.40, 0.30, 0.10, 0.06, 0.04, 0.0)
IDENTICAL = equal_worlds()[0]
BAD = {world.name: world for world in bad_worlds()}
DEAD = Track(0, 0, (0,) * 7)


def served_track(requests: int, error_rate: float = 0.0, shares: tuple[float, ...] = FAST) -> Track:
    """What one track served; `shares` are those of the latency buckets."""
    counts = [round(requests * share) for share in shares]
    counts[0] += requests - sum(counts)
    return Track(requests, round(requests * error_rate), tuple(counts))


def served_window(
    weight: float = 0.25, requests: int = 4000, share: float | None = None, **canary: Any
) -> ServedWindow:
    """What both tracks served; the canary gets `share` of the requests, its weight by default."""
    n = round(requests * (weight if share is None else share))
    primary = served_track(requests - n, 0.002)
    return ServedWindow(primary, served_track(n, **canary), weight, BOUNDS_S)


def logged_predictions(
    shots: LabelledShots,
    *,
    off: float = 0.0,
    other: bool = False,
    by: float = 0.25,
    wrong_primary: float = 0.0,
) -> LoggedPredictions:
    """Predictions of these shots, a share `by` of them the canary's, which says `off` too much."""
    by_challenger = np.arange(len(shots)) % round(1 / by) == 0
    right = np.where(by_challenger, shots.p_challenger, shots.p_champion)
    return LoggedPredictions(
        p_served=right + np.where(by_challenger, off, wrong_primary),
        p_champion=shots.p_champion,
        p_challenger=shots.p_challenger,
        by_challenger=by_challenger,
        same_version=~by_challenger if other else np.ones(len(shots), bool),
        segments=shots.segments,
    )


def rollout_state(
    world: World = IDENTICAL,
    n: int = 4000,
    windows: int = 8,
    seed: int = 1,
    rules: Rules | None = None,
    served: list[ServedWindow] | None = None,
    **logged: Any,
) -> State:
    """A rollout in which all went well but for what is asked for."""
    shots = world.shots(np.random.default_rng(seed), n)
    state = State(rules)
    for window in [served_window()] * windows if served is None else served:
        state.add_served(window)
    state.add_predictions(logged_predictions(shots, **logged))
    state.add_labelled(shots)
    return state


def failed_checks(state: State) -> list[tuple[str, Cause | None]]:
    """Name and cause of each check that fails."""
    return [(check.name, check.cause) for check in judge(state).failed()]
