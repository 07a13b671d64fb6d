"""A compiled pipeline run on this machine: its outputs, its errors, what it leaves behind."""

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from parivision import settings
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow import local_runs
from parivision.kubeflow.local_runs import Event, run_local
from parivision.settings import Settings

TOY = Path(__file__).with_name("toy_pipeline.py")


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small pipeline, compiled."""
    path = tmp_path_factory.mktemp("toy") / "toy.yaml"
    subprocess.run([sys.executable, str(TOY), str(path)], check=True)
    return path


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings of an empty home folder."""
    return settings.read({"PARIVISION_HOME": str(tmp_path), "PARIVISION_PORT": "4321"})


def test_a_run_gives_what_its_tasks_gave(toy: Path, home: Settings) -> None:
    """Parameters, artifacts and metadata of every task, by the task's title."""
    events: list[Event] = []
    run = run_local(toy, {"size": 8}, home, on_event=events.append)
    assert set(run.tasks) == {"build it", "judge", "ship"}
    built = run.tasks["build it"]
    assert built.parameters == {"Output": "4321"}, "tasks have the settings in their environment"
    assert (built.artifacts["model"].path / "size").read_text() == "8"
    assert built.artifacts["model"].metadata == {"size": 8}
    assert built.artifacts["metrics"].metadata == {"size": 8}
    assert run.tasks["judge"].parameters == {"Output": True, "note": "true"}
    assert run.tasks["judge"].artifacts["table"].path.read_text() == "# judged"
    assert run.tasks["ship"].parameters == {"Output": 4.0}
    assert [(event.task, event.state) for event in events] == [
        *(("build it", "running"), ("build it", "done")),
        *(("judge", "running"), ("judge", "done")),
        *(("ship", "running"), ("ship", "done")),
    ]
    assert run.log.read_text().count("judging 8") == 1
    assert run.folder.parent == home.pipeline_runs


def test_tasks_under_a_condition_that_fails_do_not_run(toy: Path, home: Settings) -> None:
    """What was not promoted is not shipped, and the run is no failure."""
    run = run_local(toy, {"how": "no"}, home)
    assert set(run.tasks) == {"build it", "judge"}
    assert run.tasks["judge"].parameters["Output"] is False


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("raise", "DataError: no shots at all:\n  ingest some\n"),
        ("divide", "ZeroDivisionError: division by zero\n"),
        ("exit", "nothing to see"),
        ("die", "judging 3"),
    ],
)
def test_a_failed_task_is_named_with_its_error(
    toy: Path, home: Settings, how: str, says: str
) -> None:
    """The error names the task and says why, at once and without retries; the log has the rest."""
    events: list[Event] = []
    with pytest.raises(PipelineError) as failed:
        run_local(toy, {"how": how}, home, on_event=events.append)
    message = str(failed.value)
    assert message.startswith("the task 'judge' of the pipeline toy failed: ")
    assert says in message
    assert "Traceback" not in message or how == "die"
    (log,) = home.pipeline_runs.glob("toy-*/run.log")
    assert message.endswith(f"The whole log: {log}")
    assert [(event.task, event.state) for event in events][-2:] == [
        ("judge", "running"),
        ("judge", "failed"),
    ]


def test_an_interrupted_run_leaves_no_process(toy: Path, home: Settings) -> None:
    """Whoever breaks off a run, as with Ctrl-C, breaks off KFP and the task that runs."""

    def interrupt(event: Event) -> None:
        if (event.task, event.state) == ("judge", "running"):
            raise KeyboardInterrupt

    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(KeyboardInterrupt):
        run_local(toy, {"how": "wait"}, home, on_event=interrupt)
    after = {child.pid for child in psutil.Process().children(recursive=True)}
    assert after <= before
    (log,) = home.pipeline_runs.glob("toy-*/run.log")
    for pid in re.findall(r"waiting as (\d+)", log.read_text()):
        assert not psutil.pid_exists(int(pid))


def test_a_run_that_kfp_cannot_start_says_what_kfp_said(toy: Path, home: Settings) -> None:
    """An error outside of any task is reported too."""
    broken = toy.with_name("broken.yaml")
    broken.write_text(toy.read_text().replace("schemaVersion: 2.1.0", "schemaVersion: 9.9.9"))
    broken.write_text(broken.read_text().replace("executorLabel: exec-build", "executorLabel: x"))
    with pytest.raises(PipelineError, match=r"the pipeline toy \(KFP ended with 1\) failed: "):
        run_local(broken, {}, home)


def test_unknown_parameters_and_pipelines_are_refused_before_anything_runs(
    toy: Path, home: Settings
) -> None:
    """A slip is told at once, and leaves no folder of a run."""
    with pytest.raises(SettingsError, match="no parameter 'seize'"):
        run_local(toy, {"seize": 1}, home)
    with pytest.raises(SettingsError, match=r"baking\.yaml"):
        run_local("baking", {}, home)
    assert not home.pipeline_runs.exists()


def test_only_the_last_runs_are_kept(
    toy: Path, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home folder does not grow for ever; other pipelines' runs are left alone."""
    monkeypatch.setattr(local_runs, "KEPT_RUNS", 2)
    for name in ("toy-20200101T000000-a", "toy-20200102T000000-b", "other-20200101T000000-c"):
        (home.pipeline_runs / name).mkdir(parents=True)
    run = run_local(toy, {"how": "no"}, home)
    assert {path.name for path in home.pipeline_runs.iterdir()} == {
        "toy-20200102T000000-b",
        "other-20200101T000000-c",
        run.folder.name,
    }
