"""Training: what it may know, what it refuses, and how it searches."""

from dataclasses import replace

import numpy as np
import pytest

from parivision.errors import ModelError
from parivision.features import kernel, tables
from parivision.features.rows import lookup
from parivision.models import families
from parivision.models.bundle import WITH_ACTION, WITHOUT_ACTION
from parivision.models.families import BASELINES, FAMILIES, LEARNERS
from parivision.models.training import History, Recipe, train
from parivision.scoring.metrics import log_loss
from parivision.shots.facts import NO_ACTION
from parivision.shots.split import time_split
from tiny_league import shot, table


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads that wait for each other on a busy machine take longer than one alone."""
    monkeypatch.setattr(families, "THREADS", 1)


def _files(bundle, folder):
    bundle.save(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _later(history, split):
    rows = split.later(history.facts.day)
    return history.facts.take(rows), history.made[rows]


@pytest.mark.parametrize("recipe", [Recipe("lightgbm", "classic"), Recipe("xgboost")])
def test_nothing_later_than_the_split_is_known(recipe, league_history, league_split, tmp_path):
    """With other outcomes in the games to judge on, the bundle is the same to the last byte."""
    judged = league_split.later(league_history.facts.day)
    changed = league_history.made.copy()
    changed[judged] = 1 - changed[judged]
    other = History.of(league_history.facts, changed)
    one, two = (train(history, league_split, recipe) for history in (league_history, other))
    assert _files(one, tmp_path / "one") == _files(two, tmp_path / "two")
    assert one.form.as_of_day == league_split.stop_through


def test_it_learns_what_it_is_shown(league_history, league_split, league_bundle):
    """On later games the model beats the rate of the zone, with and without the action."""
    facts, made = _later(league_history, league_split)
    zone_rate = train(league_history, league_split, Recipe("zone_rate")).predict(facts)
    told = log_loss(made, league_bundle.predict(facts))
    untold = log_loss(made, league_bundle.predict(facts.without_action()))
    assert told < untold < log_loss(made, zone_rate) + 0.01
    assert told < log_loss(made, zone_rate)


def test_every_set_has_its_parts(league_history, league_split, league_bundle):
    """The full set has a part for shots without an action, the classic set and baselines none."""
    names = {name: part.names for name, part in league_bundle.parts.items()}
    assert names == {WITH_ACTION: kernel.FULL, WITHOUT_ACTION: kernel.FULL_WITHOUT_ACTION}
    classic = train(league_history, league_split, Recipe("lightgbm", "classic"))
    assert {k: p.names for k, p in classic.parts.items()} == {WITHOUT_ACTION: kernel.CLASSIC}
    for name in BASELINES:
        assert set(train(league_history, league_split, Recipe(name)).parts) == {WITHOUT_ACTION}


def test_where_all_actions_are_known_half_of_the_work_can_be_left(
    league_history, league_split, league_bundle
):
    """Without a part for untold shots the others are answered as ever, those by the zone's rate."""
    half = train(league_history, league_split, Recipe("lightgbm", untold=False))
    facts, _ = _later(league_history, league_split)
    assert half.predict(facts).tobytes() == league_bundle.predict(facts).tobytes()
    features = lookup(half.form, facts)
    zone = half.parts[WITHOUT_ACTION].raw(features)
    np.testing.assert_array_equal(zone, features["rate_zone"])
    assert len(half.predict(facts.without_action())) == len(facts)


def test_only_boosted_models_are_fitted_on_the_games_they_stopped_on(league_history, league_split):
    """What needs no later games to stop on is settled on them instead, and its card says so."""
    bundle = train(league_history, league_split, Recipe("zone_rate"))
    fitted = league_split.fit(league_history.facts.day).stop
    assert bundle.card["shots_fitted"] == fitted
    assert bundle.card["fitted_through"] < bundle.card["known_through"]


def test_the_card_says_where_a_model_comes_from(league_history, league_split, league_bundle):
    """Seed, parameters with the rounds that were kept, days, and the number of shots."""
    card = league_bundle.card
    known = league_split.stop(league_history.facts.day).stop
    assert card["seed"] == 0
    assert card["shots_fitted"] == known
    assert card["fitted_through"] == card["known_through"] < "2023-12-31"
    assert (
        card["params"][WITH_ACTION]["rounds"] == league_bundle.parts[WITH_ACTION].estimator.rounds
    )
    assert card["params"][WITH_ACTION]["num_leaves"] == 31


