"""Intervals and the paired test by game."""

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from parivision.errors import DataError
from parivision.scoring import bootstrap, metrics

pytestmark = pytest.mark.unit


def season(seed, n_games=60, per_game=40, spread=0.0):
    """True probabilities, outcomes and games; `spread` makes whole games hot or cold (log odds)."""
    rng = np.random.default_rng(seed)
    games = np.repeat(np.arange(n_games), per_game)
    logit = rng.normal(0, 0.8, games.size)
    heat = spread * rng.standard_normal(n_games)[games]
    made = rng.random(games.size) < 1 / (1 + np.exp(-(logit + heat)))
    return 1 / (1 + np.exp(-logit)), made.astype(int), games


def resampled(score, made, p, games, *, seed, rounds=300):
    """The plain, slow cluster bootstrap: draw whole games and score their shots anew."""
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(games == g) for g in np.unique(games)]
    drawn = []
    for _ in range(rounds):
        pick = np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))])
        drawn.append(score(made[pick], p[pick]))
    return np.quantile(drawn, [0.025, 0.975])


@pytest.mark.parametrize("name", ["log_loss", "brier", "roc_auc", "accuracy"])
def test_intervals_equal_the_plain_bootstrap(name):
    """Sums by game give the interval that drawing and scoring whole games gives."""
    p, made, games = season(3, spread=0.4)
    found = bootstrap.intervals(made, p, games, resamples=2000, seed=1)[name]
    low, high = resampled(getattr(metrics, name), made, p, games, seed=2)
    tolerance = 0.2 * (high - low)
    assert found.low == pytest.approx(low, abs=tolerance)
    assert found.high == pytest.approx(high, abs=tolerance)


@pytest.mark.parametrize("bias", [0.0, 0.08, 0.4])
def test_ece_interval_holds_the_true_error(bias):
    """The interval of the ECE holds the true error for calibrated and for biased models."""
    held = 0
    for seed in range(60):
        p, made, games = season(seed, n_games=40, per_game=80)
        said = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + bias)))
        gaps = np.bincount(metrics.calibration_bins(said), weights=p - said)
        truth = np.abs(gaps).sum() / p.size
        found = bootstrap.intervals(made, said, games, resamples=200, seed=seed)["ece"]
        assert found.low <= metrics.ece(made, said) <= found.high
        held += found.low <= truth <= found.high
    assert held >= 52


def test_games_that_hang_together_widen_the_interval():
    """Shots that share their game's luck count for less than as many independent shots."""
    _, made, games = season(4, n_games=40, per_game=80, spread=1.0)
    p = np.full(made.size, 0.8)
    by_game = bootstrap.intervals(made, p, games)["brier"]
    by_shot = bootstrap.intervals(made, p, np.arange(p.size))["brier"]
    assert by_game.high - by_game.low > 1.5 * (by_shot.high - by_shot.low)


def test_same_seed_same_interval():
    """An interval is reproducible, whatever order the shots come in."""
    p, made, games = season(5)
    order = np.random.default_rng(0).permutation(p.size)
    first = bootstrap.intervals(made, p, games, seed=7)
    again = bootstrap.intervals(made[order], p[order], games[order], seed=7)
    other = bootstrap.intervals(made, p, games, seed=8)
    for name in bootstrap.INTERVAL_SCORES:
        assert (first[name].low, first[name].high) == pytest.approx(
            (again[name].low, again[name].high)
        )
    assert first["log_loss"] != other["log_loss"]


def test_one_game_has_no_interval():
    """With a single game nothing can be resampled: both ends are NaN."""
    p, made, games = season(6, n_games=1)
    for interval in bootstrap.intervals(made, p, games).values():
        assert math.isnan(interval.low)
        assert math.isnan(interval.high)


def test_shots_that_ended_alike_have_no_auc_interval():
    """The AUC's interval is NaN when there are only makes; the others stay defined."""
    p, _, games = season(7, n_games=5)
    found = bootstrap.intervals(np.ones(p.size), p, games)
    assert math.isnan(found["roc_auc"].low)
    assert found["log_loss"].low < found["log_loss"].high


def test_resamples_without_a_make_do_not_break_the_auc():
    """Draws of games that hold no make at all are left out of the AUC's interval."""
    made = np.r_[np.zeros(8), 1, 0]
    games = np.repeat(np.arange(5), 2)
    found = bootstrap.intervals(made, np.linspace(0, 1, 10), games)["roc_auc"]
    assert 0 <= found.low <= found.high <= 1


def test_games_must_match_shots():
    """A game for each shot, or an error that says how many were expected."""
    with pytest.raises(DataError, match="a game for each of 3 shots"):
        bootstrap.intervals([1, 0, 1], [0.1, 0.2, 0.3], [1, 2])


def test_a_season_takes_seconds():
    """200,000 shots with 200 resamples take less than 5 s."""
    p, made, games = season(8, n_games=1250, per_game=160)
    start = time.perf_counter()
    bootstrap.intervals(made, p, games, resamples=200)
    assert time.perf_counter() - start < 5


