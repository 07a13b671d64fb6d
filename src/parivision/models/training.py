"""Training: from shots in time order to a bundle, knowing nothing later than it may.

The form walks over all games; estimators are fitted on a window of recent ones, the recent games
weighing more, and stopped early on later games; boosted ones are then fitted once more, as many
rounds, on those games too. What is left is for judging.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from parivision.errors import ModelError
from parivision.features import kernel
from parivision.features.form import Form
from parivision.features.rows import FeatureRows, advance, walk
from parivision.models.bundle import WITH_ACTION, WITHOUT_ACTION, Bundle, Part
from parivision.models.estimators import FirstColumn
from parivision.models.families import (
    CLASSIC,
    FAMILIES,
    FEATURE_SETS,
    FULL,
    Family,
    model_name,
)
from parivision.models.sample import Sample
from parivision.scoring.metrics import log_loss
from parivision.shots.facts import EPOCH, Facts, Floats
from parivision.shots.split import TimeSplit

WINDOW_DAYS: Final = 6 * 365
RECENCY_HALF_LIFE_DAYS: Final = 600.0
# Requests seldom know what happened in the game before: this share of the training rows does not
# either.
GAME_MASKED_SHARE: Final = 0.05

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class History:
    """Past games ready for training: facts, labels and features in time order."""

    facts: Facts
    made: Floats
    features: FeatureRows

    @classmethod
    def of(cls, facts: Facts, made: Floats) -> "History":
        """Walk a new form over the games."""
        return cls(facts, made, walk(Form(), facts, made))

    def upto(self, rows: int) -> "History":
        """The first rows of it: a shot's features depend on earlier days only."""
        first = slice(rows)
        return History(self.facts.take(first), self.made[first], self.features.take(first))


@dataclass(frozen=True)
class Recipe:
    """What to train: family, feature set (`full` or `classic`), seed, and a bound on the search.

    Without `untold` nothing is fitted for shots that come without an action, which is half of the
    work: the zone's rate answers them. For studies of games whose actions are all known.
    """

    family: str
    feature_set: str = FULL
    seed: int = 0
    search_trials: int = 0
    search_budget_s: float = 600.0
    untold: bool = True

    @property
    def name(self) -> str:
        """What the model is called in tables; see `families.model_name`."""
        return model_name(self.family, self.feature_set)

    @classmethod
    def named(cls, name: str, *, seed: int = 0, search_trials: int = 0) -> "Recipe":
        """The recipe of a model's name, such as lightgbm or lightgbm_classic.

        Raises ModelError when there is no such family.
        """
        family, _, feature_set = name.rpartition("_")
        if family and feature_set != FULL and feature_set in FEATURE_SETS:
            return cls(family, feature_set, seed, search_trials)
        return cls(name, FULL, seed, search_trials)

    def __post_init__(self) -> None:
        """Refuse names that do not exist."""
        if self.family not in FAMILIES:
            raise ModelError(f"unknown family {self.family!r}: expected one of {list(FAMILIES)}")
        if self.feature_set not in FEATURE_SETS:
            expected = " or ".join(FEATURE_SETS)
            raise ModelError(f"unknown feature set {self.feature_set!r}: expected {expected}")


def train(
    history: History,
    split: TimeSplit,
    recipe: Recipe,
    clock: Callable[[], float] = time.monotonic,
    form: Form | None = None,
) -> Bundle:
    """Fit one family and bring its state up to the last game before the ones to judge on.

    `form` is that of another model of the same history and split: all models have the same, and a
    walk over millions of shots takes longer than a baseline's fit.
    Raises ModelError when the label has one class only in the rows to fit or to stop on.
    """
    family = FAMILIES[recipe.family]
    parts: dict[str, Part] = {}
    joined: dict[str, Sample] = {}
    params: dict[str, Any] = {}
    names = _feature_names(family, recipe.feature_set)
    if not recipe.untold and WITH_ACTION in names:
        del names[WITHOUT_ACTION]
        parts[WITHOUT_ACTION] = Part(("rate_zone",), FirstColumn())
    for name, columns in names.items():
        fit, stop = _samples(history, split, columns, recipe.seed)
        chosen = dict(_search(family, fit, stop, recipe, clock))
        parts[name] = Part(columns, family.fit(fit, stop, chosen, recipe.seed))
        joined[name] = _joined(fit, stop)
        params[name] = chosen
    # Before the second fit: recalibration is learnt on games that its estimator was not fitted on.
    form = _form_known(history, split) if form is None else form.copy()
    bundle = Bundle(recipe.family, recipe.feature_set, parts, form)
    _follow_stop_games(bundle, history, split)
    for part in parts.values():
        part.settled = part.recalibration.copy()
    is_boosted = any(part.estimator.rounds is not None for part in parts.values())
    if is_boosted:
        _fit_again(parts, joined, params, recipe)
    fitted_through = split.stop_through if is_boosted else split.fit_through
    bundle.card = {
        "seed": recipe.seed,
        "params": params,
        "fitted_through": _iso(fitted_through),
        "known_through": _iso(split.stop_through),
        "shots_fitted": _rows_through(history, fitted_through) - _window_start(history, split),
    }
    return bundle


