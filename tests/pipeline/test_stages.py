"""The stages between files: train, evaluate, promote, examine; each may be run again."""

import json
from dataclasses import replace

import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from parivision import settings
from parivision.drift.reference import DriftReference
from parivision.errors import DataError, ModelError
from parivision.models import families
from parivision.models.bundle import PLAYERS, Bundle
from parivision.models.training import Recipe
from parivision.promotion.decision import BLENDED, CHAMPION, RECALIBRATED, Rule
from parivision.promotion.holdout import Judgement
from parivision.registry import MODEL_NAME, Registry
from parivision.stages import files
from parivision.stages.evaluate import evaluate
from parivision.stages.examine import examine
from parivision.stages.promote import promote
from parivision.stages.train import train

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

# The league is small: what is shown here is the order of things, not the rule.
EASY = Rule(alpha=0.99, min_games=2, ece_bound=1.0)
NEVER = Rule(alpha=0.0)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    """Threads that wait for each other on a busy machine take longer than one alone."""
    monkeypatch.setattr(families, "THREADS", 1)


class Place:
    """A registry, a snapshot and folders, and the stages on them."""

    def __init__(self, folder, store, shots):
        (folder / "mlflow.db").write_bytes(store)
        self.folder = folder
        self.settings = settings.read({"PARIVISION_HOME": str(folder)})
        self.registry = Registry(self.settings.tracking_uri, self.settings.artifacts)
        self.cache = self.settings.cache
        self.shots, self.out = folder / "s.parquet", folder / "out"
        shots.write_parquet(self.shots)

    def train(self, family, feature_set="full"):
        """Train a family on the snapshot."""
        out = self.folder / "models" / family
        return train(self.settings, self.shots, Recipe(family, feature_set), out).bundle

    def evaluate(self, *families_):
        """Let models that were trained answer the later games."""
        models = {name: self.folder / "models" / name for name in families_}
        return evaluate(self.settings, self.shots, models, self.out).scores

    def promote(self, *families_, rule=EASY):
        """Decide by the last evaluation."""
        models = {name: self.folder / "models" / name for name in families_}
        out = self.folder / "champion"
        return promote(self.settings, self.shots, self.out, models, out, rule=rule)

    def versions(self):
        """How many versions were registered."""
        client = MlflowClient(self.registry.uri)
        return len(client.search_model_versions(f"name = '{MODEL_NAME}'"))


def _files(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}


@pytest.fixture
def place(tmp_path, mlflow_db, league_shots):
    """Everything in one folder, with an empty registry."""
    return Place(tmp_path, mlflow_db, league_shots)


def test_training_writes_a_bundle_and_keeps_a_run(place):
    """The bundle in the folder knows its run, which has parameters and the same model."""
    bundle = place.train("lightgbm")
    loaded = Bundle.load(place.folder / "models" / "lightgbm")
    run = MlflowClient(place.registry.uri).get_run(bundle.card["run_id"])
    assert loaded.card["run_id"] == bundle.card["run_id"]
    assert run.data.tags["model"] == "lightgbm"
    assert run.data.params["family"] == "lightgbm"
    assert run.data.params["with_action.num_leaves"] == "31"
    (again,) = place.registry.trained(place.cache).values()
    assert again.form.as_of_day == bundle.form.as_of_day
    first = _files(place.folder / "models" / "lightgbm")
    place.train("lightgbm")
    second = _files(place.folder / "models" / "lightgbm")
    assert {k: v for k, v in first.items() if k != "bundle.json"} == {
        k: v for k, v in second.items() if k != "bundle.json"
    }


@pytest.mark.parametrize("family", ["logistic_regression", "lightgbm"])
def test_every_training_keeps_what_the_best_one_keeps(place, family):
    """A run has scores, report, confusion matrix and importances, equal to an evaluation's."""
    run_id = place.train(family).card["run_id"]
    kept = place.settings.artifacts / run_id / "artifacts"
    scored = place.evaluate(family)[family]
    data = json.loads((kept / f"{files.CONFUSION}.json").read_text())
    assert sum(map(sum, data["matrix"])) == scored.n_shots
    assert data["matrix"][1][1] == scored.confusion.true_made
    assert len(json.loads((kept / f"{files.IMPORTANCES}.json").read_text())) > 10
    report = (kept / files.EVALUATION).read_text()
    assert f"<dt>model</dt><dd>{family.replace('_', '_<wbr>')}</dd>" in report
    run = MlflowClient(place.registry.uri).get_run(run_id)
    assert run.data.metrics["log_loss"] == scored.log_loss
    best = json.loads((place.out / files.EVALUATED).read_text())["run_id"]
    of_best = _files(place.settings.artifacts / best / "artifacts")
    for stem in (files.CONFUSION, files.IMPORTANCES):
        for name in (f"{stem}.json", f"{stem}.svg"):
            assert of_best[name] == (kept / name).read_bytes()
    page = of_best[files.EVALUATION].decode()
    assert "<dt>best new model</dt>" in page
    assert "<dt>champion</dt><dd>none yet</dd>" in page


