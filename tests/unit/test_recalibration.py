"""Recalibration: what it corrects, what it leaves alone, and what it must not see."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.models.recalibration import HALF_LIFE_DAYS, Recalibration, logit, sigmoid
from parivision.scoring.metrics import log_loss

DAYS, SHOTS_A_DAY = 40, 1000


def _season(shift: float, slope: float, seed: int = 0):
    """Predictions, and outcomes whose log odds are `shift + slope` times those predicted."""
    rng = np.random.default_rng(seed)
    said = rng.beta(8, 9, DAYS * SHOTS_A_DAY)
    made = (rng.random(len(said)) < sigmoid(shift + slope * logit(said))).astype(float)
    days = [(100 + d, slice(d * SHOTS_A_DAY, (d + 1) * SHOTS_A_DAY)) for d in range(DAYS)]
    return said, made, days


def test_a_calibrated_model_is_left_alone():
    """Where predictions are true, recalibration changes next to nothing and costs nothing."""
    said, made, days = _season(0.0, 1.0)
    answered = Recalibration().walk(said, made, days)
    assert np.abs(answered - said).max() < 0.02
    assert log_loss(made, answered) == pytest.approx(log_loss(made, said), abs=2e-4)


@pytest.mark.parametrize(
    ("shift", "slope", "left"),
    [(0.25, 1.0, 0.15), (-0.25, 1.0, 0.15), (0.0, 0.7, 0.35), (0.1, 1.2, 0.35)],
)
def test_a_known_bias_is_removed(shift, slope, left):
    """A model that is off by a shift is level after some weeks, one off by a slope nearly so."""
    said, made, days = _season(shift, slope)
    recalibration = Recalibration()
    recalibration.walk(said, made, days)
    true = sigmoid(shift + slope * logit(said))
    error = np.abs(recalibration.apply(said) - true).mean()
    assert error < left * np.abs(said - true).mean()


def test_a_day_is_answered_before_it_is_counted():
    """Other outcomes on a day and later leave the answers up to that day as they are."""
    said, made, days = _season(0.3, 1.0)
    last = days[20][1]
    changed = made.copy()
    changed[last.start :] = 1 - changed[last.start :]
    before, after = (Recalibration().walk(said, labels, days) for labels in (made, changed))
    assert before[: last.stop].tobytes() == after[: last.stop].tobytes()
    assert (before[last.stop :] != after[last.stop :]).all()


def test_days_already_counted_are_not_counted_again():
    """Walking over the same games twice answers as of now and changes nothing."""
    said, made, days = _season(0.3, 1.0)
    recalibration = Recalibration()
    recalibration.walk(said, made, days)
    once = recalibration.to_dict()
    again = recalibration.walk(said, 1 - made, days)
    assert recalibration.to_dict() == once
    assert again.tobytes() == recalibration.apply(said).tobytes()


def test_it_forgets_by_its_half_life():
    """After a half-life without games the information is half of what it was."""
    said, made, days = _season(0.3, 1.0)
    recalibration = Recalibration()
    recalibration.walk(said[:1000], made[:1000], days[:1])
    before = recalibration.information.copy()
    later = days[0][0] + int(HALF_LIFE_DAYS)
    recalibration.walk(np.array([0.5]), np.array([1.0]), [(later, slice(0, 1))])
    added = np.array([[0.25, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(recalibration.information, before / 2 + added)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(-9000, 20000)), max_size=30),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_answers_are_probabilities_whatever_came_before(past, said):
    """After any games, sure and wrong predictions included, answers lie between 0 and 1."""
    recalibration = Recalibration()
    for p, made, day in sorted(past, key=lambda shot: shot[2]):
        recalibration.walk(np.array([p]), np.array([float(made)]), [(day, slice(0, 1))])
    answers = recalibration.apply(np.array(said))
    assert ((answers >= 0) & (answers <= 1)).all()
    kept = Recalibration.from_dict(json.loads(json.dumps(recalibration.to_dict())))
    assert kept.apply(np.array(said)).tobytes() == answers.tobytes()
    assert kept.as_of_day == recalibration.as_of_day


def test_a_new_one_changes_nothing():
    """Before any game the answer is what was said."""
    said = np.linspace(0.001, 0.999, 50)
    np.testing.assert_allclose(Recalibration().apply(said), said, rtol=1e-9)
    assert Recalibration().shift_and_slope == (0.0, 1.0)


def test_a_copy_moves_on_its_own():
    """What happens to a copy leaves the original as it was."""
    said, made, days = _season(0.3, 1.0)
    original = Recalibration()
    original.walk(said[:1000], made[:1000], days[:1])
    before = original.to_dict()
    original.copy().walk(said, made, days)
    assert original.to_dict() == before