def _fit_again(
    parts: Mapping[str, Part],
    joined: Mapping[str, Sample],
    params: Mapping[str, dict[str, Any]],
    recipe: Recipe,
) -> None:
    """Fit boosted estimators on the games to stop on as well, for as many rounds as were best.

    The newest games are worth the most, and stopping early needed them only to find the rounds.
    `joined` has the games of the parts that were fitted; their `params` get the rounds.
    """
    for name, sample in joined.items():
        params[name]["rounds"] = parts[name].estimator.rounds
        fit = FAMILIES[recipe.family].fit
        parts[name].estimator = fit(sample, None, params[name], recipe.seed)


def _form_known(history: History, split: TimeSplit) -> Form:
    """The form on the morning of the first day to judge."""
    form = Form()
    known = slice(0, split.stop(history.facts.day).stop)
    advance(form, history.facts.take(known), history.made[known])
    return form


def _follow_stop_games(bundle: Bundle, history: History, split: TimeSplit) -> None:
    """Bring the recalibration up to the morning of the first day to judge.

    Recalibration is learnt on the games that fitting stopped on, by the estimator that has not seen
    them: on its own training rows a model looks too good.
    """
    rows = split.stop(history.facts.day)
    bundle.follow(history.facts.take(rows), history.made[rows], history.features.take(rows))


def _feature_names(family: Family, feature_set: str) -> dict[str, tuple[str, ...]]:
    if family.features is not None:
        return {WITHOUT_ACTION: family.features}
    if feature_set == CLASSIC:
        return {WITHOUT_ACTION: kernel.CLASSIC}
    return {WITH_ACTION: kernel.FULL, WITHOUT_ACTION: kernel.FULL_WITHOUT_ACTION}


def _window_start(history: History, split: TimeSplit) -> int:
    return int(np.searchsorted(history.facts.day, split.fit_through - WINDOW_DAYS))


def _rows_through(history: History, through: int) -> int:
    return int(np.searchsorted(history.facts.day, through, "right"))


def _samples(
    history: History, split: TimeSplit, names: tuple[str, ...], seed: int
) -> tuple[Sample, Sample]:
    day = history.facts.day
    fit_rows = slice(_window_start(history, split), split.fit(day).stop)
    fit = _sample(history, fit_rows, names, split.stop_through)
    stop = _sample(history, split.stop(day), names, split.stop_through)
    for sample, purpose in ((fit, "fit"), (stop, "stop early on")):
        if len(np.unique(sample.made)) < 2:
            raise ModelError(
                f"the {len(sample.made)} shots to {purpose} are all made or all missed: "
                "ingest more games"
            )
    _withhold_game_state(fit, seed)
    return fit, stop


def _sample(history: History, rows: slice, names: tuple[str, ...], now: int) -> Sample:
    age_days = np.maximum(now - history.facts.day[rows], 0)
    return Sample(
        features=history.features.take(rows).matrix(names),
        made=history.made[rows],
        weight=0.5 ** (age_days / RECENCY_HALF_LIFE_DAYS),
        names=names,
    )


def _joined(first: Sample, second: Sample) -> Sample:
    return Sample(
        features=np.concatenate([first.features, second.features]),
        made=np.concatenate([first.made, second.made]),
        weight=np.concatenate([first.weight, second.weight]),
        names=first.names,
    )


def _withhold_game_state(sample: Sample, seed: int) -> None:
    # All columns of a row at once: who does not follow the game knows none of these facts.
    columns = [index for index, name in enumerate(sample.names) if name in kernel.GAME]
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(len(sample.made)) < GAME_MASKED_SHARE)
    for column in columns:
        sample.features[rows, column] = np.nan


def _search(
    family: Family, fit: Sample, stop: Sample, recipe: Recipe, clock: Callable[[], float]
) -> Mapping[str, Any]:
    """Defaults, or the best of a bounded random search by log loss on the games to stop on."""
    if family.draw is None or recipe.search_trials <= 0:
        return family.defaults
    rng = np.random.default_rng(recipe.seed)
    deadline = clock() + recipe.search_budget_s
    # The defaults come first, so a search that runs out of time is never worse than none.
    candidates = [dict(family.defaults)]
    candidates += [{**family.defaults, **family.draw(rng)} for _ in range(recipe.search_trials)]
    best, best_loss = candidates[0], np.inf
    for params in candidates:
        estimator = family.fit(fit, stop, params, recipe.seed)
        loss = log_loss(stop.made, estimator.predict(stop.features))
        if loss < best_loss:
            best, best_loss = params, loss
        if clock() > deadline:
            break
    return best


def _iso(day: int) -> str:
    return str(EPOCH + timedelta(days=day))
