"""Rows to fit on, and what fits need of them."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from parivision.models.estimators import Estimator, Matrix
from parivision.shots.facts import Floats

_IMPORTANCE_ROWS: Final = 4000
"""Enough that the order of the important features is stable, and a second's work."""


@dataclass(frozen=True)
class Sample:
    """Rows to fit or to stop on: features (n, k), labels (n,), weights (n,), feature names (k,)."""

    features: Matrix
    made: Floats
    weight: Floats
    names: tuple[str, ...]


def random_rows(sample: Sample, most: int, seed: int) -> Sample:
    """The sample, or `most` random rows of it where it has more."""
    if len(sample.made) <= most:
        return sample
    kept = np.sort(np.random.default_rng(seed).choice(len(sample.made), most, replace=False))
    return Sample(sample.features[kept], sample.made[kept], sample.weight[kept], sample.names)


def with_empty_columns_filled(sample: Sample) -> Sample:
    """Zeros in columns that have no value at all: scikit-learn's binning and medians need one."""
    empty = np.isnan(sample.features).all(axis=0)
    if not empty.any():
        return sample
    return replace(sample, features=np.where(empty, np.float32(0), sample.features))


def permutation_importances(model: Estimator, sample: Sample, seed: int) -> Floats:
    """How important each feature is to the model, shape (k,), as shares that sum to 1 (or all 0).

    The importance of a feature is how much the log loss rises when its values are shuffled among
    random rows of the sample (Breiman, Random Forests, 2001).
    """
    rng = np.random.default_rng(seed)
    count = min(_IMPORTANCE_ROWS, len(sample.made))
    rows = rng.choice(len(sample.made), count, replace=False)
    features, made = sample.features[rows], sample.made[rows]

    def loss(x: Matrix) -> float:
        p = np.clip(model.predict(x), 1e-6, 1 - 1e-6)
        return float(-np.mean(made * np.log(p) + (1 - made) * np.log(1 - p)))

    base = loss(features)
    rises = np.zeros(features.shape[1])
    for index in range(features.shape[1]):
        shuffled = features.copy()
        shuffled[:, index] = rng.permutation(shuffled[:, index])
        # By chance shuffling a useless feature may even help.
        rises[index] = max(loss(shuffled) - base, 0.0)
    return rises / (rises.sum() or 1.0)
