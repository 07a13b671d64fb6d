"""Fitted estimators of every family behind one interface: features in, probabilities out, files.

A new kind of estimator needs a class here and a line in `KINDS`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from parivision.errors import ModelError
from parivision.models import additive, trees
from parivision.models.native import Forest
from parivision.models.reproducible import reproducible
from parivision.shots.facts import Floats

if TYPE_CHECKING:
    import xgboost

Matrix = NDArray[np.float32]

# The last two are inside scikit-learn's SplineTransformer.
_TRUSTED: Final = ("sklearn.", "numpy.", "scipy.interpolate.", "scipy._lib.array_api_compat.")


class Estimator(Protocol):
    """A fitted model of one row's label given its features."""

    kind: str

    @property
    def rounds(self) -> int | None:
        """Rounds of boosting that were kept; None for a family without."""
        ...

    def predict(self, features: Matrix) -> Floats:
        """Probabilities of a made shot, shape (n,), of features of shape (n, k)."""
        ...

    def one(self, row: Sequence[float]) -> float:
        """The probability that `predict` gives for one row of k features, without its overhead."""
        ...

    def importances(self) -> Floats | None:
        """Relative importance of each feature, shape (k,), summing to 1; None if there is none."""
        ...

    def save(self, path: Path) -> None:
        """Write the model to one file; the same model gives the same bytes."""
        ...


class Constant:
    """The league's mean: the same probability for every shot."""

    kind = "constant"
    rounds = None

    def __init__(self, p_made: float) -> None:
        self.p_made = p_made

    def predict(self, features: Matrix) -> Floats:
        """The constant, n times."""
        return np.full(len(features), self.p_made)

    def one(self, row: Sequence[float]) -> float:  # noqa: ARG002 - all kinds answer the same way
        """The constant."""
        return self.p_made

    def importances(self) -> None:
        """A constant uses no feature."""

    def save(self, path: Path) -> None:
        """Write the number as text."""
        path.write_text(repr(self.p_made))

    @classmethod
    def load(cls, path: Path) -> "Constant":
        """Read what `save` wrote."""
        return cls(float(path.read_text()))


class FirstColumn:
    """The first feature, taken as the probability: the league's recent rate in the shot's zone."""

    kind = "first_column"
    rounds = None

    def predict(self, features: Matrix) -> Floats:
        """The first column."""
        return features[:, 0].astype(np.float64)

    def one(self, row: Sequence[float]) -> float:
        """The first number, cut to float32 as in a matrix."""
        return float(np.float32(row[0]))

    def importances(self) -> None:
        """There is one feature, and nothing was fitted."""

    def save(self, path: Path) -> None:
        """Write an empty file: there is nothing to keep."""
        path.write_text("")

    @classmethod
    def load(cls, path: Path) -> "FirstColumn":  # noqa: ARG003 - all kinds load the same way
        """Read what `save` wrote."""
        return cls()


class LightGBM:
    """A LightGBM model; its Python package is needed to train it, not to ask it."""

    kind = "lightgbm"

    def __init__(self, text: str) -> None:
        """A model in LightGBM's text format."""
        self._forest = Forest(text)

    @property
    def rounds(self) -> int:
        """Trees that were kept."""
        return self._forest.rounds

    def predict(self, features: Matrix) -> Floats:
        """Probabilities by the trees, on one thread."""
        return self._forest.many(features)

    def one(self, row: Sequence[float]) -> float:
        """Probability by the trees."""
        return self._forest.one(row)

    def importances(self) -> Floats:
        """Share of the total gain."""
        import lightgbm

        return _shares(lightgbm.Booster(model_str=self._forest.text).feature_importance("gain"))

    def save(self, path: Path) -> None:
        """Write LightGBM's text format."""
        path.write_text(self._forest.text)

    @classmethod
    def load(cls, path: Path) -> "LightGBM":
        """Read what `save` wrote."""
        return cls(path.read_text())


