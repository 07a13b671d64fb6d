"""The exporter's metrics, from given facts, and its server."""

import threading
import time
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from parivision import telemetry
from parivision.errors import RegistryError, ServiceError, StoreError
from parivision.exporter.cache import Cached
from parivision.exporter.metrics import Exporter, LakeFacts, RegistryFacts, run_metrics, serving
from parivision.lake import LayerCounts, open_lake
from parivision.registry.records import DriftReport, PipelineRun, RegisteredVersion
from parivision.registry.versions import Registry

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 13, tzinfo=UTC)
LAKE = LakeFacts(LayerCounts(bronze=100, pending=7, silver=90, quarantine=3), NOON)
DRIFT = DriftReport(LATER, "4", "drift", {"distance_ft": 5.5, "period": 0.25}, 0.66, 0.64)
REGISTRY = RegistryFacts(
    champion=RegisteredVersion("4", "run", {"family": "lightgbm"}, NOON),
    log_loss=0.631,
    drift=DRIFT,
    runs=[
        PipelineRun("training", "SUCCEEDED", NOON),
        PipelineRun("etl", "FAILED", LATER),
        PipelineRun("etl", "FAILED", NOON),
    ],
)


def answering(name, answer):
    """A source that has answered."""
    cached = Cached(name, lambda: answer)
    cached.refresh()
    return cached


def failing(name, error):
    """A source that has failed."""

    def fail():
        raise error

    cached = Cached(name, fail)
    cached.refresh()
    return cached


def exporter(lake=LAKE, registry=REGISTRY, kfp=None):
    """An exporter of these facts; an error stands for a source that is down."""
    made = [
        failing(name, facts) if isinstance(facts, Exception) else answering(name, facts)
        for name, facts in (("lake", lake), ("mlflow", registry), ("kfp", kfp))
        if facts is not None
    ]
    return Exporter(*made)


def samples(collector):
    """All samples as Prometheus reads them, by name and labels."""
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def up(found):
    """What is said of each source."""
    return {
        dict(key[1:])["source"]: value
        for key, value in found.items()
        if key[0] == telemetry.SOURCE_UP
    }


def test_everything_known_is_exported():
    """Each fact is a sample under its name; moments are seconds since 1970."""
    assert samples(exporter()) == {
        (telemetry.SOURCE_UP, ("source", "lake")): 1,
        (telemetry.SOURCE_UP, ("source", "mlflow")): 1,
        (telemetry.LAKE_SHOTS, ("layer", "bronze")): 100,
        (telemetry.LAKE_SHOTS, ("layer", "silver")): 90,
        (telemetry.LAKE_SHOTS, ("layer", "quarantine")): 3,
        (telemetry.LAKE_LAST_INGEST,): NOON.timestamp(),
        (telemetry.CHAMPION_INFO, ("family", "lightgbm"), ("version", "4")): 1,
        (telemetry.CHAMPION_PROMOTED,): NOON.timestamp(),
        (telemetry.CHAMPION_LOG_LOSS,): 0.631,
        (telemetry.DRIFT_DETECTED,): 1,
        (telemetry.DRIFT_TIMESTAMP,): LATER.timestamp(),
        (telemetry.DRIFT_SEVERITY, ("column", "distance_ft")): 5.5,
        (telemetry.DRIFT_SEVERITY, ("column", "period")): 0.25,
        (telemetry.LIVE_LOG_LOSS,): 0.66,
        (telemetry.PROMISED_LOG_LOSS,): 0.64,
        (telemetry.PIPELINE_RUNS, ("pipeline", "training"), ("state", "SUCCEEDED")): 1,
        (telemetry.PIPELINE_RUNS, ("pipeline", "etl"), ("state", "FAILED")): 2,
        (
            telemetry.PIPELINE_LAST_RUN,
            ("pipeline", "training"),
            ("state", "SUCCEEDED"),
        ): NOON.timestamp(),
        (
            telemetry.PIPELINE_LAST_RUN,
            ("pipeline", "etl"),
            ("state", "FAILED"),
        ): LATER.timestamp(),
    }


def test_facts_are_asked_for_at_their_sources(tmp_path):
    """A lake and a registry tell all that is exported, the registry of one champion throughout."""

    class OneChampion(Registry):
        def __init__(self):
            """Nothing is asked of MLflow."""

        def champion(self):
            return REGISTRY.champion

        def promised_by(self, version):
            return REGISTRY.log_loss if version is REGISTRY.champion else None

        def latest_drift(self):
            return DRIFT

        def pipeline_runs(self):
            return REGISTRY.runs

    class Empty(OneChampion):
        def champion(self):
            return None

    assert RegistryFacts.of(OneChampion()) == REGISTRY
    assert RegistryFacts.of(Empty()) == replace(REGISTRY, champion=None, log_loss=None)
    lake = open_lake(str(tmp_path / "lake"))
    lake.commit_cursor("feed", "1")
    assert LakeFacts.of(lake) == LakeFacts(LayerCounts(0, 0, 0, 0), lake.last_ingest())


def test_an_empty_system_exports_that_its_sources_answer():
    """Before the first ingest, champion, report and run there are no numbers to be mistaken for."""
    nothing = RegistryFacts(champion=None, log_loss=None, drift=None, runs=[])
    found = samples(exporter(LakeFacts(LayerCounts(0, 0, 0, 0), None), nothing))
    assert {key[0] for key in found} == {telemetry.SOURCE_UP, telemetry.LAKE_SHOTS}
    assert up(found) == {"lake": 1, "mlflow": 1}


