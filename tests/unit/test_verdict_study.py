"""The study of the verdict: worlds that are what they say, endings, and logged shots."""

import numpy as np
import pytest

from parivision.errors import DataError
from parivision.scoring import metrics
from parivision.shots.segments import SEGMENTS
from parivision.simulation.replay import Resampled, of_judgement, read_labelled
from parivision.simulation.study import Plan, Share, follow, play, shot_differences, study
from parivision.simulation.worlds import bad_worlds, equal_worlds, worse_world
from parivision.verdict import CheckResult

PLAN = Plan(shots=1200)


def _rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("world", equal_worlds(), ids=lambda world: world.name)
def test_equal_worlds_are_equal(world):
    """The models of an equal world have the same expected log loss, within what chance leaves."""
    gaps = shot_differences(world.shots(_rng(), 60_000))
    assert abs(gaps.mean()) <= 4 * gaps.std() / np.sqrt(len(gaps))


@pytest.mark.parametrize("way", ["noise", "level", "slope"])
@pytest.mark.parametrize("excess", [0.02, 0.05])
def test_worse_worlds_are_as_bad_as_they_say(way, excess):
    """A challenger that is worse by 0.02 is worse by 0.02, in every way to be worse."""
    gaps = shot_differences(worse_world(excess, way).shots(_rng(), 80_000))
    assert gaps.mean() == pytest.approx(excess, abs=4 * gaps.std() / np.sqrt(len(gaps)))


@pytest.mark.parametrize(("excess", "way"), [(0.02, "nonsense"), (9.0, "noise")])
def test_worlds_that_cannot_be_are_refused(excess, way):
    """A way that is not known, or a loss that it cannot cost, is an error."""
    with pytest.raises(DataError):
        worse_world(excess, way)


def test_worlds_have_a_leagues_rates():
    """Zones go in as often as a league's, and the champion says so."""
    shots = equal_worlds()[1].shots(_rng(), 100_000)
    assert 0.4 < shots.made.mean() < 0.5
    assert abs(shots.p_champion.mean() - shots.made.mean()) < 0.01
    rim = shots.segments.zone == 0
    assert 0.6 < shots.made[rim].mean() < 0.7


def test_a_run_depends_on_the_seed_and_its_number_alone():
    """More runs begin with the same ones."""
    world = worse_world(0.05)
    few, more = study(world, 3, PLAN, 7), study(world, 5, PLAN, 7)
    assert list(few.endings) == list(more.endings)[:3]


def test_a_bad_challenger_fails_and_its_path_shows_when():
    """The drawn path ends where the played rollout ends, with the lower bound above zero."""
    shots = worse_world(0.05).shots(_rng(3), 3000)
    ending = play(shots, _rng(1), PLAN)
    path = follow(shots, _rng(1), PLAN)
    assert path.verdict.outcome is CheckResult.FAIL
    assert path.shots[-1] == ending.failed_at
    assert path.low[-1] > 0 >= path.low[-2]
    assert path.mean[-1] == pytest.approx(shot_differences(shots)[: path.shots[-1]].mean(), 1e-5)


def test_the_fixed_rule_looks_at_five_minutes():
    """It fails when the mean of the last five minutes exceeds its threshold, and only then."""
    shots = worse_world(0.05).shots(_rng(3), 1200)
    ending = play(shots, _rng(1), PLAN)
    gaps = shot_differences(shots)
    means = [gaps[end - 60 : end].mean() for end in range(60, 1201, 12)]
    assert ending.worst_minutes == pytest.approx(max(means))


def test_shares_carry_exact_intervals():
    """Clopper and Pearson: 0 of 100 may be up to 3.6 %, and 5 of 100 from 1.6 to 11.3 %."""
    assert Share.of(0, 100).high == pytest.approx(0.0362, abs=1e-4)
    assert Share.of(100, 100).low == pytest.approx(0.9638, abs=1e-4)
    five = Share.of(5, 100)
    assert (five.low, five.high) == pytest.approx((0.0164, 0.1128), abs=1e-4)


LINES = [
    '{"p_champion": 0.4, "p_challenger": 0.5, "made": 1, "zone": "corner 3", "period": 6}',
    "",
    '{"p_champion": 0.6, "p_challenger": 0.7, "made": 0, "zone": 1, "player_volume": 120}',
]


def test_logged_shots_are_read():
    """Zones by name or number, overtime, volume by attempts, and nothing that is not there."""
    shots = read_labelled(LINES)
    assert shots.made.tolist() == [1, 0]
    assert SEGMENTS["zone"][shots.segments.zone[0]] == "corner 3"
    assert shots.segments.zone[1] == 0
    assert shots.segments.period.tolist() == [4, -1]
    assert shots.segments.volume.tolist() == [-1, 2]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"p_champion": 0.4, "made": 1}',
        '{"p_champion": 0.4, "p_challenger": 1.5, "made": 1}',
        '{"p_champion": 0.4, "p_challenger": 0.5, "made": 2}',
        '{"p_champion": 0.4, "p_challenger": 0.5, "made": 1, "zone": "moon"}',
        '{"p_champion": 0.4, "p_challenger": NaN, "made": 1}',
    ],
)
def test_a_line_that_is_no_shot_is_named(line):
    """The error says which line and what was expected."""
    with pytest.raises(DataError, match="line 4"):
        read_labelled([*LINES, line])


def test_no_lines_are_refused():
    """An empty log has no verdict."""
    with pytest.raises(DataError, match="got none"):
        read_labelled(["", "\n"])


def test_models_swapped_by_a_coin_are_equal():
    """However bad a logged challenger is, the swapped log has two equal models."""
    logged = bad_worlds()[0].shots(_rng(), 2000)
    shots = Resampled("swapped", logged, is_equal=True).shots(_rng(1), 100_000)
    gaps = shot_differences(shots)
    assert abs(gaps.mean()) <= 4 * gaps.std() / np.sqrt(len(gaps))
    again = Resampled("as logged", logged, is_equal=False).shots(_rng(1), 1000)
    assert again.p_challenger.mean() < again.p_champion.mean() - 0.1


def test_a_judgements_models_can_be_rolled_out(league_shots, league_history, league_split):
    """Any two models of an evaluation become champion and challenger on the same later games."""
    from parivision.promotion.holdout import judge as judge_models

    judgement = judge_models(league_shots, league_history, league_split, {})
    shots = of_judgement(judgement, "league_mean", "zone_rate")
    assert len(shots) == len(judgement.made)
    assert (shots.segments.zone >= 0).all()
    gain = shot_differences(shots).mean()
    made = judgement.made
    wanted = [
        metrics.log_loss(made, judgement.predictions[n]) for n in ("zone_rate", "league_mean")
    ]
    assert gain == pytest.approx(wanted[0] - wanted[1])