def worse(p, by=0.3):
    """A model that is too sure by a factor in log odds."""
    return 1 / (1 + np.exp(-(1 + by) * np.log(p / (1 - p))))


def test_paired_test_equals_a_t_test_on_equal_games():
    """With as many shots in every game the test is the t test of the games' mean gains."""
    p, made, games = season(9)
    found = bootstrap.paired_by_game(made, worse(p), p, games)
    gain = metrics.shot_log_loss(made, worse(p)) - metrics.shot_log_loss(made, p)
    means = gain.reshape(60, 40).mean(axis=1)
    expected = stats.ttest_1samp(means, 0.0, alternative="greater")
    ends = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert found.gain == pytest.approx(means.mean())
    assert found.t == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert (found.n_shots, found.n_games, found.no_evidence) == (2400, 60, None)


def test_swapping_models_mirrors_the_test():
    """The gain changes its sign and the one-sided p becomes its complement."""
    p, made, games = season(10)
    ahead = bootstrap.paired_by_game(made, worse(p, 0.5), p, games)
    behind = bootstrap.paired_by_game(made, p, worse(p, 0.5), games)
    assert ahead.gain == pytest.approx(-behind.gain)
    assert ahead.p_value == pytest.approx(1 - behind.p_value)
    assert ahead.is_better(0.05)
    assert not behind.is_better(0.9999)


def test_is_better_asks_for_less_than_alpha():
    """At exactly alpha, and above it, a gain is not shown."""
    result = bootstrap.Paired(10, 5, gain=0.01, p_value=0.05)
    assert not result.is_better(0.05)
    assert result.is_better(0.0501)
    assert not bootstrap.Paired(10, 5, gain=-0.01, p_value=0.01).is_better(0.05)
    assert not bootstrap.Paired(10, 5).is_better(1.0)


def test_false_alarms_keep_to_alpha_when_games_hang_together():
    """Two models of equal worth are told apart in about alpha of the seasons, not more."""
    alarms = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        p, made, games = season(seed, n_games=30, per_game=20, spread=0.5)
        lean = np.where(rng.random(30) < 0.5, 0.2, -0.2)[games]
        logit = np.log(p / (1 - p))
        one, two = 1 / (1 + np.exp(-logit - lean)), 1 / (1 + np.exp(-logit + lean))
        alarms += bootstrap.paired_by_game(made, one, two, games).is_better(0.05)
    assert alarms / 400 < 0.08


NAN = float("nan")


@pytest.mark.parametrize(
    ("made", "champion", "challenger", "games", "why"),
    [
        ([1, 0], [NAN, 0.5], [0.5, 0.4], [1, 2], "probabilities from 0 to 1"),
        ([1, 0], [0.5, 0.5], [0.5, NAN], [1, 2], "probabilities from 0 to 1"),
        ([1, 0], [0.5, 0.5], [1.5, 0.4], [1, 2], "probabilities from 0 to 1"),
        ([1, NAN], [0.5, 0.5], [0.5, 0.4], [1, 2], "outcomes of 0 or 1"),
        ([1, 0], [0.5, 0.5], [0.6, 0.4], [1, 1], "2 games or more, got 1"),
        ([], [], [], [], "at least one shot"),
        ([1, 0], [0.5, 0.4], [0.5, 0.4], [1, 2], "predict the same"),
        ([1, 1], [0.5, 0.5], [0.6, 0.6], [1, 2], "does not vary"),
    ],
)
def test_no_evidence_is_said_and_never_promotes(made, champion, challenger, games, why):
    """Input that allows no test gives a result that says why and is better at no level."""
    found = bootstrap.paired_by_game(made, champion, challenger, games)
    assert found.no_evidence is not None
    assert why in found.no_evidence
    assert not found.is_better(1.0)
    assert found.to_dict()["p_value"] is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_unequal_lengths_are_an_error():
    """Probabilities of other shots than the outcomes are a mistake, not thin evidence."""
    with pytest.raises(DataError, match="both models' probabilities"):
        bootstrap.paired_by_game([1, 0], [0.5, 0.5], [0.5], [1, 2])


@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.floats(allow_nan=True),
            st.floats(0, 1),
            st.integers(0, 4),
        ),
        max_size=30,
    )
)
def test_paired_test_answers_anything(rows):
    """Whatever numbers come, the answer is a test with finite numbers or a reason for none."""
    made, champion, challenger, games = (
        (list(c) for c in zip(*rows, strict=True)) if rows else [[]] * 4
    )
    found = bootstrap.paired_by_game(made, champion, challenger, games)
    if found.no_evidence is None:
        assert all(math.isfinite(v) for v in (found.gain, found.t, found.p_value, found.low))
        assert 0 <= found.p_value <= 1
    else:
        assert not found.is_better(1.0)
