"""The registry on a real MLflow store: runs, versions, the alias, and what happens in between."""

import json
import socket
import time
from dataclasses import replace
from datetime import UTC, date, datetime

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from parivision.errors import RegistryError
from parivision.promotion.decision import Decision
from parivision.registry import (
    ALIAS,
    DRIFT,
    EXPERIMENT,
    MODEL_NAME,
    SEVERITY,
    TRAINING,
    DriftReport,
    Registry,
    impatient,
    quiet,
)
from parivision.shots.facts import from_records

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

WON = Decision("lightgbm", promoted=True, reason="lightgbm is better")
LOST = Decision("champion", promoted=False, reason="nobody is better")


@pytest.fixture
def registry(mlflow_db, tmp_path):
    """An empty registry."""
    (tmp_path / "mlflow.db").write_bytes(mlflow_db)
    quiet()
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")


@pytest.fixture(scope="module")
def facts():
    """A few shots."""
    spot = {"period": 1, "clock_s": 60.0, "y_ft": 3.0}
    return from_records(
        [{**spot, "player_id": i, "x_ft": float(i)} for i in range(9)], date.today()
    )


def _files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def _trained(registry, bundle, name="lightgbm"):
    return registry.log(
        f"train {name}", tags={"kind": TRAINING, "model": name}, artifacts={"bundle": bundle}
    )


def test_there_is_no_champion_at_first(registry, tmp_path):
    """A new store has none, and neither does one where nothing was promoted."""
    assert registry.champion() is None
    assert registry.champion_bundle(tmp_path / "cache") is None
    assert registry.record(LOST, None, None) is None
    assert registry.champion() is None


