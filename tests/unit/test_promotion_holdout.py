"""Judging: who answers the later games, from what, and what may not reach the answers."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from parivision.errors import DataError
from parivision.features import tables
from parivision.models.bundle import WITH_ACTION, WITHOUT_ACTION, blended
from parivision.models.training import History, Recipe, train
from parivision.promotion import decision, holdout
from parivision.promotion.decision import BLENDED, CHAMPION, RECALIBRATED
from parivision.promotion.holdout import Judgement
from tiny_league import shot, table


@pytest.fixture(scope="module")
def later(league_history, league_split):
    """The rows to judge on."""
    return league_split.later(league_history.facts.day)


@pytest.fixture(scope="module")
def grown(league_bundle, league_history, later):
    """The model with all but the last two days of games known."""
    facts, made = league_history.facts.take(later), league_history.made[later]
    days = np.unique(facts.day)
    rows = facts.day <= days[-3]
    return league_bundle.refreshed(facts.take(rows), made[rows])


@pytest.fixture(scope="module")
def judgement(league_shots, league_history, league_split, league_bundle):
    """A challenger, the baselines, and the same model as champion."""
    bundles = {"new": league_bundle}
    return holdout.judge(league_shots, league_history, league_split, bundles, league_bundle)


def test_all_answer_the_same_later_games(judgement, league_bundle, league_history, later):
    """Every model has an answer for every later shot, as it would have been served."""
    assert judgement.predictions.keys() == {
        "league_mean",
        "zone_rate",
        "new",
        CHAMPION,
        RECALIBRATED,
        BLENDED,
    }
    served = league_bundle.predict(league_history.facts.take(later))
    for name in ("new", CHAMPION):
        assert judgement.predictions[name].tobytes() == served.tobytes()
    assert len(np.unique(judgement.predictions["league_mean"])) == 1
    assert (judgement.made == league_history.made[later]).all()
    assert judgement.games.tolist() == judgement.shots["game_id"].to_list()
    scores = judgement.scores()
    assert scores["new"].log_loss < scores["zone_rate"].log_loss < scores["league_mean"].log_loss


def test_recalibrated_means_its_state_made_anew(judgement):
    """A champion of that very morning recalibrated is itself."""
    champion, recalibrated = (judgement.predictions[name] for name in (CHAMPION, RECALIBRATED))
    np.testing.assert_allclose(recalibrated, champion, atol=1e-9)


def test_the_champion_keeps_a_say_beside_the_best_challenger(
    league_shots, league_history, league_split, league_bundle, later
):
    """The blend is of the recalibrated champion and the best of those newly trained."""
    bundles = {
        name: train(league_history, league_split, Recipe(name)) for name in ("zone_rate", "xgboost")
    }
    found = holdout.judge(league_shots, league_history, league_split, bundles, league_bundle)
    assert holdout.best_of(found.made, {n: found.predictions[n] for n in bundles}) == "xgboost"
    expected = blended(bundles["xgboost"], league_bundle)
    served = expected.predict(league_history.facts.take(later))
    np.testing.assert_allclose(found.predictions[BLENDED], served, atol=1e-9)


def test_without_probabilities_nobody_is_the_best():
    """What is no probability is not compared, and with nothing left there is no best."""
    made, broken = np.array([0.0, 1.0]), np.array([np.nan, 0.5])
    fine = np.array([0.4, 0.6])
    assert holdout.best_of(made, {"broken": broken}) is None
    assert holdout.best_of(made, {"broken": broken, "b": fine, "a": fine}) == "a"


def test_later_outcomes_reach_no_answer(
    judgement, league_shots, league_history, league_split, league_bundle, later
):
    """With all later outcomes turned round every model answers the same, to the last bit."""
    made = league_history.made.copy()
    made[later] = 1 - made[later]
    shots = league_shots.with_columns(pl.Series("made", made, pl.Int8))
    turned = History.of(league_history.facts, made)
    bundles = {"new": league_bundle}
    found = holdout.judge(shots, turned, league_split, bundles, league_bundle)
    for name, p in judgement.predictions.items():
        assert found.predictions[name].tobytes() == p.tobytes(), name


def test_a_champion_that_knows_the_games_answers_without_them(
    judgement, grown, league_shots, league_history, league_split
):
    """What it learnt from the games to judge on is taken back; there is no second answer then."""
    found = holdout.judge(league_shots, league_history, league_split, {}, grown)
    assert RECALIBRATED not in found.predictions
    expected = judgement.predictions[RECALIBRATED]
    np.testing.assert_allclose(found.predictions[CHAMPION], expected, atol=1e-9)


def test_a_judgement_survives_being_kept(judgement, tmp_path):
    """Through a file and back it holds the same shots, answers and scores."""
    judgement.to_frame().write_parquet(tmp_path / "j.parquet")
    kept = Judgement.from_frame(pl.read_parquet(tmp_path / "j.parquet"))
    assert kept.shots.equals(judgement.shots)
    for name in ("made", "games", "player_volume"):
        assert getattr(kept, name).tolist() == getattr(judgement, name).tolist()
    assert kept.predictions.keys() == judgement.predictions.keys()
    assert kept.scores() == judgement.scores()
    assert kept.segments().keys() == judgement.segments().keys()
    assert holdout.decide(kept).to_dict() == holdout.decide(judgement).to_dict()


def test_the_decision_follows_from_the_answers(judgement):
    """The champion and its recalibration are told from challengers, baselines are none."""
    kept = {name: p for name, p in judgement.predictions.items() if name != BLENDED}
    found = holdout.decide(replace(judgement, predictions=kept), decision.Rule(min_games=2))
    assert {(c.challenger, c.incumbent) for c in found.contests} == {
        (RECALIBRATED, CHAMPION),
        ("new", CHAMPION),
    }
    own = {CHAMPION, RECALIBRATED, BLENDED}
    first = {k: p for k, p in judgement.predictions.items() if k not in own}
    found = holdout.decide(replace(judgement, predictions=first), decision.Rule(min_games=2))
    assert [(c.challenger, c.incumbent) for c in found.contests] == [("new", "zone_rate")]


def test_refreshing_is_judged_on_games_the_champion_does_not_know(
    league_shots, league_history, league_bundle, later
):
    """As served against refreshed every night: the first day is the same, later ones differ."""
    found = holdout.judge_refresh(league_shots, league_history, league_bundle)
    assert found.predictions.keys() == {"zone_rate", CHAMPION, RECALIBRATED}
    assert len(found.made) == later.stop - later.start
    served = league_bundle.predict(league_history.facts.take(later))
    assert found.predictions[CHAMPION].tobytes() == served.tobytes()
    assert (found.predictions[RECALIBRATED] != served).mean() > 0.9
    everything = league_bundle.refreshed(league_history.facts, league_history.made)
    with pytest.raises(DataError, match="no games after"):
        holdout.judge_refresh(league_shots, league_history, everything)


def test_an_exam_is_on_games_nobody_knows(league_shots, league_bundle, grown):
    """Games that a model knows are refused, whichever model it is; unseen ones can be picked."""
    with pytest.raises(DataError, match="champion knows all games up to"):
        holdout.exam(league_shots, league_bundle)
    games = holdout.unseen(league_shots, league_bundle)
    with pytest.raises(DataError, match="other knows all games up to"):
        holdout.exam(games, league_bundle, {"other": grown})
    assert holdout.unseen(games, league_bundle).equals(games)
    assert holdout.unseen(games, grown)["game_date"].n_unique() == 2


def test_an_exam_follows_the_games_night_by_night(league_shots, league_bundle, grown):
    """The champion also answers frozen and untold; the rows may come in any order."""
    games = holdout.unseen(league_shots, grown)
    found = holdout.exam(games.sample(fraction=1, shuffle=True, seed=1), grown, {"same": grown})
    assert found.predictions.keys() == {
        CHAMPION,
        "same",
        "champion, frozen",
        "champion, no action",
        "zone_rate",
        "league_mean",
    }
    assert found.shots.equals(games)
    facts, made = tables.facts_from_shots(games), tables.made_array(games)
    assert found.predictions[CHAMPION].tobytes() == grown.copy().walk(facts, made).tobytes()
    assert found.predictions["same"].tobytes() == found.predictions[CHAMPION].tobytes()
    untold = found.predictions["champion, no action"]
    assert (untold != found.predictions[CHAMPION]).mean() > 0.9
    assert 0.3 < found.predictions["league_mean"][0] < 0.6


def test_a_champion_without_action_has_nothing_to_be_untold(league_shots, league_bundle):
    """A model that never uses the action answers once."""
    parts = {k: part for k, part in league_bundle.parts.items() if k != WITH_ACTION}
    plain = replace(league_bundle.copy(), parts=parts)
    assert set(plain.parts) == {WITHOUT_ACTION}
    found = holdout.exam(holdout.unseen(league_shots, plain), plain)
    assert "champion, no action" not in found.predictions


def test_outcomes_of_a_day_do_not_reach_its_own_exam(league_shots, grown):
    """Other outcomes on the last day leave every answer of the exam as it is."""
    games = holdout.unseen(league_shots, grown)
    last = pl.col("game_date") == pl.col("game_date").max()
    turned = games.with_columns(pl.when(last).then(1 - pl.col("made")).otherwise(pl.col("made")))
    one, other = holdout.exam(games, grown), holdout.exam(turned, grown)
    for name, p in one.predictions.items():
        assert other.predictions[name].tobytes() == p.tobytes(), name


def test_a_model_that_knows_nothing_has_seen_nothing(league_shots, league_bundle):
    """Before its first game every game is unseen, of any year."""
    from parivision.features.form import Form

    blank = replace(league_bundle, form=Form())
    assert holdout.unseen(league_shots, blank).equals(league_shots)
    old = table(shot(game_date=shot()["game_date"].replace(year=1950)))
    assert len(holdout.unseen(old, blank)) == 1
    assert holdout.unseen(old, league_bundle).is_empty()
