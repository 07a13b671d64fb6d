"""The exporter: what the lake, the registry and the pipelines say, as metrics for Prometheus.

These are stores that a pipeline writes to and then ends, so nobody is left to be scraped; the
exporter asks them in its place. Each source is asked in the background by a thread of its own, and
a scrape is answered with what the last answers said: a slow store delays nobody. What a source
says is shown only while it is fresh; of a source that does not answer `telemetry.SOURCE_UP` says
0, and its other metrics are gone.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parivision import telemetry
from parivision.errors import ServiceError
from parivision.exporter.cache import Cached
from parivision.registry.records import DriftReport, PipelineRun, RegisteredVersion

if TYPE_CHECKING:
    from parivision.lake import Lake, LayerCounts
    from parivision.registry import Registry


@dataclass(frozen=True)
class LakeFacts:
    """What the lake says: its rows, and when it was last filled."""

    counts: "LayerCounts"
    last_ingest: datetime | None

    @classmethod
    def of(cls, lake: "Lake") -> "LakeFacts":
        """Ask the lake."""
        return cls(lake.counts(), lake.last_ingest())


@dataclass(frozen=True)
class RegistryFacts:
    """What the registry says: the champion and its log loss, the newest drift report, the runs."""

    champion: RegisteredVersion | None
    log_loss: float | None
    drift: DriftReport | None
    runs: Sequence[PipelineRun]

    @classmethod
    def of(cls, registry: "Registry") -> "RegistryFacts":
        """Ask the registry."""
        champion = registry.champion()
        return cls(
            champion=champion,
            log_loss=registry.promised_by(champion) if champion else None,
            drift=registry.latest_drift(),
            runs=registry.pipeline_runs(),
        )


class Exporter(Collector):
    """All metrics of the exporter, from what its sources said last."""

    def __init__(
        self,
        lake: Cached[LakeFacts],
        registry: Cached[RegistryFacts],
        kfp: Cached[Sequence[PipelineRun]] | None = None,
    ) -> None:
        """`kfp` is there where a Kubeflow Pipelines server is."""
        self._lake = lake
        self._registry = registry
        self._kfp = kfp

    @property
    def sources(self) -> list[Cached[Any]]:
        """What is asked."""
        return [self._lake, self._registry, *([self._kfp] if self._kfp else [])]

    def collect(self) -> Iterator[Metric]:
        """All metrics, for prometheus_client."""
        lake, registry = self._lake.value(), self._registry.value()
        runs = self._kfp.value() if self._kfp else None
        is_up = [((source.name,), float(source.value() is not None)) for source in self.sources]
        yield _gauge(telemetry.SOURCE_UP, "Whether a source answers.", is_up, "source")
        if lake is not None:
            yield from lake_metrics(lake)
        if registry is not None:
            yield from champion_metrics(registry)
            yield from drift_metrics(registry.drift)
        yield from run_metrics([*(registry.runs if registry else ()), *(runs or ())])


def lake_metrics(lake: LakeFacts) -> Iterator[Metric]:
    """How much is in the lake, and since when."""
    counts = lake.counts
    layers = {"bronze": counts.bronze, "silver": counts.silver, "quarantine": counts.quarantine}
    rows = [((layer,), float(count)) for layer, count in layers.items()]
    yield _gauge(telemetry.LAKE_SHOTS, "Rows of a layer of the lake.", rows, "layer")
    yield from _moment(
        telemetry.LAKE_LAST_INGEST, "When a source was last read into the lake.", lake.last_ingest
    )


def champion_metrics(registry: RegistryFacts) -> Iterator[Metric]:
    """Who is champion, since when, and how good it was; nothing while there is none."""
    champion = registry.champion
    if champion is None:
        return
    who = [((champion.number, champion.tags.get("family", "")), 1.0)]
    yield _gauge(telemetry.CHAMPION_INFO, "The champion.", who, "version", "family")
    yield from _moment(
        telemetry.CHAMPION_PROMOTED, "When the champion was registered.", champion.registered_at
    )
    yield from _number(
        telemetry.CHAMPION_LOG_LOSS, "The champion's log loss when promoted.", registry.log_loss
    )


def drift_metrics(drift: DriftReport | None) -> Iterator[Metric]:
    """What the newest drift report found; nothing before the first."""
    if drift is None:
        return
    is_drift = float(drift.verdict == "drift")
    yield from _number(telemetry.DRIFT_DETECTED, "Whether the newest report found drift.", is_drift)
    yield from _moment(telemetry.DRIFT_TIMESTAMP, "When the newest report was made.", drift.at)
    yield _gauge(
        telemetry.DRIFT_SEVERITY,
        "A column's largest effect in thresholds.",
        [((column,), severity) for column, severity in drift.severities.items()],
        "column",
    )
    yield from _number(
        telemetry.LIVE_LOG_LOSS, "The champion's log loss on the current shots.", drift.log_loss
    )
    yield from _number(
        telemetry.PROMISED_LOG_LOSS,
        "What the champion's own probabilities promised for them.",
        drift.promised_log_loss,
    )


def run_metrics(runs: Iterable[PipelineRun]) -> Iterator[Metric]:
    """How many of the latest runs ended how, and when the last of them did."""
    known = list(runs)
    counts = Counter((run.pipeline, run.state) for run in known)
    last: dict[tuple[str, str], float] = {}
    for run in known:
        if run.finished_at is not None:
            key = run.pipeline, run.state
            last[key] = max(run.finished_at.timestamp(), last.get(key, 0.0))
    labels = "pipeline", "state"
    yield _gauge(telemetry.PIPELINE_RUNS, "The latest runs by state.", counts.items(), *labels)
    yield _gauge(telemetry.PIPELINE_LAST_RUN, "When the last of them ended.", last.items(), *labels)


@contextmanager
def serving(exporter: Exporter, *, host: str, port: int) -> Iterator[int]:
    """Ask the sources in the background and answer scrapes on a port, as long as the block lasts.

    Port 0 is any free one; gives the one in use. Raises ServiceError when it is taken.
    """
    registry = CollectorRegistry()
    registry.register(exporter)
    ProcessCollector(registry=registry)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise ServiceError(
            f"cannot listen on {host}:{port} ({error}): give another --host or --port"
        ) from error
    stop = threading.Event()
    for source in exporter.sources:
        # A thread for each source, so that one that hangs does not make the others old.
        threading.Thread(
            target=_ask_on, args=(source, stop), name=f"ask {source.name}", daemon=True
        ).start()
    try:
        yield server.server_port
    finally:
        stop.set()
        server.shutdown()
        server.server_close()


def _ask_on(source: Cached[Any], stop: threading.Event) -> None:
    while not stop.wait(source.refresh()):
        pass


def _gauge(
    name: str, text: str, samples: Iterable[tuple[tuple[str, ...], float]], *labels: str
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def _number(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """A gauge without labels, if there is a value."""
    if value is not None:
        yield GaugeMetricFamily(name, text, value=value)


def _moment(name: str, text: str, at: datetime | None) -> Iterator[Metric]:
    yield from _number(name, text, None if at is None else at.timestamp())