def test_a_run_keeps_what_it_was_given(registry, tmp_path):
    """Parameters, numbers, tags and files can be found again; what is None is left out."""
    (tmp_path / "report.html").write_text("<p>report</p>")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part").write_text("part")
    run_id = registry.log(
        "look",
        params={"seed": 3},
        metrics={"log_loss": 0.64, "roc_auc": None},
        tags={"kind": "evaluation"},
        artifacts={"": tmp_path / "report.html", "bundle": tmp_path / "folder"},
    )
    registry.extend(run_id, metrics={"ece": 0.01})
    client = MlflowClient(registry.uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.info.experiment_id == registry.prepare()
    assert client.get_experiment(run.info.experiment_id).name == EXPERIMENT
    assert run.data.params == {"seed": "3"}
    assert run.data.metrics == {"log_loss": 0.64, "ece": 0.01}
    assert run.data.tags["kind"] == "evaluation"
    kept = tmp_path / "artifacts" / run_id / "artifacts"
    assert (kept / "report.html").read_text() == "<p>report</p>"
    assert (kept / "bundle" / "part").read_text() == "part"


def test_a_promotion_moves_the_alias(registry, small_bundle_dir, tmp_path):
    """The version holds bundle, tags and decision; a lost contest and a second win follow."""
    version = registry.record(WON, small_bundle_dir, "run-1", {"evaluation": "run-2"})
    found = registry.champion()
    assert (found.number, found.run_id) == (version.number, version.run_id) == ("1", found.run_id)
    assert found.tags["reason"] == WON.reason
    assert (found.tags["family"], found.tags["source_run"]) == ("lightgbm", "run-1")
    assert found.evaluation == "run-2"
    assert _files(registry.fetch("1", tmp_path / "cache")) == _files(small_bundle_dir)
    decision = tmp_path / "artifacts" / found.run_id / "artifacts" / "decision.json"
    assert json.loads(decision.read_text())["winner"] == "lightgbm"
    assert registry.record(LOST, None, None) is None
    assert registry.champion().number == "1"
    assert registry.record(WON, small_bundle_dir, None).number == "2"
    assert registry.champion().number == "2"
    assert registry.fetch("1", tmp_path / "cache").is_dir()


def test_the_alias_moves_last(registry, small_bundle_dir, monkeypatch):
    """Whatever dies before it leaves the old champion, and the next run is not disturbed."""
    registry.record(WON, small_bundle_dir, None)
    steps = []

    def dies(step):
        def fail(*args, **kwargs):
            steps.append(step)
            raise ConnectionError("the store is gone")

        return fail

    for step in ("create_run", "set_terminated", "log_artifacts", "set_model_version_tag"):
        with monkeypatch.context() as patch:
            patch.setattr(registry._client, step, dies(step))
            with pytest.raises(RegistryError, match="the store is gone"):
                registry.record(WON, small_bundle_dir, None)
        assert registry.champion().number == "1"
    assert len(steps) == 4
    number = registry.record(WON, small_bundle_dir, None).number
    assert registry.champion().number == number != "1"


def test_a_bundle_is_fetched_once(registry, small_bundle_dir, small_bundle, tmp_path, facts):
    """The second time it comes from the cache; it is the bundle that was promoted."""
    registry.record(WON, small_bundle_dir, None)
    version, bundle = registry.champion_bundle(tmp_path / "cache")
    assert bundle.predict(facts).tobytes() == small_bundle.predict(facts).tobytes()
    folder = registry.fetch(version.number, tmp_path / "cache")
    (folder / "mark").write_text("still here")
    assert registry.fetch(version.number, tmp_path / "cache") == folder
    assert (folder / "mark").exists()
    assert [p.name for p in (tmp_path / "cache").iterdir()] == [folder.name]


def test_another_store_s_version_is_another_bundle(
    registry, mlflow_db, small_bundle_dir, small_bundle, tmp_path
):
    """Version 1 of two stores, fetched into the same cache, are kept apart."""
    (tmp_path / "other.db").write_bytes(mlflow_db)
    other = Registry(f"sqlite:///{tmp_path}/other.db", tmp_path / "other-artifacts")
    plain = replace(small_bundle, card={"from": "elsewhere"})
    plain.save(tmp_path / "plain")
    registry.record(WON, small_bundle_dir, None)
    other.record(WON, tmp_path / "plain", None)
    cache = tmp_path / "cache"
    own, others = registry.champion_bundle(cache), other.champion_bundle(cache)
    assert own is not None
    assert others is not None
    assert "from" not in own[1].card
    assert others[1].card == {"from": "elsewhere"}


def test_a_broken_download_leaves_nothing(registry, small_bundle_dir, tmp_path):
    """A fetch that fails is an error, and the next one is not misled by half a bundle."""
    version = registry.record(WON, small_bundle_dir, None)
    kept = tmp_path / "artifacts" / version.run_id / "artifacts" / "bundle"
    hidden = kept.rename(tmp_path / "hidden")
    with pytest.raises(RegistryError, match="cannot fetch the bundle"):
        registry.fetch(version.number, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
    hidden.rename(kept)
    assert _files(registry.fetch(version.number, tmp_path / "cache")) == _files(small_bundle_dir)


def test_of_two_that_fetch_the_same_run_both_get_it(
    registry, small_bundle_dir, tmp_path, monkeypatch
):
    """One fetches it while the other does, as two commands may: the bundle is there once."""
    version = registry.record(WON, small_bundle_dir, None)
    download, cache = mlflow.artifacts.download_artifacts, tmp_path / "cache"

    def overtaken(**asked):
        local = download(**asked)
        monkeypatch.setattr(mlflow.artifacts, "download_artifacts", download)
        other = Registry(registry.uri, tmp_path / "artifacts")
        assert _files(other.fetch(version.number, cache)) == _files(small_bundle_dir)
        return local

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", overtaken)
    fetched = registry.fetch(version.number, cache)
    assert mlflow.artifacts.download_artifacts is download
    assert [path.name for path in cache.iterdir()] == [fetched.name]
    assert all(path.is_file() for path in fetched.iterdir())
    assert _files(fetched) == _files(small_bundle_dir)


def test_the_newest_training_of_each_model_is_found(
    registry, small_bundle_dir, small_bundle, tmp_path
):
    """By name; a training that died, and runs of another kind, are passed over."""
    newer = replace(small_bundle, card={"trained": "later"})
    newer.save(tmp_path / "newer")
    _trained(registry, small_bundle_dir)
    _trained(registry, tmp_path / "newer")
    _trained(registry, small_bundle_dir, "xgboost")
    registry.log("evaluation", tags={"kind": "evaluation"})
    client = MlflowClient(registry.uri)
    client.create_run(registry.prepare(), tags={"kind": TRAINING, "model": "lightgbm"})
    found = registry.trained(tmp_path / "cache")
    assert found.keys() == {"lightgbm", "xgboost"}
    assert found["lightgbm"].card == {"trained": "later"}
    assert found["xgboost"].card == small_bundle.card


def test_errors_are_translated(registry, mlflow_db, tmp_path):
    """A version, run or store that is not there, and a broken file, are errors of the registry."""
    with pytest.raises(RegistryError, match="cannot look version 9 up"):
        registry.fetch("9", tmp_path / "cache")
    with pytest.raises(RegistryError, match="cannot extend the run nobody"):
        registry.extend("nobody", metrics={"x": 1.0})
    with pytest.raises(RegistryError, match="cannot open the registry"):
        Registry("teapot://x")
    (tmp_path / "broken.db").write_bytes(mlflow_db[:4000] + b"\xff" * 4000)
    with pytest.raises(RegistryError):
        Registry(f"sqlite:///{tmp_path}/broken.db").champion()


def test_a_server_that_does_not_answer_is_a_clear_error(monkeypatch):
    """No tracking server on the port: the error says what was wanted and what to look at."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(RegistryError, match=r"cannot look the champion up.*reachable"):
        Registry("http://127.0.0.1:9").champion()


def test_who_asks_again_anyway_does_not_wait(monkeypatch):
    """A server that takes the connection and then says nothing is given up after the seconds."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "120")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7")
    impatient(1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        with pytest.raises(RegistryError, match="cannot look the champion up"):
            Registry(f"http://127.0.0.1:{silent.getsockname()[1]}").champion()
        assert 1 <= time.monotonic() - began_s < 10


def test_who_watches_changes_nothing(registry):
    """Before the first run there is nothing to tell, and asking makes no experiment."""
    assert registry.latest_drift() is None
    assert registry.pipeline_runs() == []
    assert MlflowClient(registry.uri).get_experiment_by_name(EXPERIMENT) is None


def test_a_champion_is_known_by_its_day_and_its_score(registry, small_bundle_dir):
    """The score is the one of the evaluation that promoted it, under the name it had there."""
    before = datetime.now(tz=UTC).replace(microsecond=0)
    evaluation = registry.log(
        "evaluation", metrics={"lightgbm.log_loss": 0.63, "champion.log_loss": 0.64}
    )
    registry.record(WON, small_bundle_dir, None, {"evaluation": evaluation})
    champion = registry.champion()
    assert before <= champion.registered_at <= datetime.now(tz=UTC)
    assert registry.promised_by(champion) == 0.63
    assert registry.promised_by(replace(champion, tags={"evaluation": evaluation})) is None
    assert registry.promised_by(replace(champion, tags={})) is None
    with pytest.raises(RegistryError, match="cannot read the evaluation of version 1"):
        registry.promised_by(replace(champion, tags={"evaluation": "nobody"}))


def test_the_newest_drift_report_counts(registry):
    """Its verdict, its columns and both log losses; runs of another kind, and dead ones, do not."""
    tags = {"kind": DRIFT, "champion": "1", "verdict": "quiet"}
    registry.log("drift", tags=tags, metrics={f"{SEVERITY}period": 0.5})
    registry.log(
        "drift",
        tags=tags | {"champion": "2", "verdict": "drift"},
        metrics={
            f"{SEVERITY}distance_ft": 5.0,
            "log_loss": 0.66,
            "promised_log_loss": 0.64,
            "shots": 9000,
        },
    )
    registry.log("evaluation", tags={"kind": "evaluation"})
    MlflowClient(registry.uri).create_run(registry.prepare(), tags=tags)
    found = registry.latest_drift()
    assert (datetime.now(tz=UTC) - found.at).total_seconds() < 60
    assert found == DriftReport(found.at, "2", "drift", {"distance_ft": 5.0}, 0.66, 0.64)


def test_pipeline_runs_are_told_with_their_end(registry):
    """Newest first; a failure keeps its reason, cut to what a tag holds."""
    registry.record_pipeline("training", seconds=61.5)
    registry.record_pipeline("etl", seconds=2.0, failure="the task 'ingest' failed: " + "x" * 5000)
    failed, succeeded = registry.pipeline_runs()
    assert (failed.pipeline, failed.state) == ("etl", "FAILED")
    assert (succeeded.pipeline, succeeded.state) == ("training", "SUCCEEDED")
    assert succeeded.finished_at <= failed.finished_at <= datetime.now(tz=UTC)
    client = MlflowClient(registry.uri)
    runs = client.search_runs([registry.prepare()], "tags.pipeline = 'etl'")
    assert runs[0].data.tags["reason"].startswith("the task 'ingest' failed")
    assert runs[0].data.metrics == {"seconds": 2.0}


def test_other_tools_can_load_the_champion(registry, small_bundle_dir, small_bundle):
    """As a pyfunc model it answers probabilities of a frame of raw facts, dates in any form."""
    registry.record(WON, small_bundle_dir, None)
    mlflow.set_tracking_uri(registry.uri)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@{ALIAS}")
    shot = {"player_id": 7, "period": 2, "clock_s": 30.0, "x_ft": 1.0, "y_ft": 24.0}
    frame = pd.DataFrame(
        {
            **{name: [value] * 4 for name, value in shot.items()},
            "team_id": [1610612738, None, None, None],
            "home_team": ["BOS", None, None, None],
            "away_team": ["LAL", None, None, None],
            "action_type": ["Jump Shot", None, "Jump Shot", None],
            "game_date": [date(2023, 3, 1), "2023-03-01", pd.Timestamp("2023-03-01"), None],
        }
    )
    records = [
        {
            str(name): None if value is None or value is pd.NaT else value
            for name, value in row.items()
        }
        for row in frame.astype(object).where(frame.notna(), None).to_dict(orient="records")
    ]
    days = [date(2023, 3, 1)] * 3 + [datetime.now(tz=UTC).date()]
    expected = small_bundle.predict(
        from_records([{**r, "game_date": d} for r, d in zip(records, days, strict=True)], days[-1])
    )
    np.testing.assert_array_equal(model.predict(frame), expected)
    dated = frame[["player_id", "period", "clock_s", "x_ft", "y_ft"]]
    assert len(model.predict(dated)) == 4


def test_opening_asks_for_nothing(tmp_path):
    """Preparing is safe to call again, and the place of the artifacts is the one given."""
    registry = Registry(f"sqlite:///{tmp_path}/new.db", tmp_path / "kept here")
    assert registry.prepare() == registry.prepare()
    found = MlflowClient(registry.uri).get_experiment(registry.prepare())
    assert found.artifact_location.endswith("/kept%20here")
    run_id = registry.log("x", artifacts={"bundle": tmp_path / "new.db"})
    assert (tmp_path / "kept here" / run_id / "artifacts" / "bundle" / "new.db").exists()
