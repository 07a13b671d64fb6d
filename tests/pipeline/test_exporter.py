"""The exporter as a process, on a real lake and a real MLflow store."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from parivision import settings, telemetry
from parivision.lake import open_lake
from parivision.lake.ingest import ingest
from parivision.lake.manifest import FILE_NAME
from parivision.models import families
from parivision.models.training import Recipe
from parivision.promotion.decision import Rule
from parivision.registry import Registry, quiet
from parivision.sources.open import open_source
from parivision.stages.drift import drift
from parivision.stages.evaluate import evaluate
from parivision.stages.promote import promote
from parivision.stages.train import train
from ports import free_port

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

WAIT_S = 180
SOURCE = "synthetic:?seed=3&seasons=2023&games=4&scale=0.2"
# The league is small: what is shown here is what becomes of a promotion, not the rule.
EASY = Rule(alpha=0.99, min_games=2, ece_bound=1.0)
EMPTY = {
    (telemetry.SOURCE_UP, "lake"): 1,
    (telemetry.SOURCE_UP, "mlflow"): 1,
    (telemetry.LAKE_SHOTS, "bronze"): 0,
    (telemetry.LAKE_SHOTS, "silver"): 0,
    (telemetry.LAKE_SHOTS, "quarantine"): 0,
}


class Scraped:
    """What a running exporter says."""

    def __init__(self, process, port):
        self.process = process
        self._url = f"http://127.0.0.1:{port}/metrics"

    def now(self):
        """Our samples by name and values of the labels, sorted by label; None without an answer."""
        try:
            text = httpx.get(self._url, timeout=5).text
        except httpx.TransportError:
            return None
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name.startswith("parivision_")
        }

    def until(self, condition):
        """The first samples that meet a condition."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.process.communicate()
            found = self.now()
            if found is not None and condition(found):
                return found
            time.sleep(0.1)
        pytest.fail(f"not within {WAIT_S} s; the last scrape: {self.now()}")


def says(value, *sample):
    """Whether a scrape has a sample with that value."""
    return lambda found: found.get(sample) == value


