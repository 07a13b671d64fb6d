"""The schedule on Kubeflow Pipelines: made once, changed and removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import kfp_standin
from kfp_standin import Standin
from pipeline.kfp_commands import Run, name_server

DIGEST = "registry.example/parivision@sha256:" + "0" * 64


@pytest.fixture
def server() -> Iterator[Standin]:
    """A Kubeflow Pipelines that holds nothing yet."""
    with kfp_standin.serving() as standin:
        yield standin


@pytest.fixture
def run(run: Run, server: Standin, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command line against the stand-in; gives the exit code, output and errors."""
    name_server(server, monkeypatch, tmp_path)
    return run


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
