"""The scores against scikit-learn, and at their edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sk

from parivision.errors import DataError
from parivision.scoring import metrics

pytestmark = pytest.mark.unit

PROBABILITY = st.floats(0.0, 1.0)
COARSE = st.sampled_from([0.0, 0.25, 0.25000000001, 0.5, 0.75, 1.0])


@st.composite
def predictions(draw, values=PROBABILITY):
    """Outcomes and probabilities of 1 to 60 shots, often with ties."""
    n = draw(st.integers(1, 60))
    made = draw(arrays(np.int8, n, elements=st.integers(0, 1)))
    return made, draw(arrays(np.float64, n, elements=st.one_of(values, COARSE)))


@settings(max_examples=40)
@given(predictions())
def test_threshold_scores_equal_scikit_learn(case):
    """Accuracy, precision, recall, F1 and the confusion matrix are scikit-learn's."""
    made, p = case
    said = (p >= 0.5).astype(int)
    counts = metrics.confusion(made, p)
    expected = sk.confusion_matrix(made, said, labels=[0, 1])
    assert [
        [counts.true_missed, counts.false_made],
        [counts.false_missed, counts.true_made],
    ] == expected.tolist()
    assert counts.n_shots == made.size
    assert metrics.accuracy(made, p) == pytest.approx(sk.accuracy_score(made, said))
    for ours, theirs in (
        (metrics.precision, sk.precision_score),
        (metrics.recall, sk.recall_score),
        (metrics.f1, sk.f1_score),
    ):
        assert ours(made, p) == pytest.approx(theirs(made, said, zero_division=0))


@settings(max_examples=40)
@given(predictions(st.floats(1e-5, 1 - 1e-5)))
def test_probability_scores_equal_scikit_learn(case):
    """Log loss and Brier score are scikit-learn's once probabilities keep off the clipped ends."""
    made, p = case
    inside = np.clip(p, metrics.PROBABILITY_FLOOR, 1 - metrics.PROBABILITY_FLOOR)
    assert metrics.log_loss(made, p) == pytest.approx(sk.log_loss(made, inside, labels=[0, 1]))
    assert metrics.brier(made, p) == pytest.approx(np.mean((p - made) ** 2))


@settings(max_examples=60)
@given(predictions())
def test_auc_equals_scikit_learn_with_ties(case):
    """The AUC counts ties half, as scikit-learn does, and is NaN when all shots ended alike."""
    made, p = case
    if made.min() == made.max():
        assert np.isnan(metrics.roc_auc(made, p))
        assert np.isnan(metrics.placements(made, p)).all()
    else:
        assert metrics.roc_auc(made, p) == pytest.approx(sk.roc_auc_score(made, p), abs=1e-12)


@given(predictions())
def test_misses_place_as_well_as_makes(case):
    """The mean placement of the misses is the AUC too."""
    made, p = case
    if made.min() != made.max():
        of_misses = metrics.placements(made, p)[made == 0].mean()
        assert of_misses == pytest.approx(metrics.roc_auc(made, p))


@settings(max_examples=40)
@given(predictions(), st.randoms(use_true_random=False))
def test_order_of_shots_is_irrelevant(case, random):
    """Shuffling the shots changes no score, though many have equal probabilities."""
    made, p = case
    order = np.array(random.sample(range(made.size), made.size))
    for score in (metrics.ece, metrics.log_loss, metrics.brier, metrics.accuracy):
        assert score(made[order], p[order]) == pytest.approx(score(made, p))


@given(predictions())
def test_ece_lies_between_the_overall_gap_and_one(case):
    """Binning can only add to the distance of mean probability and make rate."""
    made, p = case
    overall = abs(p.mean() - made.mean())
    assert overall - 1e-12 <= metrics.ece(made, p) <= 1


def test_sure_and_wrong_costs_the_clipped_loss():
    """A probability of exactly 0 for a make costs -log(floor), not infinity."""
    assert metrics.log_loss([1], [0.0]) == pytest.approx(-np.log(metrics.PROBABILITY_FLOOR))
    assert metrics.log_loss([0], [1.0]) == pytest.approx(-np.log(metrics.PROBABILITY_FLOOR))


def test_bins_hold_equal_mass():
    """Distinct probabilities fall into 15 bins whose sizes differ by at most one."""
    p = np.random.default_rng(0).random(1000)
    sizes = np.bincount(metrics.calibration_bins(p))
    assert sizes.size == 15
    assert sizes.max() - sizes.min() <= 1


def test_constant_model_has_one_bin():
    """A model that says one thing has as ECE its distance from the make rate."""
    assert metrics.ece([1, 0, 0, 0], [0.5] * 4) == pytest.approx(0.25)


def test_ece_of_a_shifted_model_by_hand():
    """Two levels of probability, each 0.1 too high, give an ECE of 0.1."""
    made = np.r_[np.repeat([1, 0], [30, 70]), np.repeat([1, 0], [60, 40])]
    p = np.repeat([0.4, 0.7], 100)
    assert metrics.ece(made, p) == pytest.approx(0.1)


def test_ece_noise_is_what_true_probabilities_show():
    """Over many draws from true probabilities the mean ECE is the stated noise."""
    rng = np.random.default_rng(1)
    p = rng.beta(8, 9, 3000)
    seen = [metrics.ece(rng.random(p.size) < p, p) for _ in range(200)]
    assert np.mean(seen) == pytest.approx(metrics.ece_noise(p), rel=0.05)


def test_roc_curve_runs_from_corner_to_corner():
    """The curve starts at (0, 0), ends at (1, 1), never falls and encloses the AUC."""
    rng = np.random.default_rng(2)
    p = rng.random(5000)
    made = rng.random(5000) < p
    false, true = metrics.roc_curve(made, p)
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(true) >= 0).all()
    assert false.size <= 201
    assert np.trapezoid(true, false) == pytest.approx(metrics.roc_auc(made, p), abs=1e-3)


def test_roc_curve_needs_both_outcomes():
    """All makes and no miss is an error that says so."""
    with pytest.raises(DataError, match="makes and misses"):
        metrics.roc_curve([1, 1], [0.2, 0.3])


@pytest.mark.parametrize(
    ("made", "p", "message"),
    [
        ([], [], "at least one shot"),
        ([1, 0], [0.5], "one probability for each shot"),
        ([[1]], [[0.5]], "one probability for each shot"),
        ([2], [0.5], "outcomes of 0 or 1"),
        ([None], [0.5], "outcomes of 0 or 1"),
        ([1], [float("nan")], "probabilities from 0 to 1"),
        ([1, 1], [1.5, 0.5], "got 1 others"),
        ([1], [-0.1], "probabilities from 0 to 1"),
    ],
)
def test_broken_numbers_have_no_score(made, p, message):
    """Missing, unequal or impossible input is an error that names what was expected."""
    for score in (metrics.log_loss, metrics.ece, metrics.roc_auc, metrics.accuracy):
        with pytest.raises(DataError, match=message):
            score(made, p)
