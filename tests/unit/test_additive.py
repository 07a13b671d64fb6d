"""The linear family, evaluated as a sum of functions of one feature each."""

import time

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from parivision.features import kernel
from parivision.features.form import Form
from parivision.features.rows import walk
from parivision.models import additive
from parivision.models.estimators import Sklearn
from parivision.models.families import FAMILIES
from parivision.models.sample import Sample

NAMES = kernel.FULL


@pytest.fixture(scope="module")
def rows(league_history):
    """Features of four thousand shots, some of them unlike any shot: far out, or not known."""
    facts, made = league_history.facts.take(slice(4000, 8000)), league_history.made[4000:8000]
    usual = walk(Form(), facts, made, NAMES).values
    rng = np.random.default_rng(7)
    odd = usual * np.where(rng.random(usual.shape) < 0.2, rng.normal(1, 3, usual.shape), 1)
    odd[rng.random(usual.shape) < 0.2] = np.nan
    return usual, odd.astype(np.float32), made


@pytest.fixture(scope="module")
def fitted(rows):
    """The linear family's estimator."""
    usual, _, made = rows
    family = FAMILIES["logistic_regression"]
    sample = Sample(usual, made, np.ones(len(made)), NAMES)
    return family.fit(sample, None, {**family.defaults, "max_rows": 10_000}, 0)


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("kind", [0, 1], ids=["usual", "odd"])
def test_it_says_what_scikit_learn_says(fitted, rows, kind):
    """Beyond the knots, between them, for unknown levels and missing values."""
    assert isinstance(fitted, Sklearn)
    expected = fitted.classifier.predict_proba(rows[kind])[:, 1]
    np.testing.assert_allclose(fitted.predict(rows[kind]), expected, rtol=0, atol=2e-6)
    alone = [fitted.one(row) for row in rows[kind][:300].tolist()]
    np.testing.assert_allclose(alone, fitted.predict(rows[kind][:300]), rtol=0, atol=1e-15)


def test_levels_that_were_missing_have_a_weight_of_their_own(rows):
    """A column of categories with NaN among them, as scikit-learn takes it."""
    usual, _, made = rows
    holes = usual.copy()
    holes[::3, NAMES.index("zone")] = np.nan
    holes[:10, NAMES.index("period")] = 9
    family = FAMILIES["logistic_regression"]
    sample = Sample(holes, made, np.ones(len(made)), NAMES)
    fitted = family.fit(sample, None, family.defaults, 0)
    assert isinstance(fitted, Sklearn)
    expected = fitted.classifier.predict_proba(holes)[:, 1]
    np.testing.assert_allclose(fitted.predict(holes), expected, rtol=0, atol=2e-6)
    alone = [fitted.one(row) for row in holes[:30].tolist()]
    np.testing.assert_allclose(alone, expected[:30], rtol=0, atol=2e-6)


def test_extreme_log_odds_are_probabilities(fitted):
    """Numbers that no shot has give 0 or 1 and no error."""
    huge = np.full((2, len(NAMES)), 1e30, np.float32)
    huge[1] *= -1
    p_made = fitted.predict(huge)
    assert set(p_made.tolist()) <= {0.0, 1.0}
    assert [fitted.one(row) for row in huge.tolist()] == p_made.tolist()


def test_one_shot_takes_microseconds(fitted, rows):
    """A small part of what scikit-learn takes for it."""

    def seconds(work):
        began = time.thread_time()
        for _ in range(20):
            work()
        return time.thread_time() - began

    row = rows[0][0]
    theirs = min(seconds(lambda: fitted.classifier.predict_proba(row[None])) for _ in range(3))
    values = row.tolist()
    ours = min(seconds(lambda: fitted.one(values)) for _ in range(3))
    assert ours < theirs / 20


def test_other_models_are_left_to_scikit_learn(rows):
    """Whatever is not the family's pipeline."""
    usual, _, made = rows
    filled = np.nan_to_num(usual)
    plain = LogisticRegression().fit(filled[:, :3], made)
    scaled = make_pipeline(
        ColumnTransformer([("all", SimpleImputer(), [0, 1])]), LogisticRegression()
    ).fit(filled, made)
    others = [plain, make_pipeline(StandardScaler(), plain), scaled]
    assert [additive.of_sklearn(each) for each in others] == [None] * 3
