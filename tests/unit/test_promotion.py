"""The promotion rule: at, above and below each threshold, and without evidence."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.errors import DataError
from parivision.promotion import decision
from parivision.promotion.decision import CHAMPION, RECALIBRATED, Contest, Rule, decide
from parivision.scoring.bootstrap import Paired, paired_by_game
from parivision.scoring.scores import scores

GAMES, SHOTS = 60, 150


@pytest.fixture(scope="module")
def league():
    """True probabilities, outcomes and games of 9,000 shots."""
    rng = np.random.default_rng(0)
    true = rng.beta(5, 6, GAMES * SHOTS)
    made = (rng.random(len(true)) < true).astype(float)
    return true, made, np.repeat(np.arange(GAMES), SHOTS)


def _off(true, by):
    """A model whose log odds are off by so much."""
    return 1 / (1 + np.exp(-(np.log(true / (1 - true)) + by)))


def _judge(test, ece=0.005, limit=0.01, **rule):
    return decision._judge("new", "old", test, ece, limit, Rule(**rule))


BETTER = Paired(n_shots=1000, n_games=50, gain=0.01, p_value=0.01)


@pytest.mark.parametrize(
    ("test", "won"),
    [
        (replace(BETTER, p_value=0.0499), True),
        (replace(BETTER, p_value=0.05), False),
        (replace(BETTER, p_value=0.0501), False),
        (replace(BETTER, gain=0.0), False),
        (replace(BETTER, gain=-0.01), False),
        (replace(BETTER, n_games=20), True),
        (replace(BETTER, n_games=19), False),
        (replace(BETTER, p_value=float("nan")), False),
        (replace(BETTER, gain=float("nan")), False),
        (replace(BETTER, no_evidence="the meter was off"), False),
        (Paired(n_shots=0, n_games=0, no_evidence="no games"), False),
    ],
)
def test_a_gain_must_be_shown(test, won):
    """Only a gain below alpha over enough games wins; at the threshold it does not."""
    assert _judge(test)[0] is won


@pytest.mark.parametrize(
    ("ece", "limit", "won"),
    [
        (0.0099, 0.01, True),
        (0.01, 0.01, True),
        (0.0101, 0.01, False),
        (float("nan"), 0.01, False),
        (0.005, float("nan"), False),
    ],
)
def test_calibration_must_hold(ece, limit, won):
    """A better model must be within its bound of calibration, the bound included."""
    assert _judge(BETTER, ece, limit)[0] is won


@pytest.mark.parametrize(
    ("test", "ece", "says"),
    [
        (BETTER, 0.005, "new is better: log loss +0.0100 better than old's, p = 0.01"),
        (replace(BETTER, p_value=0.2), 0.005, "not shown to be better"),
        (
            replace(BETTER, gain=-0.0016, p_value=0.97),
            0.005,
            "new is not shown to be better: log loss 0.0016 worse than old's",
        ),
        (replace(BETTER, n_games=3), 0.005, "thin evidence, 3 games where 20 are needed"),
        (replace(BETTER, no_evidence="no meter"), 0.005, "no evidence, no meter"),
        (BETTER, 0.02, "its ECE 0.0200 is above 0.0100"),
    ],
)
def test_every_answer_has_its_reason(test, ece, says):
    """The reason names both models and the numbers that decided."""
    assert says in _judge(test, ece)[1]


def test_the_bound_of_calibration_knows_chance_and_the_champion():
    """It is the stated bound beyond chance, or the champion's error and some slack if larger."""
    ours = scores([0, 1] * 50, [0.4, 0.6] * 50)
    for theirs_ece in (0.0, 0.5):
        theirs = replace(ours, ece=theirs_ece)
        contest = decision._contest("new", "old", BETTER, ours, theirs, Rule())
        assert contest.ece_limit == max(0.010 + ours.ece_noise, theirs_ece + 0.003)
        assert contest.challenger_ece == ours.ece


