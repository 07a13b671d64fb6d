"""The trees of XGBoost's and scikit-learn's models, as `native` evaluates them.

The libraries differ in three things, which are translated here: whether a value equal to the
threshold goes left, where a missing value goes, and what is added to the sum of the leaves.
"""

import json
from typing import Any, Final

import numpy as np

from parivision.models.native import LOG_ODDS, MEAN, Forest, Tree, forest

_NO_CHILD: Final = -1


def of_xgboost(booster: Any) -> Forest:
    """Probabilities by an XGBoost booster's trees, base score included.

    XGBoost sends left what is below the threshold, both in float32: that is what is at most the
    next smaller number. It adds in float32 and this in float64, so they differ by some 1e-7.
    """
    learner = json.loads(booster.save_raw("json"))["learner"]
    model = learner["gradient_booster"]["model"]
    # A list of one since XGBoost 3.1.
    base = float(learner["learner_model_param"]["base_score"].strip("[]"))
    trees = [_of_xgboost(tree) for tree in model["trees"]]
    return forest([_leaf(_logit(base)), *trees], booster.num_features(), LOG_ODDS)


def _of_xgboost(tree: dict[str, Any]) -> Tree:
    left = np.array(tree["left_children"])
    conditions = np.array(tree["split_conditions"], np.float32)
    return Tree(
        left=left,
        right=np.array(tree["right_children"]),
        feature=np.array(tree["split_indices"]),
        threshold=np.nextafter(conditions, np.float32(-np.inf)),
        missing_left=np.array(tree["default_left"], np.bool_),
        value=conditions,  # a leaf's condition is what it adds
    )


def _leaf(value: float) -> Tree:
    """A tree that adds the same to every row."""
    nodes = [np.array([number]) for number in (_NO_CHILD, _NO_CHILD, 0, 0, 0, value)]
    return Tree(*nodes)


def _logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


def of_sklearn(classifier: Any) -> Forest | None:
    """Probability of class 1 by a classifier's trees; None if it has no such trees."""
    kind = type(classifier).__name__
    if kind == "RandomForestClassifier":
        trees = [_of_forest(estimator.tree_) for estimator in classifier.estimators_]
        return forest(trees, classifier.n_features_in_, MEAN)
    if kind == "HistGradientBoostingClassifier":
        return _of_boosting(classifier)
    return None


def _of_forest(tree: Any) -> Tree:
    # A leaf of a random forest holds the share of each class among its training rows.
    return Tree(
        left=tree.children_left,
        right=tree.children_right,
        feature=tree.feature,
        threshold=tree.threshold,
        missing_left=np.asarray(tree.missing_go_to_left),
        value=tree.value[:, 0, 1],
    )


def _of_boosting(classifier: Any) -> Forest:
    # scikit-learn has no public access to these trees. The baseline is the prior's log odds.
    trees = [_of_hist(predictors[0].nodes) for predictors in classifier._predictors]  # noqa: SLF001
    base = float(np.ravel(classifier._baseline_prediction)[0])  # noqa: SLF001
    return forest([_leaf(base), *trees], classifier.n_features_in_, LOG_ODDS)


def _of_hist(nodes: Any) -> Tree:
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    return Tree(
        left=np.where(is_leaf, _NO_CHILD, nodes["left"].astype(np.int64)),
        right=nodes["right"].astype(np.int64),
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(np.bool_),
        value=nodes["value"],
    )
