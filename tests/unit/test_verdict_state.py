"""A verdict's state: the same evidence, however it was cut, ordered or put away, is the same."""

import json
import math
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.errors import DataError, SettingsError
from parivision.scoring import metrics
from parivision.scoring.scores import segments_of
from parivision.shots.segments import SEGMENTS
from parivision.simulation.worlds import worse_world
from parivision.verdict import (
    Alphas,
    LabelledShots,
    LoggedPredictions,
    Policy,
    Rules,
    Segments,
    ServedWindow,
    State,
    Track,
    judge,
)

N = 400
BOUNDS_S = (0.01, 0.1, 1.0)
SHOTS = worse_world(0.05).shots(np.random.default_rng(5), N)


def _logged(shots, served=None):
    by_challenger = np.arange(len(shots)) % 4 == 0
    said = np.where(by_challenger, shots.p_challenger, shots.p_champion)
    return LoggedPredictions(
        said if served is None else served,
        shots.p_champion,
        shots.p_challenger,
        by_challenger,
        np.ones(len(shots), bool),
        shots.segments,
    )


def _window(place):
    slow = 40 + place % 7
    return ServedWindow(
        Track(400, place % 3, (300, 90, 8, 2)),
        Track(100, place % 2, (100 - slow, slow, 0, 0)),
        0.2,
        BOUNDS_S,
    )


def _fed(cuts=(), order=None, stop_at=None):
    """The state after all of `SHOTS`, cut at `cuts`; put away and read again at `stop_at`."""
    order = np.arange(N) if order is None else order
    shots = SHOTS.take(order)
    state = State()
    edges = [0, *sorted(cuts), N]
    for place, (start, stop) in enumerate(pairwise(edges)):
        part = shots.take(slice(start, stop))
        state.add_predictions(_logged(part))
        state.add_labelled(part)
        if place == stop_at:
            state = State.from_dict(json.loads(json.dumps(state.to_dict())))
    return state


WHOLE = _fed().to_dict()


@settings(max_examples=40)
@given(
    cuts=st.lists(st.integers(0, N), max_size=12),
    stop_at=st.integers(0, 12),
    seed=st.integers(0, 9),
)
def test_cuts_order_and_restarts_change_nothing(cuts, stop_at, seed):
    """Batches of any size, shots in any order, a restart between any two: the very same sums."""
    state = _fed(cuts, stop_at=stop_at).to_dict()
    state.pop("champion"), state.pop("challenger")  # who served a shot is told by its place here
    assert state == {name: value for name, value in WHOLE.items() if name in state}
    order = np.random.default_rng(seed).permutation(N)
    mixed = _fed(cuts, order).to_dict()
    for name in ("labelled", "scored", "bearings", "squares", "histograms", "reliability"):
        assert mixed[name] == WHOLE[name]


@given(stop_at=st.integers(0, 30))
def test_served_windows_survive_a_restart(stop_at):
    """A restart between two windows, also in one that is being filled, changes no later verdict."""
    straight, restarted = State(), State()
    for place in range(30):
        straight.add_served(_window(place))
        restarted.add_served(_window(place))
        if place == stop_at:
            restarted = State.from_dict(json.loads(json.dumps(restarted.to_dict())))
    assert restarted.to_dict() == straight.to_dict()
    assert judge(restarted).to_dict() == judge(straight).to_dict()


def test_the_sums_are_those_of_the_metrics():
    """Shots, log loss and probabilities by class add up to what the metrics say."""
    sums = _fed().labelled()
    loss = metrics.log_loss(SHOTS.made, SHOTS.p_challenger)
    loss -= metrics.log_loss(SHOTS.made, SHOTS.p_champion)
    assert sums[0].sum() == N
    assert sums[1].sum() / N == pytest.approx(loss, abs=1e-7)
    odds = [np.log(p / (1 - p)) for p in (SHOTS.p_champion, SHOTS.p_challenger)]
    assert sums[2].sum() == pytest.approx(((odds[1] - odds[0]) ** 2).sum() / 4, abs=1e-5)
    is_fourth = SHOTS.segments.period == 3
    assert sums[3][:, 4].sum() == SHOTS.made[is_fourth].sum()
    assert sums[5][:, 4].sum() == pytest.approx(SHOTS.p_challenger[is_fourth].sum(), abs=1e-5)


