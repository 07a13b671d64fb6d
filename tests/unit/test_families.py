"""Every family: fitted, stopped, repeated, kept; and what it does with little or odd data."""

from typing import Any

import numpy as np
import pytest

from parivision.errors import ModelError
from parivision.features import kernel
from parivision.models import families
from parivision.models.estimators import KINDS, Constant, FirstColumn, Sklearn, load_estimator
from parivision.models.families import BASELINES, FAMILIES, LEARNERS
from parivision.models.sample import Sample
from parivision.scoring.metrics import log_loss

PLACE = ("x_ft", "y_ft", "abs_x_ft", "distance_ft", "angle_deg", "zone", "shot_value")
CLOCK = ("period", "clock_s", "elapsed_s", "is_home")
FORM = ("rate_zone", "player_overall", "player_volume", "rate_action")
WORDS = ("action_family", "action_driving", "action_tip")
NAMES = (*PLACE, *CLOCK, *FORM, *kernel.GAME, *WORDS, "Player_ID")
SMALL: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "random_forest": {"n_estimators": 8},
    "gradient_boosting": {"min_samples_leaf": 50, "learning_rate": 0.3, "max_leaf_nodes": 6},
    "xgboost": {"min_child_weight": 10},
    "lightgbm": {"min_data_in_leaf": 50},
}


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads that wait for each other on a busy machine take longer than one alone."""
    monkeypatch.setattr(families, "THREADS", 1)
    monkeypatch.setattr(families, "MAX_ROUNDS", 25)
    monkeypatch.setattr(families, "PATIENCE_ROUNDS", 6)


@pytest.fixture(scope="module")
def samples(league_history):
    """Rows to fit and later rows to stop on, with all features and some missing values."""

    def sample(start, stop):
        rows = league_history.features.take(slice(start, stop)).matrix(NAMES)
        made = league_history.made[start:stop]
        return Sample(rows, made, np.linspace(0.5, 1, len(made)), NAMES)

    return sample(4500, 6000), sample(6000, 7000)


def _fit(name, fit, stop, seed=0, **more):
    params = {**FAMILIES[name].defaults, **SMALL.get(name, {}), **more}
    return FAMILIES[name].fit(fit, stop, params, seed)


def _bytes(estimator, path):
    estimator.save(path)
    return path.read_bytes()


@pytest.mark.parametrize("name", LEARNERS)
def test_a_family_learns_and_survives_being_kept(name, samples, tmp_path):
    """It beats the mean on later games; kept and loaded it answers the same, alone or not."""
    fit, stop = samples
    estimator = _fit(name, fit, stop)
    p = estimator.predict(stop.features)
    assert p.shape == (len(stop.made),)
    assert p.dtype == np.float64
    mean = np.full(len(p), fit.made.mean())
    assert log_loss(stop.made, p) < log_loss(stop.made, mean)
    kept = _bytes(estimator, tmp_path / "once")
    loaded = load_estimator(estimator.kind, tmp_path / "once")
    assert loaded.predict(stop.features).tobytes() == p.tobytes()
    alone = [loaded.one(row) for row in stop.features[:20].tolist()]
    np.testing.assert_allclose(alone, p[:20], rtol=0, atol=1e-14)
    assert _bytes(loaded, tmp_path / "again") == kept
    importances = estimator.importances()
    assert importances.shape == (len(NAMES),)
    assert importances.sum() == pytest.approx(1.0)
    assert (importances >= 0).all()
    np.testing.assert_array_equal(loaded.importances(), importances)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_same_seed_gives_the_same_bytes(name, samples, tmp_path):
    """Fitted twice on the same rows, a family gives the same file."""
    first, second = (_bytes(_fit(name, *samples), tmp_path / str(i)) for i in range(2))
    assert first == second


@pytest.mark.parametrize("name", ["gradient_boosting", "xgboost", "lightgbm"])
def test_boosting_stops_on_later_games_and_is_repeated_as_long(name, samples):
    """With games to stop on the best rounds are kept; `rounds` fits just as many without them."""
    fit, stop = samples
    stopped = _fit(name, fit, stop, learning_rate=0.5)
    assert 1 <= stopped.rounds < families.MAX_ROUNDS
    again = _fit(name, fit, None, rounds=stopped.rounds, learning_rate=0.5)
    assert again.rounds == stopped.rounds


@pytest.mark.parametrize("name", LEARNERS)
def test_few_rows_and_empty_columns_are_no_obstacle(name, samples):
    """Forty shots without any game state, teams or actions still give probabilities."""
    fit, stop = samples

    def poor(sample, rows):
        table = sample.features[:rows].copy()
        table[:, [NAMES.index(column) for column in (*kernel.GAME, "is_home")]] = np.nan
        table[:, [NAMES.index(column) for column in WORDS]] = 0
        return Sample(table, sample.made[:rows], sample.weight[:rows], NAMES)

    estimator = FAMILIES[name].fit(poor(fit, 40), poor(stop, 20), FAMILIES[name].defaults, 0)
    p = estimator.predict(stop.features)
    assert ((p > 0) & (p < 1)).all()


@pytest.mark.parametrize("name", [*LEARNERS, *BASELINES])
def test_draws_change_only_parameters_that_exist(name):
    """A search draws values for some of the defaults, the same ones for the same seed."""
    family = FAMILIES[name]
    if family.draw is None:
        assert not family.learns
        return
    first, second = (family.draw(np.random.default_rng(3)) for _ in range(2))
    assert first == second
    assert first.keys() <= family.defaults.keys()


def test_the_baselines_say_the_mean_and_the_zones_rate(samples, tmp_path):
    """The league's mean is weighted by recency; the zone's rate is the feature itself."""
    fit, stop = samples
    mean = _fit("league_mean", fit, stop)
    expected = np.average(fit.made, weights=fit.weight)
    np.testing.assert_array_equal(mean.predict(stop.features), np.full(len(stop.made), expected))
    rate = _fit("zone_rate", fit, stop)
    assert rate.predict(stop.features).tolist() == stop.features[:, 0].astype(float).tolist()
    for estimator, kind in ((mean, Constant), (rate, FirstColumn)):
        assert estimator.importances() is None
        assert estimator.rounds is None
        estimator.save(tmp_path / kind.kind)
        loaded = load_estimator(kind.kind, tmp_path / kind.kind)
        assert isinstance(loaded, kind)
        assert (loaded.predict(stop.features) == estimator.predict(stop.features)).all()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"first_column"}))
@pytest.mark.parametrize("content", [b"\x00\xff" * 9, b"tree\nversion=v4\n", b"{}"])
def test_a_broken_file_is_a_clear_error(kind, content, tmp_path):
    """What is no model of its kind is refused, and the message names the file."""
    path = tmp_path / "with_action.model"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"with_action\.model"):
        load_estimator(kind, path)


def test_unknown_kinds_and_missing_files_are_clear_errors(tmp_path):
    """A kind from a later version, or a file that is not there, is named."""
    with pytest.raises(ModelError, match=r"unknown kind of estimator 'prophet'.*lightgbm"):
        load_estimator("prophet", tmp_path / "m")
    with pytest.raises(ModelError, match="cannot load xgboost model m"):
        load_estimator("xgboost", tmp_path / "m")


def test_foreign_types_are_not_loaded(tmp_path):
    """A file that holds types of other packages is refused before anything of it is made."""
    Sklearn(Constant(0.5)).save(tmp_path / "m")
    with pytest.raises(ModelError, match=r"m: it holds types \['parivision"):
        load_estimator("sklearn", tmp_path / "m")


def test_the_linear_family_draws_from_many_rows(samples, tmp_path):
    """More rows than it needs are drawn from by the seed: the same ones for the same seed."""
    fit, stop = samples
    one, two, other = (
        _bytes(_fit("logistic_regression", fit, stop, seed, max_rows=400), tmp_path / str(number))
        for number, seed in enumerate((1, 1, 2))
    )
    assert one == two != other
