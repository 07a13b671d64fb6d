"""Kubeflow Pipelines from the command line, with KFP's own client against a stand-in of its API."""

import json
from pathlib import Path
from typing import Any

import pytest

from kfp_standin import Fault, Standin, playing, running_for_real
from kfp_standin_api import ApiError
from kfp_workflows import Attempt, Workflow
from parivision import settings
from parivision.kubeflow import pipeline_runs, runs
from parivision.kubeflow.client import connect
from parivision.kubeflow.compiled import Compiled, compiled_file
from pipeline.kfp_commands import Run, only

SOURCE = "synthetic:?seed=3&seasons=2023&games=6"
DIGEST = "registry.example/parivision@sha256:" + "0" * 64


def test_a_submitted_pipeline_runs_and_is_followed_to_its_end(
    kfp_run: Run, kfp: Standin, tmp_path: Path
) -> None:
    """The very file that is uploaded is run, and each of its tasks is told as it ends."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "cluster")})
    kfp.engine = running_for_real(home, tmp_path)
    code, out, err = kfp_run("submit", "etl", "--source", SOURCE)
    assert (code, out) == (0, ""), err
    lines = [line.split() for line in err.splitlines()]
    assert [line[:2] for line in lines if "done" in line] == [
        ["ingest", "done"],
        ["refine", "done"],
    ]
    started = only(kfp.runs)
    assert started["state"] == "SUCCEEDED"
    assert started["runtime_config"]["parameters"] == {"source": SOURCE}
    assert only(kfp.experiments)["display_name"] == "parivision"
    assert f"{kfp.url}/#/runs/details/{started['run_id']}" in err
    version = only(kfp.versions)
    assert version["text"] == Compiled.read(compiled_file("etl")).text()


def test_a_task_that_fails_ends_the_command_with_its_name_and_reason(
    kfp_run: Run, kfp: Standin, tmp_path: Path
) -> None:
    """What the task said stands in the error, with where to look, and the exit code is 1."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "cluster")})
    kfp.engine = running_for_real(home, tmp_path)
    code, _, err = kfp_run("submit", "etl", "--source", tmp_path / "nowhere")
    assert code == 1
    assert "error: the task 'ingest' of the pipeline etl failed: " in err
    assert "nowhere" in err
    assert f"/#/runs/details/{only(kfp.runs)['run_id']}" in err


@pytest.mark.parametrize("pages", [True, False], ids=["ml-pipeline-ui", "the API alone"])
def test_the_log_of_a_pod_says_why_where_kubernetes_does_not_know(
    kfp_run: Run, kfp: Standin, pages: bool
) -> None:
    """The user interface and the API server each have a pod's log, at different places."""
    log = "Traceback (most recent call last):\nparivision.errors.SourceError: no such season\n"
    failed = Attempt("Failed", "main: Error (exit code 1)", log=log)
    kfp.pages = pages
    kfp.engine = playing(("FAILED", Workflow().task("ingest", failed).end("Failed")))
    code, _, err = kfp_run("submit", "etl")
    assert code == 1
    assert "the task 'ingest' of the pipeline etl failed: SourceError: no such season" in err


@pytest.mark.parametrize("pages", [True, False], ids=["ml-pipeline-ui", "the API alone"])
def test_a_log_that_is_gone_leaves_what_argo_says(kfp_run: Run, kfp: Standin, pages: bool) -> None:
    """A log that cannot be had costs no traceback, and its refusal is not taken for the log."""
    failed = Attempt("Failed", "main: Error (exit code 1)")
    workflow = Workflow().task("ingest", failed).end("Failed")
    workflow.logs.clear()
    kfp.pages = pages
    kfp.engine = playing(("FAILED", workflow))
    code, _, err = kfp_run("submit", "etl")
    assert code == 1
    assert "the pipeline etl failed: main: Error (exit code 1)" in err


def test_a_kfp_without_the_older_api_says_where_to_look(kfp_run: Run, kfp: Standin) -> None:
    """The task is known by its name; the sentence is on the page that is named."""
    kfp.has_v1beta1 = False
    failed = Attempt("Failed", "main: Error (exit code 1): no such season")
    kfp.engine = playing(("FAILED", Workflow().task("ingest", failed).end("Failed")))
    code, _, err = kfp_run("submit", "etl")
    assert code == 1
    *_, error, page = err.splitlines()
    assert error.startswith("error: the task 'ingest' of the pipeline etl failed: KFP says no more")
    assert error.endswith("see the end of the task's Logs on the run's page")
    assert page == f"{kfp.url}/#/runs/details/{only(kfp.runs)['run_id']}"