def test_a_league_without_action_types_can_be_trained_on(league_history, league_split):
    """Where no shot has an action both parts are there, and the shots get answers that learn."""
    facts = league_history.facts.without_action()
    bundle = train(History.of(facts, league_history.made), league_split, Recipe("lightgbm"))
    seen, made = _later(league_history, league_split)
    p = bundle.predict(seen.without_action())
    assert log_loss(made, p) < log_loss(made, np.full(len(made), made.mean()))
    assert (facts.action == NO_ACTION).all()
    # The part for shots with an action was never settled, and answers all the same.
    assert bundle.parts[WITH_ACTION].settled.as_of_day is None
    assert np.isfinite(bundle.predict(seen)).all()


@pytest.mark.parametrize("days", [slice(0, 3), slice(3, 4)])
@pytest.mark.parametrize("outcome", [0, 1])
def test_one_outcome_alone_cannot_be_learnt(days, outcome):
    """All made or all missed, in the games to fit or to stop on, is an error that says so."""
    rows = []
    for day in range(5):
        played = shot()["game_date"].replace(day=1 + day)
        alike = day in range(5)[days]
        rows += [
            shot(game_id=day + 1, event_id=i, game_date=played, made=outcome if alike else i % 2)
            for i in range(6)
        ]
    shots = table(*rows)
    history = History.of(tables.facts_from_shots(shots), tables.made_array(shots))
    with pytest.raises(ModelError, match="all made or all missed"):
        train(history, time_split(history.facts.day), Recipe("lightgbm"))


def test_a_search_keeps_the_best_it_tried(monkeypatch, league_history, league_split):
    """Among defaults and draws the one with the lowest log loss on later games is kept."""
    tried, lightgbm = [], FAMILIES["lightgbm"]

    def fit(sample, stop, params, seed):
        estimator = lightgbm.fit(sample, stop, {**params, "rounds": 3}, seed)
        if stop is not None:
            tried.append((log_loss(stop.made, estimator.predict(stop.features)), params))
        return estimator

    quick = replace(lightgbm, fit=fit)
    monkeypatch.setitem(families.FAMILIES, "lightgbm", quick)
    recipe = Recipe("lightgbm", "classic", seed=4, search_trials=3)
    bundle = train(league_history, league_split, recipe)
    assert len(tried) == 1 + 3 + 1  # the defaults, the draws, and the best once more
    assert tried[0][1] == quick.defaults
    best = min(tried[:4], key=lambda trial: trial[0])[1]
    kept = bundle.card["params"][WITHOUT_ACTION]
    assert {key: kept[key] for key in best} == dict(best)
    again = train(league_history, league_split, recipe)
    assert again.card["params"] == bundle.card["params"]


def test_a_search_ends_with_its_budget(monkeypatch, league_history, league_split):
    """When the time is up no further draw is tried, however many were asked for."""
    fits = []

    def fit(sample, stop, params, seed):
        fits.append(params)
        return FAMILIES["league_mean"].fit(sample, stop, params, seed)

    monkeypatch.setitem(families.FAMILIES, "lightgbm", replace(FAMILIES["lightgbm"], fit=fit))
    ticks = iter(range(0, 10_000, 40))
    recipe = Recipe("lightgbm", "classic", search_trials=50, search_budget_s=100.0)
    train(league_history, league_split, recipe, clock=lambda: float(next(ticks)))
    assert len(fits) == 3 + 1  # at 40, 80 and 120 s; then the fit of any training


@pytest.mark.parametrize("family", LEARNERS)
def test_recipes_are_named_by_family_and_set(family):
    """The full set is understood, the classic one said."""
    assert Recipe(family).name == family
    assert Recipe(family, "classic").name == f"{family}_classic"


@pytest.mark.parametrize(
    ("family", "feature_set", "message"),
    [
        ("prophet", "full", r"unknown family 'prophet'.*lightgbm"),
        ("lightgbm", "huge", "unknown feature set 'huge'"),
    ],
)
def test_recipes_of_unknown_things_are_refused(family, feature_set, message):
    """A family or a feature set that does not exist is an error that says which do."""
    with pytest.raises(ModelError, match=message):
        Recipe(family, feature_set)


def test_some_training_rows_know_nothing_of_the_game(league_history, league_split):
    """A share of the rows to fit has its game state withheld, the rows to stop on have theirs."""
    from parivision.models import training

    fit, stop = training._samples(league_history, league_split, kernel.FULL, 0)
    columns = [kernel.FULL.index(name) for name in kernel.GAME]
    withheld = np.isnan(fit.features[:, columns]).all(axis=1).mean()
    assert withheld == pytest.approx(training.GAME_MASKED_SHARE, abs=0.01)
    assert not np.isnan(stop.features[:, columns]).all(axis=1).any()
