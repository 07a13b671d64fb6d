"""Log loss and ROC-AUC estimated from probabilities alone."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import ModelError
from parivision.scoring import estimated, metrics
from parivision.scoring.estimated import Surprise

SURE = Surprise(prior=0.0)


def probabilities(seed, n=2000):
    """Shots as a model answers them."""
    rng = np.random.default_rng(seed)
    return 1 / (1 + np.exp(-rng.normal(-0.2, 0.7, n)))


@pytest.fixture
def few(monkeypatch):
    """Estimates of a handful of shots, which can be enumerated."""
    monkeypatch.setattr(estimated, "MIN_SHOTS", 2)


@pytest.mark.parametrize("p", [[0.1, 0.4, 0.4, 0.8, 0.55], [0.5, 0.5, 0.5], [0.2, 0.9, 0.3, 0.7]])
def test_it_is_the_expectation_over_all_outcomes(few, p):
    """For a few shots every outcome can be gone through: mean and spread are those."""
    losses, weights, right, pairs = [], [], 0.0, 0.0
    for made in product((0, 1), repeat=len(p)):
        weight = np.prod([one if hit else 1 - one for one, hit in zip(p, made, strict=True)])
        losses.append(metrics.log_loss(made, p))
        weights.append(weight)
        n_pairs = sum(made) * (len(p) - sum(made))
        if n_pairs:
            right += weight * n_pairs * metrics.roc_auc(made, p)
            pairs += weight * n_pairs
    loss = estimated.log_loss(p, SURE)
    mean = np.average(losses, weights=weights)
    assert loss.value == pytest.approx(mean)
    assert loss.by_chance**2 == pytest.approx(np.average((losses - mean) ** 2, weights=weights))
    assert estimated.roc_auc(p, SURE).value == pytest.approx(right / pairs)


@pytest.mark.parametrize(
    ("estimate", "real"),
    [(estimated.log_loss, metrics.log_loss), (estimated.roc_auc, metrics.roc_auc)],
)
def test_where_probabilities_hold_the_interval_does(estimate, real):
    """In 1,000 weeks some 950 real values lie in it, and as many below as above."""
    rng = np.random.default_rng(5)
    held, above = 0, 0
    for week in range(1000):
        p = probabilities(week, 1500)
        made = rng.random(1500) < p
        told, came = estimate(p, SURE), real(made, p)
        held += told.holds(came)
        above += came > told.value
    assert 930 <= held <= 970
    assert 440 <= above <= 560


@given(st.lists(st.floats(0.01, 0.99), min_size=5, max_size=40), st.integers(0, 10**6))
def test_the_order_of_shots_does_not_matter(p, seed):
    """Nor do ties: the same numbers to rounding."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimated, "MIN_SHOTS", 2)
        shuffled = np.random.default_rng(seed).permutation(p)
        for estimate in (estimated.log_loss, estimated.roc_auc):
            one, other = estimate(p, SURE), estimate(shuffled, SURE)
            assert one.value == pytest.approx(other.value)
            assert one.by_chance == pytest.approx(other.by_chance, abs=1e-9)


def test_more_shots_make_it_narrower_until_weeks_differ():
    """Chance shrinks with the root of n; what weeks differ by beyond it does not."""
    small, large = (estimated.log_loss(probabilities(1, n), SURE) for n in (1000, 100_000))
    assert small.by_chance / large.by_chance == pytest.approx(10, rel=0.1)
    told = estimated.log_loss(probabilities(1, 100_000), Surprise(prior=0.005))
    assert told.high - told.low > 2 * 1.95 * 0.005


def test_what_came_teaches_how_far_to_trust_it():
    """Weeks that are off by more than chance widen it, weeks that are not narrow it again."""
    told = estimated.log_loss(probabilities(2), SURE)
    off = Surprise(prior=0.003)
    for _ in range(20):
        off = off.after(told, told.value + 0.02)
    assert off.spread == pytest.approx(np.sqrt(20 / 24 * (0.02**2 - told.by_chance**2)), rel=0.1)
    calm = off
    for _ in range(200):
        calm = calm.after(told, told.value)
    assert calm.spread < off.spread / 2
    assert calm.windows == 220


def test_hard_shots_are_told_from_easy_ones():
    """The estimate falls where the model is surer."""
    unsure, sure = (
        estimated.log_loss(1 / (1 + np.exp(-k * np.linspace(-1, 1, 500)))) for k in (1, 3)
    )
    assert sure.value < unsure.value
    assert estimated.roc_auc(np.full(500, 0.5)).value == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("p", "said"),
    [
        ([0.5] * 10, "shots or more"),
        ([[0.5] * 400], "shape"),
        ([0.5] * 400 + [1.5], "from 0 to 1"),
        ([0.5] * 400 + [float("nan")], "from 0 to 1"),
    ],
)
def test_what_cannot_be_estimated_is_refused(p, said):
    """Too few shots, and what is no probability."""
    for estimate in (estimated.log_loss, estimated.roc_auc):
        with pytest.raises(ModelError, match=said):
            estimate(p)


def test_a_window_without_a_real_value_teaches_nothing():
    """The ROC-AUC of a week of makes only is not defined: what was known stays known."""
    estimate = estimated.roc_auc(np.linspace(0.2, 0.8, 400))
    before = estimated.ROC_AUC.after(estimate, 0.6)
    assert before.after(estimate, float("nan")) == before
