"""The schedule on Kubeflow Pipelines: made once, changed and removed."""

from kfp_standin import Standin
from pipeline.kfp_commands import Run

DIGEST = "registry.example/parivision@sha256:" + "0" * 64


def test_a_hundred_other_recurring_runs_hide_none_of_ours(kfp_run: Run, kfp: Standin) -> None:
    """What is on the last page is found: nothing is made twice, and everything can be removed."""
    kfp_run("schedule")
    ours = dict(kfp.recurring)
    model = next(iter(ours.values()))
    others = {
        f"x{number}": {**model, "display_name": f"other {number}", "recurring_run_id": f"x{number}"}
        for number in range(120)
    }
    kfp.recurring = others | ours
    kfp.requests.clear()
    assert kfp_run("schedule")[1] == "etl: unchanged\nmonitoring: unchanged\ntraining: unchanged\n"
    assert kfp.changes() == []
    assert kfp_run("schedule", "--remove")[1].count("removed") == 3
    assert kfp.recurring == others


def test_the_schedule_is_made_once(kfp_run: Run, kfp: Standin) -> None:
    """ETL hourly, monitoring daily, training weekly; running it again changes nothing."""
    code, out, err = kfp_run("schedule")
    assert code == 0, err
    assert out == "etl: created\nmonitoring: created\ntraining: created\n"
    made = {item["display_name"]: item for item in kfp.recurring.values()}
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
    kfp.requests.clear()
    assert kfp_run("schedule")[1] == "etl: unchanged\nmonitoring: unchanged\ntraining: unchanged\n"
    assert kfp.changes() == []


def test_a_schedule_can_be_changed_and_removed(kfp_run: Run, kfp: Standin) -> None:
    """Only what differs is made anew; what is switched off goes, and others' runs stay."""
    kfp_run("schedule")
    somebodys = {"display_name": "somebody's", "recurring_run_id": "x"}
    kfp.recurring["x"] = next(iter(kfp.recurring.values())) | somebodys
    code, out, err = kfp_run("schedule", "--etl", "90m", "--training", "off")
    assert code == 0, err
    assert out == "etl: replaced\nmonitoring: unchanged\ntraining: removed\n"
    made = {item["display_name"]: item for item in kfp.recurring.values()}
    assert made["etl"]["trigger"] == {"periodic_schedule": {"interval_second": "5400"}}
    assert kfp_run("schedule", "--etl", "90m", "--training", "off")[1].count("unchanged") == 2
    assert kfp_run("schedule", "--remove")[1] == "etl: removed\nmonitoring: removed\n"
    assert list(kfp.recurring) == ["x"]
    assert kfp_run("schedule", "--remove")[:2] == (0, "")


def test_a_run_that_goes_on_outlives_its_schedule(kfp_run: Run, kfp: Standin) -> None:
    """It would be called running for ever, and a training that goes on lets no other begin."""
    kfp.engine = lambda server, run: server.set_state(run, "RUNNING")
    kfp_run("schedule")
    training = next(
        key for key, item in kfp.recurring.items() if item["display_name"] == "training"
    )
    run = kfp.fire(training)
    assert "training: replaced" in kfp_run("schedule", "--image", DIGEST)[1]
    kfp.set_state(run, "SUCCEEDED")
    code, out, err = kfp_run("runs")
    assert code == 0, err
    assert "SUCCEEDED" in out


def test_a_new_version_takes_the_schedule_over(kfp_run: Run, kfp: Standin) -> None:
    """After a release the recurring runs use the new version, and the old ones are gone."""
    kfp_run("schedule")
    code, out, _ = kfp_run("schedule", "--image", DIGEST)
    assert (code, out.count("replaced")) == (0, 3)
    versions = {
        item["pipeline_version_reference"]["pipeline_version_id"] for item in kfp.recurring.values()
    }
    assert versions == {key for key, item in kfp.versions.items() if DIGEST in item["text"]}
