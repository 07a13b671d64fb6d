"""What the tests on a real Kubeflow Pipelines ask it by, against the stand-in of its API."""

import threading
from typing import Any

import httpx
import pytest

import kfp_standin
from kfp_standin import Standin, playing
from kfp_workflows import Attempt, Workflow
from kubeflow import artifacts
from kubeflow.live_kubeflow import LiveKubeflow
from parivision.errors import PipelineError
from parivision.kubeflow.access import KfpAccess

SOURCE = "synthetic:?seed=3&seasons=2023&games=6"
PLACE = "minio://mlpipeline/v2/artifacts/training"
EVERY_MINUTE = ("schedule", "--etl", "1m", "--monitoring", "off", "--training", "off")


@pytest.fixture
def kubeflow(kfp: Standin, home: object, monkeypatch: pytest.MonkeyPatch) -> LiveKubeflow:
    """It, as the tests know it."""
    monkeypatch.setattr("kubeflow.live_kubeflow.POLL_S", 0.02)
    return LiveKubeflow(kfp.url)


def test_a_run_is_followed_to_its_success(kfp: Standin, kubeflow: LiveKubeflow) -> None:
    """With its nodes and its workflow, in which a second attempt can be told from the first."""
    lost, done = Attempt("Error", "pod deleted"), Attempt("Succeeded")
    workflow = Workflow().task("ingest", lost, done).end("Succeeded")
    kfp.engine = playing(("RUNNING", workflow), ("SUCCEEDED", workflow))
    run_id = kubeflow.start("etl", source=SOURCE)
    run = kubeflow.succeeds(run_id, "etl")
    assert {node.name: node.state for node in run.nodes}["ingest"] == "SUCCEEDED"
    again = [node for node in kubeflow.workflow(run_id).nodes if node.pod and node.attempt == 1]
    assert [node.path[1:] for node in again] == [("root", "ingest", "executor")]


def test_a_run_that_fails_is_told_with_its_sentence(kfp: Standin, kubeflow: LiveKubeflow) -> None:
    """A test that waits for success ends with the task's own words."""
    failed = Attempt("Failed", "main: Error (exit code 1): no such season")
    kfp.engine = playing(("FAILED", Workflow().task("ingest", failed).end("Failed")))
    with pytest.raises(PipelineError, match="'ingest' of the pipeline etl failed: no such season"):
        kubeflow.succeeds(kubeflow.start("etl", source=SOURCE), "etl")
    code, printed = kubeflow.command("submit", "etl", "--source", "/no/such/folder")
    assert code == 1
    assert f"{kfp.url}/#/runs/details/" in printed.rstrip().rpartition("\n")[2]


def test_runs_of_recurring_runs_are_found(kfp: Standin, kubeflow: LiveKubeflow) -> None:
    """The newest first, with the version that they run; others are left out."""
    kubeflow.start("etl", source=SOURCE)
    assert kubeflow.recurring() == []
    code, printed = kubeflow.command(*EVERY_MINUTE, "--source", SOURCE)
    assert (code, printed.splitlines()[-1]) == (0, "etl: created")
    (recurring_id,) = kfp.recurring
    kfp.page = 100
    runs = [kfp.fire(recurring_id) for _ in range(2)]
    found = kubeflow.recurring()
    assert [run["run_id"] for run in found] == [run["run_id"] for run in reversed(runs)]
    assert found[0]["runtime_config"]["parameters"]["source"] == SOURCE
    assert found[0]["pipeline_version_reference"]["pipeline_version_id"] in kfp.versions
    code, printed = kubeflow.command(*EVERY_MINUTE, "--source", SOURCE, "--image", "x/y:1")
    assert printed.splitlines()[-1] == "etl: replaced"
    assert kubeflow.command("schedule", "--remove")[0] == 0
    assert kfp.recurring == {}


def test_a_kfp_that_is_away_for_a_moment_is_waited_for(
    kfp: Standin, kubeflow: LiveKubeflow
) -> None:
    """As behind a tunnel that is opened again."""
    kfp.engine = playing(("RUNNING", None), ("SUCCEEDED", None))
    run_id = kubeflow.start("etl", source=SOURCE)
    kfp.faults += [kfp_standin.Fault(0), kfp_standin.Fault(503)]
    threading.Timer(0.1, kfp.faults.clear).start()
    assert kubeflow.ended(run_id, timeout_s=30).state == "SUCCEEDED"


def test_who_asks_is_told_by_token_and_cookies(kfp: Standin) -> None:
    """What the pages and ML Metadata are asked with is what the API is asked with."""
    kfp.token = "t0ken"  # noqa: S105 - of the stand-in
    access = KfpAccess(token=kfp.token)
    assert LiveKubeflow(kfp.url, access).recurring() == []
    with pytest.raises(httpx.HTTPStatusError, match="401"):
        LiveKubeflow(kfp.url).recurring()


def artifact(made: dict[str, Any], run: str, name: str, kind: str, **metadata: Any) -> Any:
    """An artifact as ML Metadata has it."""
    found = made["Artifact"](uri=f"{PLACE}/{run}/evaluate/5f/{name}", type=f"system.{kind}")
    found.custom_properties.add(key="display_name", value=made["Value"](string_value=name))
    for key, value in metadata.items():
        entry = found.custom_properties.add(key=key)
        if isinstance(value, dict):
            entry.value.struct_value.update(value)
        else:
            entry.value.double_value = value
    return found


def test_artifacts_are_read_as_the_page_reads_them() -> None:
    """Those of one run, typed, with numbers and curves, and the text of their files."""
    made = artifacts.messages()
    rows = {"struct": {"rows": [{"row": [1, 2]}]}}
    kept = made["Artifacts"](
        artifacts=[
            artifact(made, "run-1", "metrics", "Metrics", log_loss=0.63),
            artifact(made, "run-1", "curves", "ClassificationMetrics", confusionMatrix=rows),
            artifact(made, "run-1", "report", "HTML"),
            artifact(made, "run-2", "report", "HTML"),
        ]
    )

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == artifacts.ALL_ARTIFACTS:
            assert request.content == b"\0\0\0\0\0"
            assert request.headers["Content-Type"] == "application/grpc-web+proto"
            return httpx.Response(200, content=artifacts.framed(kept))
        query = request.url.params
        assert (request.url.path, query["source"]) == ("/artifacts/get", "minio")
        return httpx.Response(200, text=f"{query['bucket']} {query['key']}")

    transport = httpx.MockTransport(answer)
    with httpx.Client(base_url="http://kfp", transport=transport) as client:
        metrics, curves, report = artifacts.artifacts_of(client, "run-1")
        key = "v2/artifacts/training/run-1/evaluate/5f/report"
        assert artifacts.content(client, report) == f"mlpipeline {key}"
    assert (metrics.name, metrics.type) == ("metrics", "system.Metrics")
    assert metrics.metadata["log_loss"] == 0.63
    assert curves.metadata["confusionMatrix"] == rows


def test_a_refusal_of_ml_metadata_is_no_empty_list() -> None:
    """gRPC-Web says what is wrong in a header, with a 200."""
    refusal = httpx.Response(200, headers={"grpc-status": "14", "grpc-message": "no healthy host"})
    transport = httpx.MockTransport(lambda _: refusal)
    with (
        httpx.Client(base_url="http://kfp", transport=transport) as client,
        pytest.raises(AssertionError, match="14 no healthy host"),
    ):
        artifacts.artifacts_of(client, "run-1")
