"""The families: how each is fitted, with early stopping on later games, and what may be searched.

`FAMILIES` is the one list of them. What is trained, judged, offered by the command line and written
into the compiled pipelines follows from it.

Every fit takes rows to fit, later rows to stop on (or None: fit `params["rounds"]` rounds, or as
many as the family needs) and returns an `Estimator`. Defaults were found on the
seasons 2012 to 2018 and are the same for all data. Everything runs on `THREADS` threads and is
reproducible for a given seed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from parivision.models.estimators import (
    Constant,
    Estimator,
    FirstColumn,
    LightGBM,
    Sklearn,
    XGBoost,
)
from parivision.models.sample import (
    Sample,
    permutation_importances,
    random_rows,
    with_empty_columns_filled,
)

THREADS: Final = 2
MAX_ROUNDS: Final = 800
PATIENCE_ROUNDS: Final = 40
FULL: Final = "full"
CLASSIC: Final = "classic"
FEATURE_SETS: Final = (FULL, CLASSIC)
Params = Mapping[str, Any]
Fit = Callable[[Sample, Sample | None, Params, int], Estimator]
Draw = Callable[[np.random.Generator], dict[str, Any]]


@dataclass(frozen=True)
class Family:
    """A family of models.

    `draw` draws parameters for the search; None: there is nothing to search. A family with
    `features` uses these and no others. All others are trained once with each of `feature_sets`,
    unless a command or a recipe asks for something else. `learns` is False for the baselines.
    `title` is for sentences, where it differs from the name.
    """

    name: str
    fit: Fit
    defaults: Params = field(default_factory=dict)
    draw: Draw | None = None
    features: tuple[str, ...] | None = None
    feature_sets: tuple[str, ...] = (FULL,)
    learns: bool = True
    title: str = ""


def _league_mean(fit: Sample, _stop: Sample | None, _params: Params, _seed: int) -> Estimator:
    return Constant(float(np.average(fit.made, weights=fit.weight)))


def _zone_rate(_fit: Sample, _stop: Sample | None, _params: Params, _seed: int) -> Estimator:
    return FirstColumn()


# Numbers without an order, or with so few values that each may have a level of its own.
_CATEGORIES: Final = (
    "zone",
    "Shot_Zone_Combined",
    "shot_value",
    "Shot_Type_Encoded",
    "period",
    "action_family",
)
_IDS: Final = ("Player_ID",)


def _logistic(fit: Sample, _stop: Sample | None, params: Params, seed: int) -> Estimator:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler

    # A linear model has learnt what it can from so many rows.
    fit = with_empty_columns_filled(random_rows(fit, params["max_rows"], seed))
    names = fit.names
    categories = [i for i, name in enumerate(names) if name in _CATEGORIES]
    flags = [i for i in range(len(names)) if np.isin(fit.features[:, i], (0, 1)).all()]
    flags = [i for i in flags if i not in categories]
    skipped = {*categories, *flags, *(names.index(n) for n in _IDS if n in names)}
    numeric = [i for i in range(len(names)) if i not in skipped]
    # An id has no median and no slope: a linear model leaves it out. What is missing gets the
    # median of the training rows, numeric features only.
    curves = make_pipeline(
        SimpleImputer(strategy="median"),
        SplineTransformer(n_knots=params["knots"], knots="quantile", extrapolation="linear"),
        StandardScaler(),
    )
    # Levels of fewer shots share one weight: their own would be mostly chance.
    levels = OneHotEncoder(handle_unknown="ignore", min_frequency=200, sparse_output=False)
    columns = ColumnTransformer(
        [
            ("curves", curves, numeric),
            ("levels", levels, categories),
            ("flags", SimpleImputer(strategy="constant", fill_value=0), flags),
        ]
    )
    # Few columns and many rows: each of Newton's steps is expensive, but few are needed, and they
    # converge.
    classifier = LogisticRegression(C=params["C"], solver="newton-cholesky", random_state=seed)
    model = make_pipeline(columns, classifier)
    model.fit(fit.features, fit.made, logisticregression__sample_weight=fit.weight)
    return Sklearn(model, permutation_importances(Sklearn(model), fit, seed))


def _random_forest(fit: Sample, _stop: Sample | None, params: Params, seed: int) -> Estimator:
    from sklearn.ensemble import RandomForestClassifier

    given = dict(params)
    rows_a_tree = min(given.pop("max_rows"), len(fit.made))
    model = RandomForestClassifier(
        n_jobs=THREADS, random_state=seed, max_samples=rows_a_tree, **given
    )
    model.fit(fit.features, fit.made, sample_weight=fit.weight)
    # Threads were for the fit: for one row they cost more than its trees.
    model.n_jobs = 1
    return Sklearn(model, np.asarray(model.feature_importances_))


def _gradient_boosting(fit: Sample, stop: Sample | None, params: Params, seed: int) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier

    given = dict(params)
    rounds = given.pop("rounds", MAX_ROUNDS)
    fit = with_empty_columns_filled(fit)
    model = HistGradientBoostingClassifier(
        max_iter=rounds,
        early_stopping=stop is not None,
        n_iter_no_change=PATIENCE_ROUNDS // 2,
        random_state=seed,
        **given,
    )
    later = {}
    if stop is not None:
        later = {"X_val": stop.features, "y_val": stop.made, "sample_weight_val": stop.weight}
    model.fit(fit.features, fit.made, sample_weight=fit.weight, **later)
    importances = permutation_importances(Sklearn(model), stop or fit, seed)
    return Sklearn(model, importances, rounds=int(model.n_iter_))


def _xgboost(fit: Sample, stop: Sample | None, params: Params, seed: int) -> Estimator:
    import xgboost

    given = dict(params)
    rounds = given.pop("rounds", MAX_ROUNDS)
    # Quantized once for all rounds; the later rows get the same bins by `ref`.
    train = xgboost.QuantileDMatrix(fit.features, fit.made, weight=fit.weight, nthread=THREADS)
    watched = []
    if stop is not None:
        later = xgboost.QuantileDMatrix(
            stop.features, stop.made, weight=stop.weight, ref=train, nthread=THREADS
        )
        watched = [(later, "later")]
    fixed = {"objective": "binary:logistic", "eval_metric": "logloss", "tree_method": "hist"}
    booster = xgboost.train(
        {**fixed, **given, "seed": seed, "nthread": THREADS},
        train,
        num_boost_round=rounds,
        evals=watched,
        early_stopping_rounds=PATIENCE_ROUNDS if watched else None,
        verbose_eval=False,
    )
    return XGBoost(booster[: booster.best_iteration + 1] if watched else booster)


def _lightgbm(fit: Sample, stop: Sample | None, params: Params, seed: int) -> Estimator:
    import lightgbm

    given = dict(params)
    rounds = given.pop("rounds", MAX_ROUNDS)
    train = lightgbm.Dataset(
        fit.features, fit.made, weight=fit.weight, feature_name=list(fit.names)
    )
    watched: list[lightgbm.Dataset] = []
    callbacks: list[Callable[..., Any]] = []
    if stop is not None:
        watched = [lightgbm.Dataset(stop.features, stop.made, weight=stop.weight, reference=train)]
        callbacks = [lightgbm.early_stopping(PATIENCE_ROUNDS, verbose=False)]
    # `deterministic` needs the row-wise or column-wise way to be fixed: LightGBM else picks the one
    # that is faster at the moment, and sums in another order.
    fixed = {"objective": "binary", "verbose": -1, "deterministic": True, "force_row_wise": True}
    booster = lightgbm.train(
        {**fixed, **given, "seed": seed, "num_threads": THREADS},
        train,
        num_boost_round=rounds,
        valid_sets=watched,
        callbacks=callbacks,
    )
    best = booster.best_iteration if watched else rounds
    return LightGBM(booster.model_to_string(num_iteration=best))


def _draw_boosting(leaves: str, leaf_rows: str, l2: str, columns: str) -> Draw:
    def draw(rng: np.random.Generator) -> dict[str, Any]:
        return {
            "learning_rate": float(rng.choice([0.03, 0.05, 0.08])),
            leaves: int(rng.choice([15, 23, 31, 47])),
            leaf_rows: int(rng.choice([200, 500, 1000, 2000])),
            l2: float(rng.choice([1.0, 10.0, 50.0])),
            columns: float(rng.choice([0.3, 0.5, 0.7])),
        }

    return draw


def _draw_logistic(rng: np.random.Generator) -> dict[str, Any]:
    # A strength is a scale: each power of ten is as likely as the next.
    return {"C": float(10 ** rng.uniform(-3, 1)), "knots": int(rng.integers(3, 7))}


def _draw_forest(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "min_samples_leaf": int(rng.choice([20, 50, 100, 200])),
        "max_features": float(rng.choice([0.2, 0.3, 0.5])),
    }


FAMILIES: Final = {
    family.name: family
    for family in (
        Family("league_mean", _league_mean, features=("rate_zone",), learns=False),
        Family("zone_rate", _zone_rate, features=("rate_zone",), learns=False),
        Family(
            "logistic_regression",
            _logistic,
            {"C": 0.1, "knots": 4, "max_rows": 150_000},
            _draw_logistic,
        ),
        Family(
            "random_forest",
            _random_forest,
            {
                "n_estimators": 80,
                "min_samples_leaf": 50,
                "max_features": 0.25,
                "max_rows": 40_000,
            },
            _draw_forest,
        ),
        Family(
            "gradient_boosting",
            _gradient_boosting,
            {
                "learning_rate": 0.06,
                "max_leaf_nodes": 31,
                "min_samples_leaf": 500,
                "l2_regularization": 10.0,
                "max_features": 0.5,
            },
            _draw_boosting(
                "max_leaf_nodes", "min_samples_leaf", "l2_regularization", "max_features"
            ),
        ),
        Family(
            "xgboost",
            _xgboost,
            {
                "learning_rate": 0.05,
                "max_leaves": 31,
                # No limit of its own: trees grow leaf by leaf until `max_leaves`, as LightGBM's do.
                "max_depth": 0,
                "grow_policy": "lossguide",
                "min_child_weight": 100,
                "lambda": 10.0,
                "colsample_bytree": 0.5,
                "subsample": 0.8,
            },
            _draw_boosting("max_leaves", "min_child_weight", "lambda", "colsample_bytree"),
            title="XGBoost",
        ),
        Family(
            "lightgbm",
            _lightgbm,
            {
                "learning_rate": 0.05,
                "num_leaves": 31,
                "min_data_in_leaf": 500,
                "lambda_l2": 10.0,
                "feature_fraction": 0.5,
                "bagging_fraction": 0.8,
                "bagging_freq": 1,
            },
            _draw_boosting("num_leaves", "min_data_in_leaf", "lambda_l2", "feature_fraction"),
            feature_sets=(FULL, CLASSIC),
            title="LightGBM",
        ),
    )
}
LEARNERS: Final = tuple(name for name, family in FAMILIES.items() if family.learns)
BASELINES: Final = tuple(name for name, family in FAMILIES.items() if not family.learns)


def model_name(family: str, feature_set: str) -> str:
    """What a model is called in tables: its family, and its feature set if that is not `full`."""
    return family if feature_set == FULL else f"{family}_{feature_set}"


MODELS: Final = {
    model_name(name, feature_set): (name, feature_set)
    for name in LEARNERS
    for feature_set in FAMILIES[name].feature_sets
}
"""The models that are trained and judged: the name of each, its family and its feature set."""
