"""Why a run of Kubeflow Pipelines failed, told from what a real one gives."""

import json
from dataclasses import dataclass

import pytest

from kfp_workflows import Attempt, Workflow
from parivision.errors import PipelineError
from parivision.kubeflow import workflow as argo
from parivision.kubeflow.compiled import Task
from parivision.kubeflow.failure import check
from parivision.kubeflow.responses import run_state
from parivision.kubeflow.runs import RunState
from parivision.strict_json import text

kfp_server_api = pytest.importorskip("kfp_server_api")

TASKS = [
    Task("ingest", "ingest", {}),
    Task("train-2", "train xgboost", {}),
    Task("train-3", "train lightgbm", {}),
    Task("deploy", "deploy", {}),
]
ENDED_1 = "main: Error (exit code 1)"
LOG = """\
Traceback (most recent call last):
  File "/app/stages/train.py", line 7, in train
parivision.errors.DataError: the snapshot has no shots: run refine again
I0102 03:04:05.678901      14 launcher_v2.go:191] publish success.
F0102 03:04:05.700001      14 main.go:57] failed to execute component: exit status 1
"""


@dataclass
class Kept:
    """What KFP keeps of one run."""

    manifest: str = ""
    logs: str = ""

    def workflow(self, run_id: str) -> argo.Workflow | None:
        """As it is read from the older API."""
        return argo.read_workflow(self.manifest) if self.manifest else None

    def log(self, run_id: str, workflow: argo.Workflow, pod: str) -> str:
        """As the API server has it."""
        logs: dict[str, str] = json.loads(self.logs)
        return logs.get(pod, "")


def run_of(workflow: Workflow, state: str = "FAILED") -> RunState:
    """The run as API v2beta1 tells of it, read by KFP's own client."""
    answer = {
        "run_id": "run-1",
        "display_name": "training-1",
        "state": state,
        "created_at": "2026-01-02T03:04:05Z",
        "finished_at": "2026-01-02T03:14:05Z",
        "run_details": {"task_details": workflow.task_details("run-1")},
    }
    response = type("Response", (), {"data": text(answer)})
    return run_state(kfp_server_api.ApiClient().deserialize(response, "V2beta1Run"))


def failure(workflow: Workflow, state: str = "FAILED", *, is_kept: bool = True) -> str:
    """The error that a run ends with; without the older API unless the workflow is kept."""
    kept = Kept(workflow.manifest() if is_kept else "", json.dumps(workflow.logs))
    with pytest.raises(PipelineError) as failed:
        check(run_of(workflow, state), "training", TASKS, kept)
    return str(failed.value)


def test_the_api_of_today_tells_names_and_states_only() -> None:
    """What the stand-in gives is what a real one gives: no pod, no error, children of no detail."""
    workflow = Workflow().task("ingest", Attempt("Failed", f"{ENDED_1}: no shots"))
    details = workflow.end("Failed").task_details("run-1")
    assert not any({"pod_name", "error", "parent_task_id"} & set(detail) for detail in details)
    ids = {detail["task_id"] for detail in details}
    children = [child for detail in details for child in detail.get("child_tasks", [])]
    assert children
    assert not ids & {child["pod_name"] for child in children}
    assert {"ingest", "ingest(0)", "executor", "executor(0)"} <= {
        d["display_name"] for d in details
    }


def test_a_failed_task_is_named_with_the_sentence_of_its_termination_message() -> None:
    """Argo's message ends with it, and what stands in front of it is of no use to anybody."""
    workflow = Workflow().task("ingest", Attempt("Succeeded"))
    workflow.task("train-2", Attempt("Failed", f"{ENDED_1}: no shots"))
    assert failure(workflow.end("Failed")) == (
        "the task 'train xgboost' of the pipeline training failed: no shots"
    )


def test_without_a_termination_message_the_exception_in_the_log_is_told() -> None:
    """A pod that could not leave its sentence has printed it."""
    workflow = Workflow().task("train-2", Attempt("Failed", ENDED_1, log=LOG))
    assert failure(workflow.end("Failed")).endswith(
        "failed: DataError: the snapshot has no shots: run refine again"
    )
    silent = Workflow().task("train-2", Attempt("Failed", ENDED_1, log="nothing of note\n"))
    assert failure(silent.end("Failed")).endswith(f"failed: {ENDED_1}")


@pytest.mark.parametrize(
    "message",
    ["main: OOMKilled (exit code 137)", "pod deleted", "Step exceeded its deadline"],
)
def test_what_kubernetes_did_to_a_pod_is_told(message: str) -> None:
    """No sentence of the task's own: what Argo says is why."""
    workflow = Workflow().task("ingest", Attempt("Error", message, log=LOG)).end("Failed")
    assert failure(workflow) == f"the task 'ingest' of the pipeline training failed: {message}"


