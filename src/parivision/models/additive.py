"""The linear family as what it is: a generalized additive model, a sum of one-feature functions.

The model is a logistic regression on B-splines of continuous features (Eilers and Marx, Statistical
Science 1996), one-hot levels and flags. scikit-learn builds a row of some hundred spline values
first, which takes it milliseconds. But a weighted sum of cubic B-splines is one cubic polynomial
between two knots (the pp-form in de Boor, A Practical Guide to Splines), so each feature
costs one cubic or one weight. This works in float64, and scikit-learn rounds splines to float32:
they differ by some 1e-7.
"""

import math
import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from parivision.shots.facts import Floats

_STEPS: Final = ("curves", "levels", "flags")


class _Term(Protocol):
    """What one feature adds to the log odds: of a number, and of numbers of shape (n,)."""

    def one(self, x: float) -> float: ...

    def many(self, x: Floats) -> Floats: ...


@dataclass(frozen=True)
class _Curve:
    """A piecewise cubic; `missing` stands for NaN.

    Each piece is (origin, a, b, c, d): ((a u + b) u + c) u + d with u = x - origin. There is one
    more piece than bounds.
    """

    missing: float
    bounds: list[float]
    pieces: list[tuple[float, ...]]

    def one(self, x: float) -> float:
        x = self.missing if math.isnan(x) else x
        origin, a, b, c, d = self.pieces[bisect_right(self.bounds, x)]
        x -= origin
        return ((a * x + b) * x + c) * x + d

    def many(self, x: Floats) -> Floats:
        x = np.where(np.isnan(x), self.missing, x)
        indices = np.searchsorted(self.bounds, x, side="right")
        origin, a, b, c, d = np.array(self.pieces).T[:, indices]
        x = x - origin
        value: Floats = ((a * x + b) * x + c) * x + d
        return value


@dataclass(frozen=True)
class _Levels:
    """A weight for each known number and for NaN, nothing for others."""

    weights: dict[float, float]
    missing: float

    def one(self, x: float) -> float:
        return self.missing if math.isnan(x) else self.weights.get(x, 0.0)

    def many(self, x: Floats) -> Floats:
        distinct, indices = np.unique(x, return_inverse=True)
        return np.array([self.one(value) for value in distinct.tolist()])[indices]


@dataclass(frozen=True)
class _Slope:
    """A weight times the number; nothing for NaN."""

    weight: float

    def one(self, x: float) -> float:
        return 0.0 if math.isnan(x) else self.weight * x

    def many(self, x: Floats) -> Floats:
        return np.where(np.isnan(x), 0.0, self.weight * x)


class Additive:
    """Log odds as a constant and a term for each feature that counts; threads may share it."""

    def __init__(self, columns: int, constant: float, terms: Sequence[tuple[int, _Term]]) -> None:
        """`terms` are those of features by their column, of so many."""
        self._format = f"{columns}f"
        self._constant = constant
        self._terms = list(terms)

    def one(self, row: Sequence[float]) -> float:
        """The probability of one row of features, cut to float32 as in a matrix."""
        values = struct.unpack(self._format, struct.pack(self._format, *row))
        total = self._constant
        for column, term in self._terms:
            total += term.one(values[column])
        # Straight lines have no end, and exp of a large number is an error.
        odds = math.exp(-abs(total))
        return 1.0 / (1.0 + odds) if total > 0 else odds / (1.0 + odds)

    def many(self, features: NDArray[np.float32]) -> Floats:
        """The probabilities of n rows, shape (n,), of features of shape (n, k)."""
        total = np.full(len(features), self._constant)
        for column, term in self._terms:
            total += term.many(features[:, column].astype(np.float64))
        odds = np.exp(-np.abs(total))
        p_made: Floats = np.where(total > 0, 1.0, odds) / (1.0 + odds)
        return p_made


def of_sklearn(classifier: Any) -> Additive | None:
    """Probability of class 1 by a pipeline as `families` fits it; None if it is none."""
    steps = getattr(classifier, "named_steps", {})
    if list(steps) != ["columntransformer", "logisticregression"]:
        return None
    table, linear = steps["columntransformer"], steps["logisticregression"]
    if tuple(name for name, _, _ in table.transformers_ if name != "remainder") != _STEPS:
        return None
    constant = float(linear.intercept_[0])
    terms: list[tuple[int, _Term]] = []
    for name, step, columns in table.transformers_:
        if name not in _STEPS or not columns:
            continue
        weights = linear.coef_[0][table.output_indices_[name]]
        if name == "flags":
            step_terms: Sequence[_Term] = [_Slope(weight) for weight in weights.tolist()]
        elif name == "levels":
            step_terms = _levels(step, weights)
        else:
            # Standardization is linear, so it goes into the weights and the constant.
            scaler = step[-1]
            weights = weights / scaler.scale_
            constant -= float(weights @ scaler.mean_)
            step_terms = _curves(step[0], step[1], weights)
        terms += zip(columns, step_terms, strict=True)
    return Additive(classifier.n_features_in_, constant, terms)


def _levels(encoder: Any, weights: Floats) -> list[_Levels]:
    """The weight of each category, by encoding it: rare categories share one."""
    terms, start = [], 0
    usual = [known[0] for known in encoder.categories_]
    for feature, (known, rare) in enumerate(
        zip(encoder.categories_, encoder.infrequent_categories_, strict=True)
    ):
        # A row for each category of this feature. The other features stay at a known category, and
        # their columns are not looked at.
        rows = np.array([usual] * len(known))
        rows[:, feature] = known
        end = start + len(known) - (0 if rare is None else len(rare) - 1)
        of_known = encoder.transform(rows)[:, start:end] @ weights[start:end]
        by_value = dict(zip(known.tolist(), of_known.tolist(), strict=True))
        missing = next((weight for value, weight in by_value.items() if math.isnan(value)), 0.0)
        terms.append(_Levels(by_value, missing))
        start = end
    return terms


def _curves(imputer: Any, splines: Any, weights: Floats) -> list[_Curve]:
    """The weighted sum of each feature's splines, straight on beyond their ends."""
    from scipy.interpolate import BSpline, PPoly

    terms = []
    by_feature = np.split(weights, len(splines.bsplines_))
    for spline, own, missing in zip(
        splines.bsplines_, by_feature, imputer.statistics_, strict=True
    ):
        degree, knots = spline.k, spline.t
        inside = PPoly.from_spline(BSpline(knots, own, degree))
        first, last = knots[degree], knots[-degree - 1]
        # Beyond the ends scikit-learn goes on in a straight line: value and slope of the end.
        starts = np.unique(knots[(knots >= first) & (knots < last)])
        ends = [
            (float(x), 0.0, 0.0, float(inside(x, nu=1)), float(inside(x))) for x in (first, last)
        ]
        at = np.searchsorted(inside.x, starts, side="right") - 1
        cubics = [(float(x), *inside.c[:, i].tolist()) for x, i in zip(starts, at, strict=True)]
        bounds = [*starts.tolist(), float(last)]
        terms.append(_Curve(float(missing), bounds, [ends[0], *cubics, ends[1]]))
    return terms