def test_a_missing_snapshot_is_a_clear_error(place):
    """Without shots there is nothing to train on; the error says what to run."""
    place.shots.unlink()
    with pytest.raises(DataError, match="run `parivision refine`"):
        place.train("lightgbm")
    place.shots.write_text("no parquet")
    with pytest.raises(DataError, match="run `parivision refine`"):
        place.train("lightgbm")


def test_without_models_and_champion_there_is_nothing_to_evaluate(place):
    """The error says so."""
    with pytest.raises(ModelError, match="nothing to evaluate"):
        place.evaluate()


def test_the_first_champion_comes_with_all_it_will_need(place):
    """The winner is registered refreshed to the last game, with what drift is judged by."""
    place.train("lightgbm")
    scores = place.evaluate("lightgbm")
    assert scores.keys() == {"lightgbm", "league_mean", "zone_rate"}
    run = json.loads((place.out / files.EVALUATED).read_text())["run_id"]
    for report in (files.EVALUATION, files.EXPLORED):
        assert (place.out / report).read_text().startswith("<!")
        assert (place.settings.artifacts / run / "artifacts" / report).is_file()
    judged = Judgement.from_frame(pl.read_parquet(place.out / files.JUDGEMENT))
    assert judged.scores() == scores
    result = place.promote("lightgbm")
    assert result.decision.promoted
    assert (result.champion.number, result.bundle) == ("1", place.folder / "champion")
    version, champion = place.registry.champion_bundle(place.cache)
    shots = pl.read_parquet(place.shots)
    assert champion.card["known_through"] == str(shots["game_date"].max())
    assert champion.card["scores"]["log_loss"] == scores["lightgbm"].log_loss
    bins = champion.card["reliability"]
    assert sum(row["n_shots"] for row in bins) == len(judged.made)
    assert all(row["low"] <= row["made_rate"] <= row["high"] for row in bins)
    fetched = place.registry.fetch(version.number, place.cache)
    players = json.loads((fetched / PLAYERS).read_text())["players"]
    newest = shots.filter(pl.col("season") == shots["season"].max())
    assert {one["player_id"] for one in players} == set(newest["player_id"])
    assert sum(one["attempts"] for one in players) == newest.height
    attempts = [one["attempts"] for one in players]
    assert attempts == sorted(attempts, reverse=True)
    assert _files(fetched) == _files(place.folder / "champion")
    for name in (files.DRIFT_REFERENCE, files.DRIFT_TRAINING, files.DRIFT_LATER):
        assert (fetched / name).exists()
    assert DriftReference.load(fetched / files.DRIFT_REFERENCE).champion == "lightgbm"
    later = pl.read_parquet(fetched / files.DRIFT_LATER)
    training = pl.read_parquet(fetched / files.DRIFT_TRAINING)
    assert max(training["game_date"].to_list()) < min(later["game_date"].to_list())
    assert later[files.P_MADE].is_between(0, 1).all()


def test_promoting_again_finds_it_done(place):
    """A second run, and one that died behind the promotion, add no version and no decision."""
    place.train("lightgbm")
    place.evaluate("lightgbm")
    first = place.promote("lightgbm")
    files = _files(place.folder / "champion")
    for name in files:
        (place.folder / "champion" / name).unlink()
    again = place.promote("lightgbm")
    assert again.champion.number == first.champion.number == "1"
    assert again.decision == first.decision
    assert _files(place.folder / "champion") == files
    assert place.versions() == 1


def test_a_champion_stays_unless_it_is_beaten(place):
    """A challenger that is not shown to be better leaves the champion, whose bundle is handed on.

    What an older run left in the folder is gone then.
    """
    place.train("lightgbm")
    place.evaluate("lightgbm")
    place.promote("lightgbm")
    place.train("xgboost")
    scores = place.evaluate("xgboost")
    # It knows the games to judge on: it answers as if it did not, and once.
    assert CHAMPION in scores
    assert RECALIBRATED not in scores
    stale = place.folder / "champion" / "stale.model"
    stale.write_text("left behind")
    result = place.promote("xgboost", rule=NEVER)
    assert not result.decision.promoted
    assert result.decision.winner == CHAMPION
    assert result.champion.number == "1"
    assert not stale.exists()
    fetched = place.registry.fetch("1", place.cache)
    assert _files(place.folder / "champion") == _files(fetched)
    assert place.versions() == 1