def test_an_attempt_before_one_that_succeeded_is_no_cause() -> None:
    """A retry that helped broke nothing; of a task's attempts the last one counts."""
    workflow = Workflow().task("ingest", Attempt("Error", "pod deleted"), Attempt("Succeeded"))
    tries = [
        Attempt("Failed", f"{ENDED_1}: try {n}", f"2026-01-02T03:0{n + 5}:00Z") for n in range(3)
    ]
    workflow.task("train-2", *tries)
    assert failure(workflow.end("Failed")).endswith(
        "'train xgboost' of the pipeline training failed: try 2"
    )


def test_the_task_that_failed_first_is_the_cause() -> None:
    """Others are ended because of it."""
    workflow = Workflow()
    workflow.task("train-3", Attempt("Failed", "workflow shutdown", "2026-01-02T03:09:00Z"))
    workflow.task("train-2", Attempt("Failed", f"{ENDED_1}: no shots", "2026-01-02T03:08:00Z"))
    for is_kept in (True, False):
        assert "the task 'train xgboost' of" in failure(workflow.end("Failed"), is_kept=is_kept)


def test_a_task_under_conditions_is_named() -> None:
    """The conditions above it failed with it, and are no tasks."""
    broken = Attempt("Failed", f"{ENDED_1}: the image is not there")
    workflow = Workflow().task("deploy", broken, under=("condition-1", "condition-2"))
    assert failure(workflow.end("Failed")).startswith("the task 'deploy' of the pipeline training")
    assert "the task 'deploy' of" in failure(workflow, is_kept=False)


def test_a_driver_that_failed_names_its_task() -> None:
    """What KFP prepares a task with belongs to the task, also when the one before succeeded."""
    workflow = Workflow().task("ingest", Attempt("Succeeded"))
    workflow.driver("train-2", Attempt("Failed", f"{ENDED_1}: artifact not found")).end("Failed")
    assert failure(workflow) == (
        "the task 'train xgboost' of the pipeline training failed: artifact not found"
    )
    assert "the task 'train xgboost' of" in failure(workflow, is_kept=False)


def test_a_node_that_is_no_task_is_named_as_kfp_names_it() -> None:
    """Nothing is hidden when a part of KFP's own failed."""
    workflow = Workflow()
    workflow.pod(("root-driver",), "system-dag-driver", (Attempt("Failed", "no permission"),))
    assert failure(workflow.end("Failed")) == (
        "the task 'root' of the pipeline training failed: no permission"
    )


def test_without_the_workflow_the_task_is_named_and_where_to_look() -> None:
    """A KFP that no longer has the older API tells which task failed, and no more."""
    workflow = Workflow().task("train-2", Attempt("Failed", f"{ENDED_1}: no shots")).end("Failed")
    assert failure(workflow, is_kept=False) == (
        "the task 'train xgboost' of the pipeline training failed: KFP says no more: see the end "
        "of the task's Logs on the run's page"
    )


def test_a_run_that_failed_before_its_first_node_says_so() -> None:
    """A workflow that Argo refused has no nodes."""
    refused = RunState("run-1", "training-1", "FAILED")
    with pytest.raises(PipelineError) as failed:
        check(refused, "training", TASKS, Kept())
    assert str(failed.value).startswith("the run training-1 of the pipeline training failed: KFP")


def test_a_workflow_that_has_only_a_message_above_its_pods_tells_it() -> None:
    """A pod that could not be made leaves its reason with the node that should have had it."""
    workflow = Workflow()
    workflow.group(("root", "ingest"), "Error")
    workflow.nodes[workflow._id(f"{workflow.name}(0).root(0).ingest")]["message"] = "quota exceeded"
    assert failure(workflow.end("Failed")).endswith(
        "'ingest' of the pipeline training failed: quota exceeded"
    )


def test_a_cancelled_run_says_so_and_one_that_succeeded_nothing() -> None:
    """Somebody ended it: that is no success."""
    workflow = Workflow().task("ingest", Attempt("Failed", "workflow shutdown with strategy: Stop"))
    assert failure(workflow.end("Failed"), "CANCELED") == (
        "the task 'ingest' of the pipeline training was cancelled: "
        "workflow shutdown with strategy: Stop"
    )
    done = Workflow().task("ingest", Attempt("Succeeded")).end("Succeeded")
    check(run_of(done, "SUCCEEDED"), "training", TASKS, Kept())


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"metadata": {}, "status": {"nodes": 1}}'])
def test_what_is_no_workflow_is_refused(manifest: str) -> None:
    """One error for whatever else stands where the workflow should."""
    with pytest.raises(ValueError, match=r"no workflow|Expecting value"):
        argo.read_workflow(manifest)