class XGBoost:
    """An XGBoost booster, whose trees are added up in float64 (see `trees.of_xgboost`)."""

    kind = "xgboost"

    def __init__(self, booster: "xgboost.Booster") -> None:
        self.booster = booster
        self._forest = trees.of_xgboost(booster)

    @property
    def rounds(self) -> int:
        """Trees that were kept."""
        return int(self.booster.num_boosted_rounds())

    def predict(self, features: Matrix) -> Floats:
        """Probabilities by the trees, on one thread."""
        return self._forest.many(features)

    def one(self, row: Sequence[float]) -> float:
        """Probability by the trees."""
        return self._forest.one(row)

    def importances(self) -> Floats:
        """Share of the total gain."""
        gain = self.booster.get_score(importance_type="total_gain")
        values = [gain.get(f"f{index}", 0.0) for index in range(self.booster.num_features())]
        return _shares(np.array(values))

    def save(self, path: Path) -> None:
        """Write XGBoost's UBJSON format."""
        path.write_bytes(bytes(self.booster.save_raw("ubj")))

    @classmethod
    def load(cls, path: Path) -> "XGBoost":
        """Read what `save` wrote."""
        import xgboost

        booster = xgboost.Booster()
        booster.load_model(bytearray(path.read_bytes()))
        return cls(booster)


class Sklearn:
    """Any scikit-learn classifier with `predict_proba`, kept in the skops format.

    Trees and the linear family are evaluated without it, which takes microseconds a row.

    skops refuses to load types it does not know, where a pickle would run whatever it holds.
    """

    kind = "sklearn"

    def __init__(
        self, classifier: Any, importances: Floats | None = None, rounds: int | None = None
    ) -> None:
        self.classifier = classifier
        self._importances = importances
        self.rounds = rounds
        self._own = trees.of_sklearn(classifier) or additive.of_sklearn(classifier)

    def predict(self, features: Matrix) -> Floats:
        """Probability of class 1."""
        if self._own is not None:
            return self._own.many(features)
        return np.asarray(self.classifier.predict_proba(features)[:, 1], np.float64)

    def one(self, row: Sequence[float]) -> float:
        """Probability of class 1."""
        if self._own is not None:
            return self._own.one(row)
        return float(self.predict(np.array([row], np.float32))[0])

    def importances(self) -> Floats | None:
        """What was found when the model was fitted; see `families`."""
        return self._importances

    def save(self, path: Path) -> None:
        """Write the skops format."""
        import skops.io

        kept = {"classifier": self.classifier, "importances": self._importances}
        path.write_bytes(reproducible(skops.io.dumps(kept)))

    @classmethod
    def load(cls, path: Path) -> "Sklearn":
        """Read what `save` wrote; raises ModelError for a file with types of other packages."""
        import skops.io

        unknown = skops.io.get_untrusted_types(file=path)
        foreign = [name for name in unknown if not name.startswith(_TRUSTED)]
        if foreign:
            raise ModelError(f"it holds types {foreign}: only scikit-learn is expected")
        kept = skops.io.load(path, trusted=unknown)
        return cls(kept["classifier"], kept["importances"])


KINDS: Final = {cls.kind: cls for cls in (Constant, FirstColumn, LightGBM, XGBoost, Sklearn)}


def load_estimator(kind: str, path: Path) -> Estimator:
    """The estimator kept in a file; raises ModelError if the file or its kind is unusable."""
    if kind not in KINDS:
        raise ModelError(f"unknown kind of estimator {kind!r}: expected one of {sorted(KINDS)}")
    try:
        return KINDS[kind].load(path)
    except Exception as error:
        raise ModelError(f"cannot load {kind} model {path.name}: {error}") from error


def _shares(values: NDArray[np.float64]) -> Floats:
    total = float(np.sum(values))
    return np.asarray(values, np.float64) / (total or 1.0)