def test_a_better_challenger_is_promoted(league):
    """The best of several takes the champion's place, with its numbers."""
    true, made, games = league
    challengers = {"close": _off(true, 0.1), "best": true, "far": _off(true, -0.6)}
    found = decide(made, games, challengers, None, champion=_off(true, 0.4))
    assert (found.winner, found.promoted) == ("best", True)
    assert [(c.challenger, c.incumbent, c.won) for c in found.contests] == [
        ("best", CHAMPION, True)
    ]
    assert found.reason == found.contests[0].reason
    assert set(found.scores) == {*challengers, CHAMPION}


def test_a_worse_or_equal_challenger_never_is(league):
    """Worse, the same, or better by too little: the champion stays as it is."""
    true, made, games = league
    for challenger in (_off(true, 0.4), true, _off(true, 0.001)):
        found = decide(made, games, {"new": challenger}, None, champion=true)
        assert (found.winner, found.promoted) == (CHAMPION, False)
        assert "new" in found.reason


def test_a_better_but_uncalibrated_challenger_never_is(league):
    """Ranking well is not enough: overconfident probabilities do not take the place."""
    _, made, games = league
    rng = np.random.default_rng(1)
    hint = np.where(rng.random(len(made)) < 0.75, made, 1 - made)
    sharp, blunt = np.where(hint == 1, 0.62, 0.38), np.full(len(made), made.mean())
    found = decide(made, games, {"sharp": sharp}, None, champion=blunt)
    assert paired_by_game(made, blunt, sharp, games).is_better(0.05)
    assert (found.winner, found.promoted) == (CHAMPION, False)
    assert "ECE" in found.reason


def test_the_first_champion_must_beat_the_zone_rate(league):
    """Without a champion the best challenger is promoted if it beats the zone rate."""
    true, made, games = league
    found = decide(made, games, {"new": true, "bad": _off(true, 1)}, _off(true, 0.4))
    assert (found.winner, found.promoted) == ("new", True)
    assert found.reason.startswith("first champion: new is better")
    worse = decide(made, games, {"new": _off(true, 0.4)}, true)
    assert (worse.winner, worse.promoted) == (None, False)
    assert worse.reason.startswith("no first champion: new is not shown to be better")


def test_nothing_to_compare_promotes_nothing(league):
    """Without challengers, or without a zone rate on a first run, nobody is promoted."""
    true, made, games = league
    for found in (decide(made, games, {}, true), decide(made, games, {"new": true}, None)):
        assert (found.winner, found.promoted, found.contests) == (None, False, ())
        assert "nothing to compare" in found.reason
    alone = decide(made, games, {}, None, champion=true)
    assert (alone.winner, alone.promoted) == (CHAMPION, False)


def test_the_recalibrated_champion_may_take_over(league):
    """It is asked first; if it is better it is the one that challengers must beat."""
    true, made, games = league
    champion, level = _off(true, 0.4), _off(true, 0.02)
    found = decide(
        made, games, {"new": _off(true, 0.3)}, None, champion=champion, recalibrated=level
    )
    assert (found.winner, found.promoted) == (RECALIBRATED, True)
    assert [(c.challenger, c.incumbent, c.won) for c in found.contests] == [
        (RECALIBRATED, CHAMPION, True),
        ("new", RECALIBRATED, False),
    ]
    assert all(contest.reason in found.reason for contest in found.contests)


def test_a_challenger_may_beat_the_recalibrated_champion(league):
    """A retrained model better than both takes the place; the recalibrated one stood between."""
    true, made, games = league
    found = decide(
        made,
        games,
        {"new": true},
        None,
        champion=_off(true, 0.6),
        recalibrated=_off(true, 0.3),
    )
    assert (found.winner, found.promoted) == ("new", True)
    assert [c.incumbent for c in found.contests] == [CHAMPION, RECALIBRATED]