def test_the_page_that_is_named_is_one_that_is_served(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API's own port has no pages: then its address is a setting, or none is named."""
    assert f"{kfp.url}/#/runs/details/" in kfp_run("submit", "etl")[2]
    kfp.pages = False
    code, _, err = kfp_run("submit", "etl")
    assert code == 0, err
    assert "/#/runs/" not in err
    assert "svc/ml-pipeline-ui" in err
    monkeypatch.setenv("PARIVISION_KFP_UI", "https://kubeflow.example/pipeline/")
    assert "https://kubeflow.example/pipeline/#/runs/details/run-" in kfp_run("submit", "etl")[2]
    monkeypatch.setenv("PARIVISION_KFP_UI", "kubeflow.example")
    code, _, err = kfp_run("submit", "etl")
    assert code == 1
    assert "PARIVISION_KFP_UI has no http:// or https:// in front" in err


def test_the_same_content_is_one_version_and_another_image_is_another(
    kfp_run: Run, kfp: Standin
) -> None:
    """Submitting again starts a run of the version that is there; its name is its content's."""
    for arguments in ((), (), ("--image", DIGEST)):
        assert kfp_run("submit", "etl", "--no-follow", *arguments)[0] == 0
    assert len(kfp.runs) == 3
    first, second = kfp.names()
    assert first.startswith("parivision-etl-")
    assert first != second
    assert only(kfp.pipelines)["name"] == "parivision-etl"
    text = list(kfp.versions.values())[1]["text"]
    assert text.count(f"image: {DIGEST}") == 2


def test_who_does_not_follow_gets_the_runs_id(kfp_run: Run, kfp: Standin) -> None:
    """A script can follow later: the id is all that is printed."""
    code, out, _ = kfp_run("submit", "monitoring", "--no-follow", "--target", "local")
    assert code == 0
    assert out == f"{only(kfp.runs)['run_id']}\n"


def test_ctrl_c_leaves_the_run_going_and_says_how_to_follow_it_again(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever breaks off only stops looking; `--attach` takes it up again."""
    running = Workflow().task("ingest", Attempt("Running"))
    kfp.engine = playing(("RUNNING", running), ("RUNNING", running), ("SUCCEEDED", running))

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "follow", interrupt)
        code, _, err = kfp_run("submit", "etl")
    started = only(kfp.runs)
    assert code == 130
    assert f"`parivision submit --attach {started['run_id']}` follows it again" in err
    assert started["state"] == "RUNNING"
    code, _, err = kfp_run("submit", "--attach", started["run_id"])
    assert code == 0, err
    assert started["state"] == "SUCCEEDED"
    assert len(kfp.runs) == 1
    assert kfp_run("submit", "--attach", "nothing")[2].count("Run nothing not found") == 1


def test_a_kfp_that_is_away_for_a_moment_is_waited_for(
    kfp_run: Run, kfp: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the API server neither fails the run nor the command that follows it."""
    kfp.engine = playing(("RUNNING", None), ("RUNNING", None), ("SUCCEEDED", None))
    run_id = kfp_run("submit", "etl", "--no-follow")[1].strip()
    set_state, looks = kfp.set_state, []

    def falter(*frame: Any) -> None:
        set_state(*frame)
        looks.append(frame)
        if len(looks) == 2:
            kfp.faults += [Fault(503), Fault(0)]

    monkeypatch.setattr(kfp, "set_state", falter)
    code, _, err = kfp_run("submit", "--attach", run_id)
    assert code == 0, err
    assert kfp.faults == []
    assert only(kfp.runs)["state"] == "SUCCEEDED"


def test_runs_are_listed_newest_first(kfp_run: Run, kfp: Standin) -> None:
    """The list names pipeline, state and times, for people and for machines."""
    assert json.loads(kfp_run("runs", "--json")[1]) == {"runs": []}
    for pipeline in ("etl", "monitoring"):
        kfp_run("submit", pipeline, "--no-follow")
    listed = json.loads(kfp_run("runs", "--json")[1])["runs"]
    assert [row["pipeline"] for row in listed] == ["monitoring", "etl"]
    assert {row["state"] for row in listed} == {"SUCCEEDED"}
    code, out, _ = kfp_run("runs", "--limit", 1)
    assert code == 0
    assert "monitoring" in out
    assert "etl" not in out


def test_all_runs_of_the_project_are_told_to_who_counts_them(kfp_run: Run, kfp: Standin) -> None:
    """The exporter gets every run on every page, and no end for a run that has none."""
    kfp_run("submit", "etl", "--no-follow")
    model = only(kfp.runs)
    for number in range(150):
        kfp.pipelines[f"p{number}"] = {"pipeline_id": f"p{number}", "display_name": "training"}
    kfp.pipelines = dict(reversed(kfp.pipelines.items()))
    for number in range(250):
        kfp.runs[f"r{number}"] = {**model, "run_id": f"r{number}"}
    kfp.runs["r0"]["state"] = "RUNNING"
    kfp.runs["other"] = {**model, "run_id": "other", "experiment_id": "somebody's"}
    found = connect(kfp.url).runs.summaries()
    assert len(found) == 251
    assert {item.pipeline for item in found} == {"etl"}
    assert [item.finished_at for item in found if item.state == "RUNNING"] == [None]
    assert all(item.finished_at for item in found if item.state == "SUCCEEDED")
    assert len(connect(kfp.url).runs.summaries(newest=120)) == 120


def test_what_is_there_is_found_on_every_page(kfp_run: Run, kfp: Standin) -> None:
    """Our experiment, pipelines and versions behind those of others are used, not made again."""
    kfp_run("submit", "etl", "--no-follow")
    version, experiment = only(kfp.versions), only(kfp.experiments)
    # As from a server that does not filter.
    for number in range(7):
        name = f"parivision-etl-other{number}"
        kfp.versions[name] = {**version, "pipeline_version_id": name, "display_name": name}
        kfp.experiments[name] = {**experiment, "experiment_id": name, "display_name": name}
        kfp.pipelines[name] = {"pipeline_id": name, "display_name": name, "name": name}
    for things in (kfp.versions, kfp.experiments, kfp.pipelines):
        items = list(reversed(things.items()))
        things.clear()
        things.update(items)
    kfp.ignores_filters = True
    kfp.requests.clear()
    assert kfp_run("submit", "etl", "--no-follow")[0] == 0
    assert kfp.changes() == ["POST /apis/v2beta1/runs"]
    first, second = kfp.runs.values()
    assert first["experiment_id"] == second["experiment_id"]
    assert first["pipeline_version_reference"] == second["pipeline_version_reference"]


def test_the_last_success_of_a_pipeline_is_found_however_old_it_is(
    kfp_run: Run, kfp: Standin
) -> None:
    """Hundreds of hourly runs lie between two weekly ones."""
    kfp_run("submit", "training", "--no-follow")
    trained = only(kfp.runs)
    kfp_run("submit", "etl", "--no-follow")
    model = list(kfp.runs.values())[1]
    kfp.page = 100
    for number in range(700):
        kfp.runs[f"r{number}"] = {**model, "run_id": f"r{number}"}
    assert [past.run_id for past in connect(kfp.url).runs.past("training")] == [trained["run_id"]]
    # Once both are known there is nothing more to find.
    kfp.requests.clear()
    assert len(connect(kfp.url).runs.past("etl")) == pipeline_runs.NEWEST_RUNS
    assert kfp.requests.count("GET /apis/v2beta1/runs") == 5


@pytest.mark.parametrize(
    "command", [("runs",), ("schedule",), ("schedule", "--remove")], ids=" ".join
)
def test_a_server_that_leads_in_a_circle_is_told(
    kfp_run: Run, kfp: Standin, command: tuple[str, ...]
) -> None:
    """One that gives the same token for ever ends a command with a sentence."""
    kfp_run("submit", "etl", "--no-follow")
    kfp.circles = True
    code, _, err = kfp_run(*command)
    assert code == 1
    assert "gives the same page of its list again and again" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("baking",), "there is no pipeline 'baking': expected etl, monitoring, training"),
        (("monitoring", "--source", "x"), "the pipeline monitoring has no parameter 'source'"),
        (("etl", "--image", "parivision/components:latest"), "expected REPOSITORY@sha256:DIGEST"),
        (("etl", "--endpoint", "localhost:8888"), "expected an address such as http://"),
        ((), "expected a pipeline to run, or --attach RUN"),
        (("etl", "--attach", "run-1"), "expected a pipeline to run, or --attach RUN"),
    ],
)
def test_a_slip_is_told_before_anything_is_sent(
    kfp_run: Run, kfp: Standin, arguments: tuple[str, ...], says: str
) -> None:
    """Wrong names and values change nothing on the server."""
    code, _, err = kfp_run("submit", *arguments)
    assert code in (1, 2)
    assert says in " ".join(err.replace("│", "").split())
    assert kfp.changes() == []


def test_a_run_that_kfp_does_not_start_says_why(kfp_run: Run, kfp: Standin) -> None:
    """An error of the server comes with the server's own words."""
    kfp_run("submit", "etl", "--no-follow")
    reached = len(kfp.requests)

    def refuse(_standin: Standin, _run: dict[str, Any]) -> None:
        raise ApiError(400, "quota exceeded")

    kfp.engine = refuse
    code, _, err = kfp_run("submit", "etl")
    assert code == 1
    assert err.splitlines()[-1] == f"error: {kfp.url} answered 400: quota exceeded"
    assert len(kfp.requests) > reached


def test_two_who_upload_at_once_get_the_same_version(kfp: Standin) -> None:
    """Who comes second finds the version that the first one made meanwhile."""
    pipelines = connect(kfp.url).pipelines
    compiled = Compiled.read(compiled_file("etl"))
    first = pipelines.upload(compiled)
    lookup = pipelines._version_id
    answers = iter([""])
    pipelines._version_id = lambda *names: next(answers, lookup(*names))  # type: ignore[method-assign]
    assert pipelines.upload(compiled).version_id == first.version_id
    assert len(kfp.versions) == 1
