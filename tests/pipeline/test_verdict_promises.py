"""What the verdict promises, by simulation: few false alarms, real power, the right name.

`parivision rollout simulate` plays the thousands of rollouts whose figures stand in
docs/verdict.md; here are as many as a test may take.
"""

import numpy as np
import pytest

from parivision.simulation.study import Plan, shot_differences, study
from parivision.simulation.worlds import bad_worlds, equal_worlds, worse_world
from parivision.verdict import Rules
from parivision.verdict.bounds import deviation

# Hundreds of runs of what other tests cover: to trace them doubles the time.
pytestmark = pytest.mark.no_cover
EQUAL_RUNS = 150
RUNS = 100


@pytest.mark.parametrize("world", equal_worlds(), ids=lambda world: world.name)
def test_equal_models_are_seldom_failed(world):
    """Looked at forty times, all checks together fail at most 5 % of equal challengers."""
    assert study(world, EQUAL_RUNS, Plan(), seed=11).failed().rate <= Rules().alphas.total


@pytest.mark.parametrize("world", equal_worlds(), ids=lambda world: world.name)
def test_looking_after_every_shot_makes_no_alarm_of_chance(world):
    """The quality check alone, looked at after each of 4,000 shots, keeps its part of alpha."""
    rules, crossed, runs = Rules(), 0, 200
    steps = np.linspace(0, 1000, 4001)
    how = rules.alphas.quality, rules.fail_scales, rules.fail_bet
    edge = [deviation(variance, *how) for variance in steps]
    for run in range(runs):
        shots = world.shots(np.random.default_rng([17, run]), 4000)
        odds = [np.log(p / (1 - p)) for p in (shots.p_champion, shots.p_challenger)]
        variance = np.cumsum((odds[1] - odds[0]) ** 2 / 4)
        crossed += bool(
            (np.cumsum(shot_differences(shots)) > np.interp(variance, steps, edge)).any()
        )
    assert crossed / runs <= rules.alphas.quality


@pytest.mark.parametrize("way", ["noise", "level", "slope"])
@pytest.mark.parametrize(("excess", "shots"), [(0.02, 4000), (0.05, 1000)])
def test_a_worse_challenger_is_found_in_time(way, excess, shots):
    """0.02 within 4,000 labelled shots, 0.05 within 1,000: in nine of ten rollouts or more."""
    found = study(worse_world(excess, way), RUNS, Plan(shots=shots, batch=50), seed=5).failed()
    assert found.high >= 0.9
    assert found.rate >= 0.85


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("probabilities squared", "miscalibrated"),
        ("answers the mean", "no spread"),
        ("bad in corner threes", "one segment"),
        ("outdated action types", "worse"),
    ],
)
def test_bad_challengers_are_named_right(name, cause):
    """All are found, and nine of ten or more get the right name as their first reason."""
    world = next(world for world in bad_worlds() if world.name == name)
    found = study(world, RUNS, Plan(shots=6000), seed=5)
    assert found.failed().rate == 1
    assert found.causes()[cause] >= 0.9 * RUNS