def test_a_state_is_plain_json_of_some_kilobytes():
    """No NaN, no infinity, and no more for a million shots than for a thousand."""
    empty = json.dumps(State().to_dict(), allow_nan=False)
    assert State.from_dict(json.loads(empty)).to_dict() == State().to_dict()
    assert len(json.dumps(WHOLE, allow_nan=False)) < 40_000


def test_rules_travel_with_the_state():
    """A rollout is judged by the rules it began with, whatever the values are after a restart."""
    rules = Rules(margin=0.01, policy=Policy.HOLD, alphas=Alphas(quality=0.01), pass_scales=(1.0,))
    read = State.from_dict(json.loads(json.dumps(State(rules).to_dict())))
    assert read.rules == rules


def test_a_state_of_another_version_is_refused():
    """What another version wrote is not read as if it were this one's."""
    with pytest.raises(DataError, match="version"):
        State.from_dict(State().to_dict() | {"version": 0})


@pytest.mark.parametrize(
    "values",
    [
        {"marign": 0.1},
        {"margin": 0.0},
        {"alphas": {"quality": 1.0}},
        {"alphas": {"errors": 0.0}},
        {"alphas": {"speed": 0.01}},
        {"alpha_pass": 1.0},
        {"slow_rate": 0.9},
        {"fail_scales": []},
        {"pass_scales": [0.0]},
        {"policy": "pray"},
    ],
)
def test_rules_that_cannot_judge_are_refused(values):
    """A misspelt rule, or one that makes no sense, is an error and no default."""
    with pytest.raises(SettingsError):
        Rules.from_dict(values)


def test_the_chance_of_a_false_alarm_is_five_percent_in_all():
    """The default alphas sum to what the verdict promises as a whole."""
    assert Rules().alphas.total == pytest.approx(0.05)


def test_missing_probabilities_are_counted_and_left_out():
    """A shot without one of the two probabilities joins no sum."""
    broken = SHOTS.p_challenger.copy()
    broken[:3] = [math.nan, -0.1, 1.1]
    state = State()
    state.add_labelled(LabelledShots(SHOTS.p_champion, broken, SHOTS.made, SHOTS.segments))
    assert state.unusable == [0, 3]
    assert state.labelled()[0].sum() == N - 3


def test_certain_probabilities_cost_what_the_metrics_say():
    """0 and 1 are held to the same floor as everywhere: no infinity enters a sum."""
    said, made = np.array([0.0, 1.0, 0.5]), np.array([1.0, 0.0, 1.0])
    state = State()
    state.add_labelled(LabelledShots(np.full(3, 0.5), said, made, Segments.unknown(3)))
    wanted = (metrics.shot_log_loss(made, said) - metrics.shot_log_loss(made, [0.5] * 3)).sum()
    assert state.labelled()[1].sum() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LabelledShots(np.ones(2) / 2, np.ones(3) / 2, np.ones(2), Segments.unknown(2)),
        lambda: LabelledShots(
            np.ones(2) / 2, np.ones(2) / 2, np.array([1, 2.0]), Segments.unknown(2)
        ),
        lambda: Segments.of([7], [0], [0]).cells(),
        lambda: Segments.of([0], [-2], [0]).cells(),
        lambda: ServedWindow(Track(10, 11), Track(1, 0), 0.1),
        lambda: ServedWindow(Track(10, 0, (1, 2)), Track(1, 0), 0.1, (0.1, 0.2)),
        lambda: ServedWindow(Track(10, 0), Track(1, 0), 5.0),
    ],
)
def test_impossible_evidence_is_refused(make):
    """What cannot be is an error at the door, not a number in a verdict."""
    with pytest.raises(DataError):
        make()


def test_segments_are_those_of_the_evaluation(synthetic_shots):
    """Zone, period and volume mean the same in the verdict as in every report."""
    shots = synthetic_shots.head(3000)
    attempts = np.resize([0.0, 1, 99, 100, 499, 500, 1999, 2000, 9999], len(shots))
    wanted = segments_of(shots, attempts)
    places = shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy()
    found = Segments.of_facts(*places, shots["period"].to_numpy(), attempts)
    for name, codes in zip(SEGMENTS, (found.zone, found.period, found.volume), strict=True):
        kind = wanted[name].dtype
        assert isinstance(kind, pl.Enum)
        assert kind.categories.to_list() == list(SEGMENTS[name])
        assert wanted[name].to_physical().to_list() == codes.tolist()
    assert Segments.of_facts([0.0], [1.0], [1], [math.nan]).volume.tolist() == [-1]
