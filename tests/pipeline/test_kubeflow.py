"""Kubeflow Pipelines from the command line, with KFP's own client against a stand-in of its API."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kfp_standin
from kfp_standin import Fault, Standin, node, playing, running_for_real
from kfp_standin_api import ApiError
from parivision import cli, settings
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow import pipeline_runs, runs
from parivision.kubeflow.access import KfpAccess
from parivision.kubeflow.client import connect
from parivision.kubeflow.compiled import Compiled, compiled_file

SOURCE = "synthetic:?seed=3&seasons=2023&games=6"
TOKEN = "hush-hush-hello"  # noqa: S105 - opens the stand-in
DIGEST = "registry.example/parivision@sha256:" + "0" * 64
ENVIRONMENT = (
    *("PARIVISION_LAKE", "MLFLOW_TRACKING_URI", "PARIVISION_KFP"),
    *("KFP_EXISTING_TOKEN", "KFP_COOKIES", "KFP_NAMESPACE", "KF_PIPELINES_SA_TOKEN_PATH"),
)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[Standin]:
    """A Kubeflow Pipelines that holds nothing yet."""
    with kfp_standin.serving() as standin:
        yield standin


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    server: Standin,
) -> Run:
    """Runs a command line against the stand-in; gives the exit code, output and errors."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    # KFP's client keeps a namespace in the user's home.
    monkeypatch.setattr("kfp.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    monkeypatch.setenv("PARIVISION_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PARIVISION_KFP", server.url)
    monkeypatch.setattr(runs, "POLL_S", 0.02)

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["parivision", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run_command


def only(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The one object that is there."""
    (single,) = objects.values()
    return single


def test_a_submitted_pipeline_runs_and_is_followed_to_its_end(
    run: Run, server: Standin, tmp_path: Path
) -> None:
    """The very file that is uploaded is run, and each of its tasks is told as it ends."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "cluster")})
    server.engine = running_for_real(home, tmp_path)
    code, out, err = run("submit", "etl", "--source", SOURCE)
    assert (code, out) == (0, ""), err
    lines = [line.split() for line in err.splitlines()]
    assert [line[:2] for line in lines if "done" in line] == [
        ["ingest", "done"],
        ["refine", "done"],
    ]
    started = only(server.runs)
    assert started["state"] == "SUCCEEDED"
    assert started["runtime_config"]["parameters"] == {"source": SOURCE}
    assert only(server.experiments)["display_name"] == "parivision"
    assert f"{server.url}/#/runs/details/{started['run_id']}" in err
    version = only(server.versions)
    assert version["text"] == Compiled.read(compiled_file("etl")).text()


def test_a_task_that_fails_ends_the_command_with_its_name_and_reason(
    run: Run, server: Standin, tmp_path: Path
) -> None:
    """What the task said stands in the error, with where to look, and the exit code is 1."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "cluster")})
    server.engine = running_for_real(home, tmp_path)
    code, _, err = run("submit", "etl", "--source", tmp_path / "nowhere")
    assert code == 1
    assert "error: the task 'ingest' of the pipeline etl failed: " in err
    assert "nowhere" in err
    assert f"/#/runs/details/{only(server.runs)['run_id']}" in err


def test_the_same_content_is_one_version_and_another_image_is_another(
    run: Run, server: Standin
) -> None:
    """Submitting again starts a run of the version that is there; its name is its content's."""
    for arguments in ((), (), ("--image", DIGEST)):
        assert run("submit", "etl", "--no-follow", *arguments)[0] == 0
    assert len(server.runs) == 3
    first, second = server.names()
    assert first.startswith("parivision-etl-")
    assert first != second
    assert only(server.pipelines)["name"] == "parivision-etl"
    text = list(server.versions.values())[1]["text"]
    assert text.count(f"image: {DIGEST}") == 2


def test_who_does_not_follow_gets_the_runs_id(run: Run, server: Standin) -> None:
    """A script can follow later: the id is all that is printed."""
    code, out, _ = run("submit", "monitoring", "--no-follow", "--target", "local")
    assert code == 0
    assert out == f"{only(server.runs)['run_id']}\n"


def test_ctrl_c_leaves_the_run_going_and_says_how_to_follow_it_again(
    run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever breaks off only stops looking; `--attach` takes it up again."""
    running = [node("ingest", "RUNNING")]
    server.engine = playing(("RUNNING", running), ("RUNNING", running), ("SUCCEEDED", running))

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "follow", interrupt)
        code, _, err = run("submit", "etl")
    started = only(server.runs)
    assert code == 130
    assert f"`parivision submit --attach {started['run_id']}` follows it again" in err
    assert started["state"] == "RUNNING"
    code, _, err = run("submit", "--attach", started["run_id"])
    assert code == 0, err
    assert started["state"] == "SUCCEEDED"
    assert len(server.runs) == 1
    assert run("submit", "--attach", "nothing")[2].count("Run nothing not found") == 1


def test_a_kfp_that_is_away_for_a_moment_is_waited_for(
    run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart of the API server neither fails the run nor the command that follows it."""
    server.engine = playing(("RUNNING", []), ("RUNNING", []), ("SUCCEEDED", []))
    run_id = run("submit", "etl", "--no-follow")[1].strip()
    set_state, looks = server.set_state, []

    def falter(*frame: Any) -> None:
        set_state(*frame)
        looks.append(frame)
        if len(looks) == 2:
            server.faults += [Fault(503), Fault(0)]

    monkeypatch.setattr(server, "set_state", falter)
    code, _, err = run("submit", "--attach", run_id)
    assert code == 0, err
    assert server.faults == []
    assert only(server.runs)["state"] == "SUCCEEDED"


def test_runs_are_listed_newest_first(run: Run, server: Standin) -> None:
    """The list names pipeline, state and times, for people and for machines."""
    assert json.loads(run("runs", "--json")[1]) == {"runs": []}
    for pipeline in ("etl", "monitoring"):
        run("submit", pipeline, "--no-follow")
    listed = json.loads(run("runs", "--json")[1])["runs"]
    assert [row["pipeline"] for row in listed] == ["monitoring", "etl"]
    assert {row["state"] for row in listed} == {"SUCCEEDED"}
    code, out, _ = run("runs", "--limit", 1)
    assert code == 0
    assert "monitoring" in out
    assert "etl" not in out


def test_all_runs_of_the_project_are_told_to_who_counts_them(run: Run, server: Standin) -> None:
    """The exporter gets every run on every page, and no end for a run that has none."""
    run("submit", "etl", "--no-follow")
    model = only(server.runs)
    for number in range(150):
        server.pipelines[f"p{number}"] = {"pipeline_id": f"p{number}", "display_name": "training"}
    server.pipelines = dict(reversed(server.pipelines.items()))
    for number in range(250):
        server.runs[f"r{number}"] = {**model, "run_id": f"r{number}"}
    server.runs["r0"]["state"] = "RUNNING"
    server.runs["other"] = {**model, "run_id": "other", "experiment_id": "somebody's"}
    found = connect(server.url).runs.summaries()
    assert len(found) == 251
    assert {item.pipeline for item in found} == {"etl"}
    assert [item.finished_at for item in found if item.state == "RUNNING"] == [None]
    assert all(item.finished_at for item in found if item.state == "SUCCEEDED")
    assert len(connect(server.url).runs.summaries(newest=120)) == 120


def test_a_hundred_other_recurring_runs_hide_none_of_ours(run: Run, server: Standin) -> None:
    """What is on the last page is found: nothing is made twice, and everything can be removed."""
    run("schedule")
    ours = dict(server.recurring)
    model = next(iter(ours.values()))
    others = {
        f"x{number}": {**model, "display_name": f"other {number}", "recurring_run_id": f"x{number}"}
        for number in range(120)
    }
    server.recurring = others | ours
    server.requests.clear()
    assert run("schedule")[1] == "etl: unchanged\nmonitoring: unchanged\ntraining: unchanged\n"
    assert server.changes() == []
    assert run("schedule", "--remove")[1].count("removed") == 3
    assert server.recurring == others


def test_what_is_there_is_found_on_every_page(run: Run, server: Standin) -> None:
    """Our experiment, pipelines and versions behind those of others are used, not made again."""
    run("submit", "etl", "--no-follow")
    version, experiment = only(server.versions), only(server.experiments)
    # As from a server that does not filter.
    for number in range(7):
        name = f"parivision-etl-other{number}"
        server.versions[name] = {**version, "pipeline_version_id": name, "display_name": name}
        server.experiments[name] = {**experiment, "experiment_id": name, "display_name": name}
        server.pipelines[name] = {"pipeline_id": name, "display_name": name, "name": name}
    for things in (server.versions, server.experiments, server.pipelines):
        items = list(reversed(things.items()))
        things.clear()
        things.update(items)
    server.ignores_filters = True
    server.requests.clear()
    assert run("submit", "etl", "--no-follow")[0] == 0
    assert server.changes() == ["POST /apis/v2beta1/runs"]
    first, second = server.runs.values()
    assert first["experiment_id"] == second["experiment_id"]
    assert first["pipeline_version_reference"] == second["pipeline_version_reference"]


def test_the_last_success_of_a_pipeline_is_found_however_old_it_is(
    run: Run, server: Standin
) -> None:
    """Hundreds of hourly runs lie between two weekly ones."""
    run("submit", "training", "--no-follow")
    trained = only(server.runs)
    run("submit", "etl", "--no-follow")
    model = list(server.runs.values())[1]
    server.page = 100
    for number in range(700):
        server.runs[f"r{number}"] = {**model, "run_id": f"r{number}"}
    assert [past.run_id for past in connect(server.url).runs.past("training")] == [
        trained["run_id"]
    ]
    # Once both are known there is nothing more to find.
    server.requests.clear()
    assert len(connect(server.url).runs.past("etl")) == pipeline_runs.NEWEST_RUNS
    assert server.requests.count("GET /apis/v2beta1/runs") == 5


@pytest.mark.parametrize(
    "command", [("runs",), ("schedule",), ("schedule", "--remove")], ids=" ".join
)
def test_a_server_that_leads_in_a_circle_is_told(
    run: Run, server: Standin, command: tuple[str, ...]
) -> None:
    """One that gives the same token for ever ends a command with a sentence."""
    run("submit", "etl", "--no-follow")
    server.circles = True
    code, _, err = run(*command)
    assert code == 1
    assert "gives the same page of its list again and again" in err


def test_the_schedule_is_made_once(run: Run, server: Standin) -> None:
    """ETL hourly, monitoring daily, training weekly; running it again changes nothing."""
    code, out, err = run("schedule")
    assert code == 0, err
    assert out == "etl: created\nmonitoring: created\ntraining: created\n"
    made = {item["display_name"]: item for item in server.recurring.values()}
    crons = {name: item["trigger"]["cron_schedule"]["cron"] for name, item in made.items()}
    assert crons == {
        "etl": "0 0 * * * *",
        "monitoring": "0 30 6 * * *",
        "training": "0 0 8 * * 1",
    }
    for item in made.values():
        assert (item["max_concurrency"], item["no_catchup"], item["mode"]) == (1, True, "ENABLE")
    source = "http://parivision-stats-api.parivision.svc:8000"
    assert made["etl"]["runtime_config"]["parameters"] == {"source": source}
    server.requests.clear()
    assert run("schedule")[1] == "etl: unchanged\nmonitoring: unchanged\ntraining: unchanged\n"
    assert server.changes() == []


def test_a_schedule_can_be_changed_and_removed(run: Run, server: Standin) -> None:
    """Only what differs is made anew; what is switched off goes, and others' runs stay."""
    run("schedule")
    somebodys = {"display_name": "somebody's", "recurring_run_id": "x"}
    server.recurring["x"] = next(iter(server.recurring.values())) | somebodys
    code, out, err = run("schedule", "--etl", "90m", "--training", "off")
    assert code == 0, err
    assert out == "etl: replaced\nmonitoring: unchanged\ntraining: removed\n"
    made = {item["display_name"]: item for item in server.recurring.values()}
    assert made["etl"]["trigger"] == {"periodic_schedule": {"interval_second": "5400"}}
    assert run("schedule", "--etl", "90m", "--training", "off")[1].count("unchanged") == 2
    assert run("schedule", "--remove")[1] == "etl: removed\nmonitoring: removed\n"
    assert list(server.recurring) == ["x"]
    assert run("schedule", "--remove")[:2] == (0, "")


def test_a_new_version_takes_the_schedule_over(run: Run, server: Standin) -> None:
    """After a release the recurring runs use the new version, and the old ones are gone."""
    run("schedule")
    code, out, _ = run("schedule", "--image", DIGEST)
    assert (code, out.count("replaced")) == (0, 3)
    versions = {
        item["pipeline_version_reference"]["pipeline_version_id"]
        for item in server.recurring.values()
    }
    assert versions == {key for key, item in server.versions.items() if DIGEST in item["text"]}


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
    run: Run, server: Standin, arguments: tuple[str, ...], says: str
) -> None:
    """Wrong names and values change nothing on the server."""
    code, _, err = run("submit", *arguments)
    assert code in (1, 2)
    assert says in " ".join(err.replace("│", "").split())
    assert server.changes() == []


def test_no_endpoint_says_where_to_name_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --endpoint and PARIVISION_KFP nothing is guessed."""
    monkeypatch.delenv("PARIVISION_KFP")
    code, _, err = run("runs")
    assert code == 1
    assert "in --endpoint or PARIVISION_KFP" in err


def test_an_endpoint_that_does_not_answer_is_told_at_once(run: Run) -> None:
    """A forwarded port that is gone is an error of one line, not a traceback."""
    with kfp_standin.serving() as gone:
        url = gone.url
    code, _, err = run("submit", "etl", "--endpoint", url)
    assert code == 1
    assert err.startswith(f"error: no answer from Kubeflow Pipelines at {url} ")
    assert "Traceback" not in err


def test_an_endpoint_that_is_not_encrypted_as_expected_is_told(server: Standin) -> None:
    """`https` in front of a forwarded port of plain HTTP is a frequent slip."""
    with pytest.raises(PipelineError, match=r"no answer from Kubeflow Pipelines at https://.*SSL"):
        connect(server.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(404, "<html>no</html>", "text/html"),
        Fault(200, "<html>log in</html>", "text/html"),
        Fault(200, "[]"),
        Fault(502, "bad gateway", "text/plain"),
    ],
    ids=["another server", "a login page", "no object", "a broken proxy"],
)
def test_what_is_not_kfp_is_told(server: Standin, fault: Fault) -> None:
    """Whatever else listens there is named with what it answered."""
    server.faults.append(fault)
    with pytest.raises(PipelineError, match=rf"is not Kubeflow Pipelines, .*: {fault.status}, "):
        connect(server.url)


def test_who_is_refused_is_told_what_to_bring(server: Standin) -> None:
    """A token, cookies: what KFP asks for, by the name of the variable it comes from."""
    server.token = TOKEN
    with pytest.raises(PipelineError, match=r"refuses \(401: .*valid token\).* KFP_EXISTING_TOKEN"):
        connect(server.url)
    server.token, server.cookies = "", "session=1"
    with pytest.raises(PipelineError, match=r"refuses \(403: RBAC: access denied\)"):
        connect(server.url)


def test_a_token_opens_the_door_and_is_never_shown(
    run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KFP's own variable for a token is used for looking and for changing."""
    server.token = TOKEN
    monkeypatch.setenv("KFP_EXISTING_TOKEN", TOKEN)
    code, out, err = run("submit", "etl")
    assert code == 0, err
    assert TOKEN not in out + err
    kept = KfpAccess.read({"KFP_EXISTING_TOKEN": TOKEN, "KFP_COOKIES": TOKEN})
    assert (kept.token, kept.cookies) == (TOKEN, TOKEN)
    assert TOKEN not in repr(kept)


def test_a_token_in_a_file_is_read_again_for_every_request(
    run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A service account's token is renewed by the kubelet while a run is followed."""
    file = tmp_path / "token"
    renewed = TOKEN[::-1]
    file.write_text(f"{TOKEN}\n")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(file))
    server.token = TOKEN
    kubeflow = connect(server.url, KfpAccess(token_file=str(file)))
    server.token = renewed
    file.write_text(f"{renewed}\n")
    assert kubeflow.runs.summaries() == []
    assert run("submit", "etl")[0] == 0


def test_cookies_open_the_door_of_a_kfp_behind_a_login(
    run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KFP of many users gets the session's cookie and the user's namespace."""
    server.cookies, server.multi_user = "session=1", True
    monkeypatch.setenv("KFP_COOKIES", "session=1")
    monkeypatch.setenv("KFP_NAMESPACE", "analysts")
    code, _, err = run("submit", "etl")
    assert code == 0, err
    assert only(server.experiments)["namespace"] == "analysts"
    assert json.loads(run("runs", "--json")[1])["runs"]


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name.startswith("KF")])
def test_the_docs_say_how_to_log_in(name: str) -> None:
    """docs/kubeflow.md has a row with each variable, and each opens something."""
    docs = Path(__file__).parents[2] / "docs" / "kubeflow.md"
    assert f"| `{name}` |" in docs.read_text()
    assert KfpAccess.read({name: "x"}) != KfpAccess()


def test_a_run_that_kfp_does_not_start_says_why(run: Run, server: Standin) -> None:
    """An error of the server comes with the server's own words."""
    run("submit", "etl", "--no-follow")
    reached = len(server.requests)

    def refuse(_standin: Standin, _run: dict[str, Any]) -> None:
        raise ApiError(400, "quota exceeded")

    server.engine = refuse
    code, _, err = run("submit", "etl")
    assert code == 1
    assert err.splitlines()[-1] == f"error: {server.url} answered 400: quota exceeded"
    assert len(server.requests) > reached


def test_two_who_upload_at_once_get_the_same_version(server: Standin) -> None:
    """Who comes second finds the version that the first one made meanwhile."""
    pipelines = connect(server.url).pipelines
    compiled = Compiled.read(compiled_file("etl"))
    first = pipelines.upload(compiled)
    lookup = pipelines._version_id
    answers = iter([""])
    pipelines._version_id = lambda *names: next(answers, lookup(*names))  # type: ignore[method-assign]
    assert pipelines.upload(compiled).version_id == first.version_id
    assert len(server.versions) == 1


def test_without_kfps_client_the_error_says_what_to_install(
    server: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that lacks the client says so."""
    monkeypatch.setitem(sys.modules, "kfp_server_api", None)
    with pytest.raises(SettingsError, match=r"pip install 'parivision\[kubeflow\]'"):
        connect(server.url)