def environment(home, **given):
    """Settings of a home of its own."""
    ours = ("MLFLOW_", "PARIVISION_")
    others = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    named = {"PARIVISION_HOME": str(home), "MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    return others | named | given


@contextmanager
def exporting(variables):
    """An exporter that looks once a second."""
    port = free_port()
    command = [sys.executable, "-c", "from parivision.cli import main; main()", "exporter"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--every", "1"],
        env=variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Scraped(process, port)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture(scope="module")
def home(tmp_path_factory, league_shots):
    """A home with shots in the lake, a champion, a drift report and pipeline runs."""
    quiet()
    folder = tmp_path_factory.mktemp("home")
    ingest(open_source(SOURCE), open_lake(str(folder / "lake")))
    chosen = settings.read({"PARIVISION_HOME": str(folder)})
    shots, models = folder / "shots.parquet", {"lightgbm": folder / "lightgbm"}
    league_shots.write_parquet(shots)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "THREADS", 1)
        train(chosen, shots, Recipe("lightgbm"), models["lightgbm"])
    judged = folder / "judged"
    evaluate(chosen, shots, models, judged)
    promoted = promote(chosen, shots, judged, models, folder / "out", rule=EASY)
    assert promoted.champion is not None
    drift(chosen, shots, folder / "drift")
    registry = Registry(chosen.tracking_uri, chosen.artifacts)
    registry.record_pipeline("training", seconds=60.0)
    registry.record_pipeline("etl", seconds=2.0, failure="the feed is gone")
    return folder


def test_the_whole_state_of_a_system_is_exported(home):
    """What the stages leave behind is found again under the names of `telemetry`."""
    with exporting(environment(home)) as exporter:
        found = exporter.until(says(1, telemetry.SOURCE_UP, "mlflow"))
        found |= exporter.until(says(1, telemetry.SOURCE_UP, "lake"))
    names = {name for name, *_ in found}
    told_by_others = {"REQUEST", "PREDICTIONS", "P_MADE", "MODEL_INFO", "LOG_", "STATS_"}
    told_by_others |= {"ROLLOUT", "VERDICT_", "ESTIMATED_", "OBSERVED_", "RETRAINING_"}
    expected = {
        value
        for name, value in vars(telemetry).items()
        if name.isupper()
        and str(value).startswith("parivision_")
        and not name.startswith(tuple(told_by_others))
    }
    assert names == expected
    assert found[telemetry.LAKE_SHOTS, "bronze"] == open_lake(str(home / "lake")).counts().bronze
    assert found[telemetry.CHAMPION_INFO, "lightgbm", "1"] == 1
    assert 0.5 < found[(telemetry.CHAMPION_LOG_LOSS,)] < 0.75
    assert 0.5 < found[(telemetry.PROMISED_LOG_LOSS,)] < 0.75
    assert found[telemetry.PIPELINE_RUNS, "etl", "FAILED"] == 1
    now = datetime.now(tz=UTC)
    for name in (telemetry.CHAMPION_PROMOTED, telemetry.DRIFT_TIMESTAMP):
        assert timedelta() <= now - datetime.fromtimestamp(found[(name,)], UTC) < timedelta(hours=1)
    columns = {labels[0] for name, *labels in found if name == telemetry.DRIFT_SEVERITY}
    assert {"distance_ft", "made"} & columns


def test_what_happens_is_seen_while_the_exporter_runs(tmp_path):
    """From an empty home to the first shots and runs, without a restart; a signal ends it."""
    with exporting(environment(tmp_path)) as exporter:
        assert exporter.until(says(1, telemetry.SOURCE_UP, "mlflow")) == EMPTY
        lake = open_lake(str(tmp_path / "lake"))
        ingest(open_source(SOURCE), lake)
        exporter.until(says(lake.counts().bronze, telemetry.LAKE_SHOTS, "bronze"))
        registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
        registry.record_pipeline("etl", seconds=1.0)
        exporter.until(says(1, telemetry.PIPELINE_RUNS, "etl", "SUCCEEDED"))
        exporter.process.send_signal(signal.SIGTERM)
        assert exporter.process.wait(10) == 0


def test_a_damaged_lake_is_told_until_it_is_repaired(tmp_path):
    """Its numbers go and come back; the exporter lives on."""
    lake = open_lake(str(tmp_path / "lake"))
    ingest(open_source(SOURCE), lake)
    manifest = tmp_path / "lake" / FILE_NAME
    whole = manifest.read_bytes()
    with exporting(environment(tmp_path)) as exporter:
        exporter.until(says(lake.counts().bronze, telemetry.LAKE_SHOTS, "bronze"))
        manifest.write_bytes(b"{")
        found = exporter.until(says(0, telemetry.SOURCE_UP, "lake"))
        assert (telemetry.LAKE_SHOTS, "bronze") not in found
        assert (telemetry.LAKE_LAST_INGEST,) not in found
        manifest.write_bytes(whole)
        exporter.until(says(1, telemetry.SOURCE_UP, "lake"))


def test_stores_that_are_not_there_are_told(tmp_path):
    """Neither MLflow nor MongoDB answers: scrapes do, and say so."""
    nobody = environment(
        tmp_path,
        MLFLOW_TRACKING_URI="http://127.0.0.1:9",
        PARIVISION_LAKE="mongodb://reader:word@127.0.0.1:9/x",
    )
    with exporting(nobody) as exporter:
        found = exporter.until(lambda found: len(found) > 0)
        assert found == {(telemetry.SOURCE_UP, "lake"): 0, (telemetry.SOURCE_UP, "mlflow"): 0}
        exporter.process.send_signal(signal.SIGINT)
        assert exporter.process.wait(10) == 0


def test_a_lake_in_mongodb_is_exported_too(tmp_path, mongo_server):
    """Rows and the moment come from either store."""
    url = mongo_server.url("exported")
    lake = open_lake(url)
    ingest(open_source(SOURCE), lake)
    rows = lake.counts().bronze
    lake.close()
    with exporting(environment(tmp_path, PARIVISION_LAKE=url)) as exporter:
        found = exporter.until(says(rows, telemetry.LAKE_SHOTS, "bronze"))
        assert time.time() - found[(telemetry.LAKE_LAST_INGEST,)] < 600
