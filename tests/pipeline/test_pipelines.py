"""The committed pipelines on this machine: trained twice, new games, watched, served.

One story on a small synthetic league; every test looks at a part of it.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from parivision import durable, settings
from parivision.errors import ModelError, PipelineError
from parivision.features import tables
from parivision.kubeflow.local_runs import Run, run_local
from parivision.lake import LayerCounts, open_lake
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import Bundle
from parivision.packaging import local_deployment
from parivision.promotion.holdout import Judgement
from parivision.registry import EXPERIMENT
from parivision.serving.client import ServiceClient, requests_of
from parivision.settings import Settings
from parivision.stages.drift import drift
from parivision.stages.files import CONFUSION, EVALUATED, EVALUATION, IMPORTANCES, JUDGEMENT
from parivision.stages.promote import promote
from ports import free_port

pytestmark = [
    pytest.mark.xdist_group("pipelines"),
    pytest.mark.timeout(2400),
    # MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that is to go.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy"),
]

SOURCE = "synthetic:?seed=1&seasons=2022-2023&games=120&scale=0.2"
NEXT_SEASON = "synthetic:?seed=1&seasons=2024&games=120&scale=0.2"
OTHER_SEASON = "synthetic:?seed=1&seasons=2025&games=120&scale=0.2&moved_coordinates=2025"
LEARNERS = {
    "logistic_regression",
    "random_forest",
    "gradient_boosting",
    "xgboost",
    "lightgbm",
    "lightgbm_classic",
}
BASELINES = {"league_mean", "zone_rate"}
SHOTS = 400
KINDS = ("json", "svg")


@dataclass(frozen=True)
class Served:
    """Shots, what the service said of them over HTTP, and which champion it was."""

    shots: pl.DataFrame
    p_made: list[float]
    champion: dict[str, object]


@dataclass(frozen=True)
class Story:
    """What happened, in this order; `counts` of the lake are those after each training."""

    home: Settings
    first: Run
    served: Served
    second: Run
    counts: tuple[LayerCounts, LayerCounts]
    monitored: Run
    drifted: Run


def ask(run: Run) -> Served:
    """Ask the deployed service for the last shots of the run's snapshot."""
    shots = read_snapshot(run.tasks["refine"].artifacts["shots"].path).tail(SHOTS)
    with ServiceClient(run.tasks["deploy"].parameters["Output"]) as client:
        answers = client.predict(requests_of(shots))
        assert {one["player_id"] for one in client.players()}  # they came with the champion
        return Served(shots, [answer["p_made"] for answer in answers], client.champion())


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two trainings on the same games; a season more, and one that drifted, each monitored."""
    place, port = tmp_path_factory.mktemp("home"), free_port()
    home = settings.read({"PARIVISION_HOME": str(place), "PARIVISION_PORT": str(port)})
    lake = open_lake(home.lake)
    try:
        first = run_local("training", {"source": SOURCE}, home)
        served, before = ask(first), lake.counts()
        second = run_local("training", {"source": SOURCE}, home)
        after = lake.counts()
        run_local("etl", {"source": NEXT_SEASON}, home)
        monitored = run_local("monitoring", {}, home)
        run_local("etl", {"source": OTHER_SEASON}, home)
        drifted = run_local("monitoring", {}, home)
        yield Story(home, first, served, second, (before, after), monitored, drifted)
    finally:
        local_deployment.stop(home.serving)


def judged(run: Run) -> Judgement:
    """What every model said of the later games."""
    folder = run.tasks["evaluate"].artifacts["judged"].path
    return Judgement.from_frame(pl.read_parquet(folder / JUDGEMENT))


def text(run: Run, task: str, artifact: str) -> str:
    """The text of an artifact."""
    return run.tasks[task].artifacts[artifact].path.read_text()


def test_all_models_and_baselines_answer_the_same_games(story: Story) -> None:
    """Five families, the classic set and two baselines stand in one table, with all scores."""
    assert set(judged(story.first).predictions) == LEARNERS | BASELINES
    table = text(story.first, "evaluate", "table")
    for name in LEARNERS | BASELINES:
        assert f"{name}" in table
    for score in ("log loss", "Brier", "ECE", "ROC-AUC", "precision", "recall", "F1"):
        assert score in table


def test_the_ui_gets_reports_curves_and_numbers(story: Story) -> None:
    """Reports are pages, the ROC curve and confusion matrix are of the best model's shots."""
    evaluated = story.first.tasks["evaluate"]
    for task, artifact in (("evaluate", "report"), ("drift", "report"), ("drift", "evidently")):
        page = text(story.second, task, artifact).lstrip().lower()
        assert page.startswith("<!doctype html>")
    curves = evaluated.artifacts["curves"].metadata
    rows = curves["confusionMatrix"]["rows"]
    assert sum(sum(row["row"]) for row in rows) == len(judged(story.first).made)
    assert curves["confidenceMetrics"][-1]["recall"] == 1.0
    assert evaluated.artifacts["best"].metadata["name"] == evaluated.parameters["Output"]
    assert 0.5 < evaluated.artifacts["metrics"].metadata["roc_auc"] < 1


