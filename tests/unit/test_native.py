"""Trees of every library give their own library's answers, row by row and all at once."""

import pickle
from typing import Any

import numpy as np
import pytest

from parivision.errors import ModelError
from parivision.models import trees
from parivision.models.native import LOG_ODDS, Forest, Tree, forest

ROWS, COLUMNS = 600, 5
RNG = np.random.default_rng(3)


def _rows(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Small whole numbers, so that many values are thresholds, and a tenth of them missing."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-3, 4, (ROWS, COLUMNS)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


LEARNT = _rows(0)
LABEL = (RNG.random(ROWS) < 1 / (1 + np.exp(-np.nansum(LEARNT, axis=1)))).astype(np.int64)
ASKED = _rows(1)


def _xgboost() -> tuple[Forest, Any]:
    import xgboost

    params = {"objective": "binary:logistic", "max_depth": 4, "nthread": 1}
    booster = xgboost.train(params, xgboost.DMatrix(LEARNT, LABEL), num_boost_round=20)
    return trees.of_xgboost(booster), booster.inplace_predict(ASKED)


def _sklearn(name: str, **params: Any) -> tuple[Forest | None, Any]:
    from sklearn import ensemble

    classifier = getattr(ensemble, name)(random_state=0, **params).fit(LEARNT, LABEL)
    return trees.of_sklearn(classifier), classifier.predict_proba(ASKED)[:, 1]


def _lightgbm(leaves: int = 31) -> tuple[Forest, Any]:
    """A third of the columns are never missing where it learns, and some are where it answers."""
    import lightgbm

    learnt = np.where(np.isnan(LEARNT) & (np.arange(COLUMNS) < 2), np.float32(0), LEARNT)
    params = {"objective": "binary", "num_leaves": leaves, "min_data_in_leaf": 3, "verbose": -1}
    booster = lightgbm.train({**params, "num_threads": 1}, lightgbm.Dataset(learnt, LABEL), 20)
    return Forest(booster.model_to_string()), booster.predict(ASKED)


LIBRARIES = {
    "lightgbm": (_lightgbm, 0.0),
    "lightgbm, large trees": (lambda: _lightgbm(128), 0.0),
    # XGBoost adds up in float32.
    "xgboost": (_xgboost, 1e-6),
    "gradient boosting": (
        lambda: _sklearn("HistGradientBoostingClassifier", max_iter=20, min_samples_leaf=3),
        1e-15,
    ),
    "random forest": (lambda: _sklearn("RandomForestClassifier", n_estimators=20, n_jobs=1), 1e-15),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_librarys_trees_give_its_own_answers(library):
    """Ties with a threshold, and missing values, go where the trees' own library sends them."""
    make, tolerance = LIBRARIES[library]
    ours, theirs = make()
    assert ours is not None
    assert np.abs(ours.many(ASKED) - theirs).max() <= tolerance


def test_one_row_and_many_are_the_same():
    """A row asked about alone gets the very number that it gets among others."""
    ours, _ = _xgboost()
    assert [ours.one(row) for row in ASKED.tolist()] == ours.many(ASKED).tolist()


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name != "random forest"])
def test_thousands_of_rows_get_the_same_answers(library):
    """Whole columns at a time, ties and missing values included, but for the last digit."""
    ours, _ = LIBRARIES[library][0]()
    assert ours is not None
    assert ours._columnwise is not None
    rows = np.concatenate([ASKED, np.full((1, COLUMNS), np.finfo(np.float32).max), -ASKED] * 10)
    expected = [ours.one(row) for row in rows.tolist()]
    assert len(rows) >= 2048
    np.testing.assert_allclose(ours.many(rows), expected, rtol=0, atol=1e-15)


def test_trees_that_are_too_large_are_walked_down():
    """A place has a byte, and a random forest's sum is no log odds."""
    ours, _ = _sklearn("RandomForestClassifier", n_estimators=2, n_jobs=1)
    assert ours is not None
    assert ours._columnwise is None
    assert len(ours.many(np.concatenate([ASKED] * 7))) == 7 * ROWS


def test_a_forest_survives_pickling_and_outlives_its_copy():
    """Processes and copies share trees by their text."""
    ours, _ = _xgboost()
    twin = pickle.loads(pickle.dumps(ours))  # noqa: S301 - made here
    expected = ours.many(ASKED)
    del ours
    assert np.array_equal(twin.many(ASKED), expected)
    assert len(twin.many(ASKED[:0])) == 0


def test_a_tree_of_one_leaf_says_the_same_of_everything():
    """A tree that never split is a constant: log odds 0 are a half."""
    leaf = Tree(*(np.array([number]) for number in (-1, -1, 0, 0, 0, 0.0)))
    ours = forest([leaf], COLUMNS, LOG_ODDS)
    assert set(ours.many(ASKED).tolist()) == {0.5}


def test_other_columns_than_the_trees_know_are_refused():
    """A matrix of another width would be read beyond its end."""
    ours, _ = _xgboost()
    with pytest.raises(ModelError, match="expected 5 columns"):
        ours.many(ASKED[:, :3])


def test_a_linear_model_has_no_trees():
    """What is no forest is left to its own library."""
    from sklearn.linear_model import LogisticRegression

    assert trees.of_sklearn(LogisticRegression()) is None