def test_a_champion_may_keep_a_say_in_the_next_one(place):
    """When the two together win, the new champion answers as both, and knows all games."""
    place.train("lightgbm")
    place.evaluate("lightgbm")
    place.promote("lightgbm")
    place.train("logistic_regression")
    assert BLENDED in place.evaluate("logistic_regression")
    judged = Judgement.from_frame(pl.read_parquet(place.out / files.JUDGEMENT))
    sure = {**judged.predictions, BLENDED: 0.2 + 0.6 * judged.made}
    replace(judged, predictions=sure).to_frame().write_parquet(place.out / files.JUDGEMENT)
    result = place.promote("logistic_regression")
    assert (result.decision.winner, result.champion.number) == (BLENDED, "2")
    champion = place.registry.champion_bundle(place.cache)[1]
    kinds = [part.estimator.kind for part in champion.parts["with_action"].members()]
    assert kinds == ["sklearn", "lightgbm"]
    assert champion.card["known_through"] == str(judged.shots["game_date"].max())


def test_nobody_is_champion_when_nobody_is_good_enough(place):
    """A first run whose best model is not shown to beat the zone rate serves nothing."""
    place.train("lightgbm", "classic")
    place.evaluate("lightgbm")
    result = place.promote("lightgbm", rule=NEVER)
    assert (result.champion, result.bundle) == (None, None)
    assert "no first champion" in result.decision.reason
    assert place.registry.champion() is None


def test_a_decision_is_made_against_the_champion_that_was_evaluated(place):
    """If another one was promoted meanwhile, the evaluation is out of date and refused."""
    place.train("lightgbm")
    place.evaluate("lightgbm")
    old = _files(place.out)
    place.promote("lightgbm")
    place.evaluate("lightgbm")
    place.promote("lightgbm", rule=NEVER)
    for name, content in old.items():
        (place.out / name).write_bytes(content)
    evaluated = json.loads(old[files.EVALUATED])
    (place.out / files.EVALUATED).write_text(json.dumps({**evaluated, "run_id": "another"}))
    with pytest.raises(ModelError, match=r"champion is version 1 now.*version None.*once more"):
        place.promote("lightgbm")


def test_a_champion_alone_is_compared_with_itself_refreshed(place, league_shots):
    """Without new models the question is whether its state should be brought up to date."""
    days = league_shots["game_date"].unique().sort()
    league_shots.filter(pl.col("game_date") < days[-4]).write_parquet(place.shots)
    place.train("lightgbm")
    place.evaluate("lightgbm")
    place.promote("lightgbm")
    everything_known = place.evaluate()
    assert CHAMPION in everything_known
    league_shots.write_parquet(place.shots)
    scores = place.evaluate()
    assert scores.keys() == {"zone_rate", CHAMPION, RECALIBRATED}
    result = place.promote(rule=Rule(alpha=1.0, min_games=2, ece_bound=1.0))
    if scores[RECALIBRATED].log_loss < scores[CHAMPION].log_loss:
        assert result.decision.winner == RECALIBRATED
        champion = place.registry.champion_bundle(place.cache)[1]
        assert champion.card["known_through"] == str(days[-1])
        assert place.versions() == 2
    else:
        assert result.decision.winner == CHAMPION


def test_an_exam_is_on_games_the_champion_does_not_know(place, league_shots):
    """Games it knows are left out; when it knows all of them the error says through when."""
    with pytest.raises(ModelError, match="no champion yet"):
        examine(place.settings, league_shots, place.out, "exam")
    days = league_shots["game_date"].unique().sort()
    league_shots.filter(pl.col("game_date") < days[-2]).write_parquet(place.shots)
    place.train("lightgbm")
    place.evaluate("lightgbm")
    place.promote("lightgbm")
    judgement = examine(place.settings, league_shots, place.out, "An exam")
    assert judgement.shots["game_date"].unique().sort().to_list() == days[-2:].to_list()
    assert {CHAMPION, "lightgbm", "zone_rate"} <= judgement.predictions.keys()
    page = (place.out / files.EVALUATION).read_text()
    assert "An exam" in page
    assert "<dt>champion</dt><dd>version 1, lightgbm</dd>" in page
    known = league_shots.filter(pl.col("game_date") < days[-2])
    with pytest.raises(DataError, match=rf"knows all of these games.*{days[-3]}"):
        examine(place.settings, known, place.out, "exam")
