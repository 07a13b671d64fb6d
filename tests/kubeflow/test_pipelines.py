"""The compiled pipelines run on Kubeflow Pipelines, and what they made can be seen there."""

import httpx
import pytest

from cluster.stage import Stage
from kubeflow.artifacts import RunArtifact, artifacts_of, content
from kubeflow.live_kubeflow import LiveKubeflow

TYPES = {
    ("shots", "system.Dataset"),
    ("report", "system.HTML"),
    ("evidently", "system.HTML"),
    ("table", "system.Markdown"),
    ("model", "system.Model"),
    ("metrics", "system.Metrics"),
    ("curves", "system.ClassificationMetrics"),
}
"""What a training shows: names and types."""


@pytest.fixture(scope="module")
def served_before(stage: Stage) -> str:
    """The version that users got before."""
    return stage.served


@pytest.fixture(scope="module")
def training(kubeflow: LiveKubeflow, source: str, served_before: str) -> str:
    """A second training on the first champion's shots, which has succeeded; its id."""
    assert served_before
    run_id = kubeflow.start("training", source=source, target="kubernetes")
    kubeflow.succeeds(run_id, "training")
    return run_id


@pytest.fixture(scope="module")
def made(training: str, pages: httpx.Client) -> list[RunArtifact]:
    """What that training made."""
    return artifacts_of(pages, training)


def test_etl_succeeds(kubeflow: LiveKubeflow, source: str) -> None:
    """Ingest and refine, one after the other; again is as good as once."""
    for _ in range(2):
        run = kubeflow.succeeds(kubeflow.start("etl", source=source), "etl")
        states = {node.name: node.state for node in run.nodes}
        assert states["ingest"] == states["refine"] == "SUCCEEDED"


def test_monitoring_succeeds(kubeflow: LiveKubeflow) -> None:
    """With a champion there is a drift report, and the champion competes with itself."""
    run_id = kubeflow.start("monitoring", target="kubernetes")
    run = kubeflow.succeeds(run_id, "monitoring")
    assert {"drift", "promote"} <= {node.name for node in run.nodes if node.state == "SUCCEEDED"}


def test_a_second_training_keeps_the_champion(
    kubeflow: LiveKubeflow, stage: Stage, served_before: str, training: str
) -> None:
    """Trained on the same shots nobody is better: nothing is packaged or deployed."""
    run = kubeflow.client.runs.get(training)
    done = {node.name for node in run.nodes if node.state == "SUCCEEDED"}
    assert "promote" in done
    assert not {"package", "deploy"} & done
    assert stage.served == served_before
    assert stage.agreed()


def test_artifacts_have_their_types(made: list[RunArtifact]) -> None:
    """The page draws what is typed: curves, tables, reports, numbers."""
    assert {(artifact.name, artifact.type) for artifact in made} >= TYPES
    assert sum(artifact.type == "system.Model" for artifact in made) >= 6


def test_reports_and_tables_are_readable(made: list[RunArtifact], pages: httpx.Client) -> None:
    """HTML and Markdown come as they were written."""
    reports = [artifact for artifact in made if artifact.type == "system.HTML"]
    assert len(reports) >= 3
    for report in reports:
        text = content(pages, report)
        assert "<html" in text.lower(), report.uri
        assert "</html>" in text.lower(), f"{report.uri} is cut off"
    tables = [artifact for artifact in made if artifact.type == "system.Markdown"]
    assert len(tables) >= 3
    assert any("| " in content(pages, table) for table in tables)


def test_numbers_and_curves_are_kept_with_the_run(made: list[RunArtifact]) -> None:
    """Metrics are numbers; a ROC curve and a confusion matrix have their points."""
    numbers = [artifact for artifact in made if artifact.type == "system.Metrics"]
    assert numbers
    for metrics in numbers:
        assert any(isinstance(value, float) for value in metrics.metadata.values()), metrics.uri
    curves = [each for each in made if each.type == "system.ClassificationMetrics"]
    assert curves
    for drawn in curves:
        assert drawn.metadata["confidenceMetrics"]["list"], drawn.uri
        assert drawn.metadata["confusionMatrix"]["struct"]["rows"], drawn.uri