def test_every_training_of_a_run_is_kept_in_detail(story: Story) -> None:
    """Each of the six runs in MLflow has scores, report, confusion matrix and importances."""
    client = MlflowClient(tracking_uri=story.home.tracking_uri)
    shots = len(judged(story.first).made)
    for name in LEARNERS:
        trained = story.first.tasks[f"train {name}"].artifacts["model"].metadata
        found = {file.path for file in client.list_artifacts(trained["run_id"])}
        stems = (CONFUSION, IMPORTANCES)
        assert found >= {EVALUATION, *(f"{stem}.{kind}" for stem in stems for kind in KINDS)}
        assert client.get_run(trained["run_id"]).data.metrics["n_shots"] == shots


def test_the_first_run_ends_with_a_champion_and_says_why(story: Story) -> None:
    """Without a champion the best model takes the place if it beats the zone rate."""
    promoted = story.first.tasks["promote"].parameters
    assert promoted["Output"] is True
    assert promoted["version"] == "1"
    assert promoted["family"] in LEARNERS
    assert "first champion" in promoted["reason"]
    assert promoted["reason"] in text(story.first, "promote", "table")


def test_the_champion_answers_over_http_as_its_bundle_does(story: Story) -> None:
    """Training and service agree to 1e-6 for the same shots."""
    bundle = Bundle.load(story.first.tasks["promote"].artifacts["model"].path)
    expected = bundle.predict(tables.facts_from_shots(story.served.shots))
    np.testing.assert_allclose(story.served.p_made, expected, rtol=0, atol=1e-6)
    assert story.served.champion["version"] == "1"


def test_the_bento_holds_no_training_data(story: Story) -> None:
    """What drift is judged by stays with the registry."""
    bento = story.first.tasks["package"].artifacts["bento"].path
    assert (bento / "src" / "bundle" / "bundle.json").is_file()
    assert not list(bento.rglob("drift_*"))


def test_the_second_run_doubles_nothing(story: Story) -> None:
    """The lake holds every shot once, however often a pipeline runs."""
    before, after = story.counts
    assert before == after
    assert after.silver == story.second.tasks["refine"].parameters["Output"]
    assert story.second.tasks["ingest"].parameters["Output"] == 0


def test_the_second_run_is_decided_against_the_first_champion(story: Story) -> None:
    """The champion answers the same games; only a better model would replace it."""
    assert "champion" in judged(story.second).predictions
    decided = story.second.tasks["promote"].parameters
    assert "champion" in decided["reason"]
    assert decided["version"] == ("2" if decided["Output"] else "1")
    assert ("deploy" in story.second.tasks) is decided["Output"]


def test_drift_before_the_first_champion_is_no_error(story: Story) -> None:
    """The first run says that there is nothing to compare with, and goes on."""
    drift = story.first.tasks["drift"].parameters
    assert drift == {"Output": False, "drifted": False}
    assert "no champion yet" in text(story.first, "drift", "table")
    assert json.loads(text(story.first, "drift", "summary"))["verdict"] == "no champion"