@pytest.mark.parametrize(("verdict", "value"), [("drift", 1), ("quiet", 0), ("no data", 0)])
def test_only_found_drift_is_drift(verdict, value):
    """Too few shots to judge are no alarm."""
    report = replace(DRIFT, verdict=verdict, log_loss=None, promised_log_loss=None)
    found = samples(exporter(registry=replace(REGISTRY, drift=report)))
    assert found[(telemetry.DRIFT_DETECTED,)] == value
    assert (telemetry.LIVE_LOG_LOSS,) not in found


def test_a_champion_of_which_little_is_known_is_exported_all_the_same():
    """One that another tool registered has neither a family nor a score."""
    bare = replace(REGISTRY, champion=RegisteredVersion("1", "run", {}), log_loss=None)
    found = samples(exporter(registry=bare))
    assert found[(telemetry.CHAMPION_INFO, ("family", ""), ("version", "1"))] == 1
    assert (telemetry.CHAMPION_PROMOTED,) not in found


@pytest.mark.parametrize(
    ("down", "kept"),
    [
        ({"lake": StoreError("gone")}, {"mlflow": 1, "lake": 0}),
        ({"registry": RegistryError("gone")}, {"mlflow": 0, "lake": 1}),
        ({"kfp": RuntimeError("gone")}, {"mlflow": 1, "lake": 1, "kfp": 0}),
    ],
)
def test_a_source_that_is_down_takes_its_numbers_with_it(down, kept):
    """It is told by name; the other sources' numbers stay, and nothing old is shown."""
    found = samples(exporter(**down))
    assert up(found) == kept
    names = {key[0] for key in found}
    assert (telemetry.LAKE_SHOTS in names) == ("lake" not in down)
    assert (telemetry.CHAMPION_INFO in names) == ("registry" not in down)
    assert (telemetry.PIPELINE_RUNS in names) == ("registry" not in down)


def test_runs_of_both_kinds_are_counted_together():
    """Runs on Kubeflow and runs recorded in the registry are runs of one pipeline."""
    kfp = [PipelineRun("etl", "FAILED", None), PipelineRun("etl", "RUNNING", None)]
    found = samples(exporter(kfp=kfp))
    failed = ("pipeline", "etl"), ("state", "FAILED")
    running = ("pipeline", "etl"), ("state", "RUNNING")
    assert up(found) == {"lake": 1, "mlflow": 1, "kfp": 1}
    assert found[(telemetry.PIPELINE_RUNS, *failed)] == 3
    assert found[(telemetry.PIPELINE_LAST_RUN, *failed)] == LATER.timestamp()
    assert found[(telemetry.PIPELINE_RUNS, *running)] == 1
    assert (telemetry.PIPELINE_LAST_RUN, *running) not in found


def test_the_newest_end_of_runs_in_any_order_counts():
    """Servers list runs as they like."""
    runs = [PipelineRun("etl", "FAILED", at) for at in (NOON, LATER, NOON)]
    _, last = run_metrics(runs)
    assert [sample.value for sample in last.samples] == [LATER.timestamp()]


def scrape(port):
    """One scrape."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return answer.read().decode()


def eventually(port, text):
    """The first scrape that holds a text."""
    deadline = time.monotonic() + 10
    while text not in (page := scrape(port)):
        assert time.monotonic() < deadline, page
        time.sleep(0.01)
    return page


def test_a_source_that_hangs_delays_no_scrape():
    """While it hangs, scrapes are answered, and the other source's numbers come."""
    released = threading.Event()

    def hang():
        released.wait(30)
        return LAKE

    lake = Cached("lake", hang)
    with serving(
        Exporter(lake, Cached("mlflow", lambda: REGISTRY)), host="127.0.0.1", port=0
    ) as port:
        page = eventually(port, telemetry.CHAMPION_INFO)
        assert f'{telemetry.SOURCE_UP}{{source="lake"}} 0.0' in page
        assert telemetry.LAKE_SHOTS not in page
        released.set()
        page = eventually(port, telemetry.LAKE_SHOTS)
        assert f'{telemetry.SOURCE_UP}{{source="lake"}} 1.0' in page
        assert "process_resident_memory_bytes" in page


def test_sources_are_asked_again_and_again_until_the_end():
    """What they say later is shown; afterwards nobody asks, and the port is free again."""
    asked: list[int] = []

    def ask():
        asked.append(len(asked))
        return LakeFacts(LayerCounts(min(len(asked), 3), 0, 0, 0), None)

    lake = Cached("lake", ask, every_s=0.005)
    lake_only = Exporter(lake, failing("mlflow", RegistryError("gone")))
    with serving(lake_only, host="127.0.0.1", port=0) as port:
        eventually(port, f'{telemetry.LAKE_SHOTS}{{layer="bronze"}} 3.0')
    time.sleep(0.05)
    count = len(asked)
    time.sleep(0.05)
    assert len(asked) == count
    with serving(lake_only, host="127.0.0.1", port=port) as again:
        assert again == port


def test_a_port_that_is_taken_is_told():
    """The error names it and what to do."""
    with (
        serving(exporter(), host="127.0.0.1", port=0) as port,
        pytest.raises(ServiceError, match=rf"cannot listen on 127.0.0.1:{port} .*--port"),
        serving(exporter(), host="127.0.0.1", port=port),
    ):
        pytest.fail("two servers on one port")


def test_every_metric_of_the_exporter_has_its_name_in_telemetry():
    """A name that is not there could not be checked in charts and dashboards."""
    names = {value for key, value in vars(telemetry).items() if key.isupper()}
    assert {key[0] for key in samples(exporter(kfp=[PipelineRun("etl", "FAILED", NOON)]))} <= names
