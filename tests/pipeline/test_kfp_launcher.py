"""The compiled components as a Kubeflow Pipelines backend starts them: command, input, outputs.

One story on a small synthetic league: trained, served, and watched when new games have come.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kfp_launcher import Given, Kept, Launcher, TaskFailedError
from parivision.features.tables import facts_from_shots
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import Bundle
from parivision.packaging import local_deployment
from parivision.serving.client import ServiceClient, requests_of
from parivision.stages.files import EVALUATED
from ports import free_port

pytestmark = [pytest.mark.xdist_group("launcher"), pytest.mark.timeout(2400)]

SOURCE = "synthetic:?seed=1&seasons=2022-2023&games=120&scale=0.2"
NEXT_SEASON = "synthetic:?seed=1&seasons=2024&games=120&scale=0.2"
# Five of the six trainings differ in a word of their input: LightGBM's is run, the others copy it.
COPIES = dict.fromkeys(("train", "train-2", "train-3", "train-4", "train-6"), "train-5")
SHOTS = 200


@dataclass(frozen=True)
class Story:
    """What the tasks gave, the predictions of the service, and where it all was."""

    folder: Path
    trained: dict[str, Given]
    monitored: dict[str, Given]
    p_made: list[float]


def pipeline(name: str) -> Compiled:
    """A committed pipeline."""
    return Compiled.read(compiled_file(name))


def launcher(folder: Path, **environment: str) -> Launcher:
    """A namespace with the Secrets of a lake and a registry in `folder`."""
    secrets = {
        "parivision-lake": {"uri": str(folder / "lake")},
        "parivision-mlflow": {"uri": f"sqlite:///{folder}/mlflow.db"},
    }
    return Launcher(folder, secrets, environment, COPIES)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """A training, then a season more, then monitoring."""
    folder = tmp_path_factory.mktemp("cluster")
    cluster = launcher(folder, PARIVISION_PORT=str(free_port()))
    try:
        trained = cluster.run(pipeline("training"), {"source": SOURCE, "target": "local"})
        shots = read_snapshot(trained["refine"].artifacts["shots"].files).tail(SHOTS)
        with ServiceClient(trained["deploy"].parameters["Output"]) as client:
            p_made = [answer["p_made"] for answer in client.predict(requests_of(shots))]
        cluster.run(pipeline("etl"), {"source": NEXT_SEASON})
        monitored = cluster.run(pipeline("monitoring"), {"target": "local"})
        yield Story(folder, trained, monitored, p_made)
    finally:
        for serving in folder.glob("pods/*/tmp/parivision/serve"):
            local_deployment.stop(serving)


def test_every_component_runs_by_its_compiled_command(story: Story) -> None:
    """The whole way from a source to a served champion, task by task, each a process of its own."""
    assert {"ingest", "refine", "drift", "evaluate", "promote"} <= set(story.trained)
    assert {"package", "deploy"} <= set(story.trained), "the first champion is served"
    assert {"refine", "drift", "evaluate", "promote"} <= set(story.monitored)
    assert len([title for title in story.trained if title.startswith("train ")]) == 6


@pytest.mark.parametrize("run", ["trained", "monitored"])
def test_outputs_are_where_the_executor_input_says_and_of_their_kinds(
    story: Story, run: str
) -> None:
    """The launcher finds every declared parameter and artifact; numbers are numbers."""
    whole = pipeline("training" if run == "trained" else "monitoring").spec
    for title, given in getattr(story, run).items():
        component = whole["components"]["comp-" + _component(whole, title)]
        outputs = component["outputDefinitions"]
        assert set(given.parameters) == set(outputs["parameters"]), title
        for name, artifact in given.artifacts.items():
            assert artifact.there or name.endswith("metrics") or name == "curves", (title, name)


def _component(whole: dict[str, Any], title: str) -> str:
    dags = [whole["root"], *whole["components"].values()]
    return next(
        str(task["componentRef"]["name"]).removeprefix("comp-")
        for dag in dags
        for task in dag.get("dag", {}).get("tasks", {}).values()
        if task["taskInfo"]["name"] == title
    )


def test_what_the_ui_draws_has_its_numbers(story: Story) -> None:
    """Metrics and curves are metadata that Protobuf can carry: neither NaN nor infinity."""
    evaluated = story.trained["evaluate"].artifacts
    assert 0.5 < evaluated["metrics"].metadata["roc_auc"] < 1
    assert evaluated["curves"].metadata["confidenceMetrics"]
    assert story.monitored["drift"].artifacts["metrics"].metadata["shots"] > 0


def test_a_bento_that_went_through_the_store_serves(story: Story) -> None:
    """Permissions, times and empty folders are lost on the way; the predictions are not."""
    bundle = Bundle.load(story.trained["promote"].artifacts["model"].files)
    shots = read_snapshot(story.trained["refine"].artifacts["shots"].files).tail(SHOTS)
    expected = bundle.predict(facts_from_shots(shots))
    assert story.p_made == pytest.approx(list(expected), abs=1e-6)


def test_the_stages_write_to_their_scratch_folder_and_their_outputs_only(story: Story) -> None:
    """What a pod leaves beside /tmp and the places of its artifacts would be lost or refused."""
    for pod in story.folder.glob("pods/*"):
        assert {path.name for path in pod.iterdir()} <= {"tmp", "out", "s3"}, pod


def test_secrets_stay_out_of_outputs_and_logs(tmp_path: Path) -> None:
    """KFP keeps inputs, outputs and logs for everybody who may see the run."""
    home = tmp_path / "hush-hush"
    home.mkdir()
    given = launcher(home).launch(
        pipeline("etl"), "comp-ingest", Given({"source": "synthetic:?seed=3&seasons=2023&games=2"})
    )
    assert "hush-hush" not in json.dumps([given.parameters, given.artifacts["metrics"].metadata])
    assert str(home / "lake") not in given.log


def test_optional_inputs_may_be_missing(tmp_path: Path) -> None:
    """An executor input without the optional parameters means their defaults."""
    cluster = launcher(tmp_path)
    source = Given({"source": "synthetic:?seed=3&seasons=2023&games=4"})
    cluster.launch(pipeline("etl"), "comp-ingest", source)
    bare = pipeline("etl")
    del bare.spec["components"]["comp-refine"]["inputDefinitions"]["parameters"]["until"]
    refined = cluster.launch(bare, "comp-refine", Given())
    assert refined.parameters["Output"] == len(read_snapshot(refined.artifacts["shots"].files)) > 0


@pytest.mark.parametrize(
    ("component", "says"),
    [
        ("comp-ingest", "PARIVISION_LAKE is not set in this pod: .* the Secret parivision-lake"),
        ("comp-refine", "PARIVISION_LAKE is not set in this pod"),
        ("comp-drift", "MLFLOW_TRACKING_URI is not set in this pod: .* Secret parivision-mlflow"),
        ("comp-train", "MLFLOW_TRACKING_URI is not set in this pod"),
    ],
)
def test_a_pod_without_its_secret_fails_and_names_it(
    tmp_path: Path, component: str, says: str
) -> None:
    """Nothing is written into the pod's own file system, where it would be lost unnoticed."""
    shots = Kept("shots", {"schemaTitle": "system.Dataset"}, {}, tmp_path / "shots", there=True)
    (tmp_path / "shots").touch()
    inputs = Given({"source": SOURCE, "family": "lightgbm"}, {"shots": shots})
    with pytest.raises(TaskFailedError, match=rf"(?s)ended with 1.*SettingsError: {says}"):
        Launcher(tmp_path, {}).launch(pipeline("training"), component, inputs)
    assert not list(tmp_path.glob("pods/*/tmp/parivision/*"))


def test_a_snapshot_that_is_none_is_told(tmp_path: Path) -> None:
    """A damaged artifact is an error of ours, with the place, before anything is trained."""
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "shots")
    shots = Kept("shots", {"schemaTitle": "system.Dataset"}, {}, tmp_path / "shots", there=True)
    inputs = Given({"family": "lightgbm"}, {"shots": shots})
    with pytest.raises(TaskFailedError, match=r"parivision\.errors\.\w+Error: "):
        launcher(tmp_path).launch(pipeline("training"), "comp-train", inputs)


def test_a_source_that_is_not_there_fails_the_task(tmp_path: Path) -> None:
    """The last line of the log says what was expected, as the termination message does."""
    with pytest.raises(TaskFailedError, match=r"(?s)ended with 1.*SourceError: .*nowhere"):
        launcher(tmp_path).launch(
            pipeline("etl"), "comp-ingest", Given({"source": str(tmp_path / "nowhere")})
        )


def test_the_evaluation_of_the_story_is_one_of_ours(story: Story) -> None:
    """What `evaluate` gave can be read back from the store."""
    folder = story.trained["evaluate"].artifacts["judged"].files
    assert json.loads((folder / EVALUATED).read_text())["champion"] is None