@pytest.mark.parametrize("run", ["second", "monitored", "drifted"])
def test_drift_is_judged_reported_and_kept_as_a_run(story: Story, run: str) -> None:
    """With a champion there are verdicts for people, for machines, and in MLflow."""
    drift = getattr(story, run).tasks["drift"]
    summary = json.loads(drift.artifacts["summary"].path.read_text())
    assert drift.parameters["drifted"] is (summary["verdict"] == "drift")
    assert drift.parameters["Output"] is not drift.parameters["drifted"]
    assert drift.artifacts["metrics"].metadata["shots"] == summary["n_current"] > 0
    assert "plotly" in text(getattr(story, run), "drift", "evidently").lower()
    assert summary["verdict"] in drift.artifacts["table"].path.read_text()


def test_monitoring_judges_the_champion_against_itself_recalibrated(story: Story) -> None:
    """New games, nothing retrained: does the champion with a fresh state do better?"""
    tasks = story.monitored.tasks
    assert not [title for title in tasks if title.startswith("train")]
    assert {"champion", "champion_recalibrated"} <= set(judged(story.monitored).predictions)
    assert tasks["drift"].artifacts["metrics"].metadata["shots"] == len(
        judged(story.monitored).made
    )
    decided = tasks["promote"].parameters
    assert decided["version"]
    assert ("deploy" in tasks) is decided["Output"]


def test_monitoring_that_finds_drift_leaves_the_rest_to_the_training(story: Story) -> None:
    """The training that drift asks for would wait for a rollout of the champion recalibrated."""
    tasks = story.drifted.tasks
    assert tasks["drift"].parameters == {"Output": False, "drifted": True}
    assert not {"evaluate", "promote", "package", "deploy"} & set(tasks)


def test_a_promotion_may_be_run_again(story: Story, tmp_path: Path) -> None:
    """A task that died behind the promotion finds it done: no second version, same outputs."""
    run = story.monitored if story.monitored.tasks["promote"].parameters["Output"] else story.first
    if run is story.first and story.second.tasks["promote"].parameters["Output"]:
        run = story.second
    inputs = run.tasks["evaluate"].artifacts
    best = {inputs["best"].metadata["name"]: inputs["best"].path}
    shots = run.tasks["refine"].artifacts["shots"].path
    again = promote(story.home, shots, inputs["judged"].path, best, tmp_path / "model")
    assert again.version == run.tasks["promote"].parameters["version"]
    assert again.decision.promoted is True
    assert Bundle.load(tmp_path / "model").family


def test_an_evaluation_of_another_champion_promotes_nobody(story: Story, tmp_path: Path) -> None:
    """When the champion changed since the evaluation, the numbers compare with the wrong one."""
    inputs = story.first.tasks["evaluate"].artifacts
    shutil.copytree(inputs["judged"].path, tmp_path / "judged")
    durable.put_json(
        tmp_path / "judged" / EVALUATED, {"run_id": "x", "champion": None, "best": "x"}
    )
    shots = story.first.tasks["refine"].artifacts["shots"].path
    with pytest.raises(ModelError, match=r"the champion is version \d now, .* version None"):
        promote(story.home, shots, tmp_path / "judged", {}, tmp_path / "model")


def test_the_drift_stage_keeps_its_files_as_artifacts(story: Story, tmp_path: Path) -> None:
    """Evidently's reports and the summary can be found in the registry later."""
    shots = story.monitored.tasks["refine"].artifacts["shots"].path
    outcome = drift(story.home, shots, tmp_path)
    assert outcome.summary is not None
    client = MlflowClient(story.home.tracking_uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'drift'")
    assert len(runs) == 4, "the second training, monitoring twice and this one"
    names = {path.name for path in tmp_path.iterdir()}
    assert {"drift_summary.json", "drift_summary.html", "evidently_drift.html"} <= names
    assert {file.path for file in client.list_artifacts(runs[0].info.run_id)} == names


def test_a_stage_that_fails_is_named(tmp_path: Path) -> None:
    """A source that is not there fails the run at `ingest`, with the source's own words."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path)})
    with pytest.raises(PipelineError, match=r"^the task 'ingest' of the pipeline training failed"):
        run_local("training", {"source": str(tmp_path / "nowhere")}, home)
    with pytest.raises(PipelineError, match=r"'refine' .* silver has no shots"):
        run_local("monitoring", {}, home)