def test_a_recalibrated_champion_that_is_no_better_changes_nothing(league):
    """Recalibrated to the same answers, the champion stays; challengers are held against it."""
    true, made, games = league
    found = decide(made, games, {}, None, champion=true, recalibrated=true)
    assert (found.winner, found.promoted) == (CHAMPION, False)
    assert "predict the same" in found.reason


@pytest.mark.parametrize("broken", [np.nan, -0.1, 1.1, np.inf])
def test_broken_answers_never_win_and_never_stop_others(league, broken):
    """A model with an answer that is no probability loses; a sound one beside it is judged."""
    true, made, games = league
    bad = true.copy()
    bad[17] = broken
    poor = _off(true, 0.4)
    found = decide(made, games, {"bad": bad, "new": true}, None, champion=poor)
    assert (found.winner, found.promoted) == ("new", True)
    assert [(c.challenger, c.won) for c in found.contests] == [("bad", False), ("new", True)]
    assert "no evidence" in found.contests[0].reason
    alone = decide(made, games, {"bad": bad}, None, champion=poor, recalibrated=bad)
    assert (alone.winner, alone.promoted) == (CHAMPION, False)
    first = decide(made, games, {"bad": bad}, poor)
    assert (first.winner, first.promoted) == (None, False)
    against = decide(made, games, {"new": true}, None, champion=bad)
    assert (against.winner, against.promoted) == (CHAMPION, False)
    assert decide(made, games, {"new": true}, bad).promoted is False
    json.dumps([d.to_dict() for d in (found, alone, first, against)], allow_nan=False)


@pytest.mark.parametrize("n_games", [1, 2, 19])
def test_thin_evidence_never_promotes(league, n_games):
    """A clear gain in few games is no evidence."""
    true, made, games = league
    rows = games < n_games
    found = decide(
        made[rows], games[rows], {"new": true[rows]}, None, champion=_off(true[rows], 1.5)
    )
    assert (found.winner, found.promoted) == (CHAMPION, False)
    assert "evidence" in found.reason


def test_unequal_or_impossible_input_is_an_error(league):
    """Arrays of unequal length and labels that are none are no case for a decision."""
    true, made, games = league
    with pytest.raises(DataError):
        decide(made, games, {"new": true[:-1]}, None, champion=true)
    with pytest.raises(DataError):
        decide(made + 1, games, {"new": true}, None, champion=true)
    with pytest.raises(DataError):
        decide([], [], {"new": []}, [])


def test_the_order_of_the_challengers_does_not_matter(league):
    """Two challengers that are equally good: the first by name, whoever is listed first."""
    true, made, games = league
    for names in ("ab", "ba"):
        found = decide(made, games, dict.fromkeys(names, true), None, champion=_off(true, 0.5))
        assert found.winner == "a"


@settings(max_examples=60)
@given(
    st.integers(0, 2**32),
    st.lists(st.sampled_from(["new", "other"]), unique=True),
    st.booleans(),
    st.booleans(),
)
def test_whoever_is_promoted_was_shown_to_be_better(seed, names, has_champion, has_level):
    """On random leagues a promotion has a won contest behind it, and the rest follows from it."""
    rng = np.random.default_rng(seed)
    n_games = int(rng.integers(1, 40))
    true = rng.beta(5, 6, n_games * 8)
    made = (rng.random(len(true)) < true).astype(float)
    games = np.repeat(np.arange(n_games), 8)

    def model():
        return np.full(len(true), np.nan) if rng.random() < 0.1 else _off(true, rng.normal() / 2)

    found = decide(
        made,
        games,
        {name: model() for name in names},
        model(),
        champion=model() if has_champion else None,
        recalibrated=model() if has_champion and has_level else None,
    )
    won = [contest.challenger for contest in found.contests if contest.won]
    assert found.promoted == bool(won)
    assert found.winner == (won[-1] if won else CHAMPION if has_champion else None)
    assert isinstance(found.contests, tuple)
    assert all(isinstance(contest, Contest) for contest in found.contests)
    json.dumps(found.to_dict(), allow_nan=False)
