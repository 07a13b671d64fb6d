"""The service's metrics for Prometheus.

Kept in lists of its own and not in prometheus_client's counters: one prediction is counted by
adding to numbers, and ten thousand with two calls of NumPy. One process counts for itself, so a
service runs one worker.
"""

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from parivision import telemetry
from parivision.shots.court import Zone
from parivision.shots.facts import Floats, Ints


class Histogram:
    """A histogram: how many values were at most each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = list(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, values: Floats) -> None:
        """Count values, shape (n,)."""
        _add(self._counts, np.searchsorted(self._bounds, values))
        self._sum += float(values.sum())

    def observe_one(self, value: float) -> None:
        """Count one value."""
        # Left, because a bound is part of its bucket (`le`); searchsorted above does the same.
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def add_to(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        """Hand over the cumulative counts, as Prometheus wants them."""
        names = [*map(floatToGoString, self._bounds), "+Inf"]
        pairs = zip(names, accumulate(self._counts), strict=True)
        family.add_metric(labels, [(name, float(count)) for name, count in pairs], self._sum)


def _add(counts: list[int], indices: Ints) -> None:
    """Add 1 to the count at each index; an index may come several times."""
    for index, count in enumerate(np.bincount(indices).tolist()):
        counts[index] += count


class VersionCounters(Collector):
    """All counts of one model version."""

    def __init__(self, version: str, family: str, feature_set: str, name: str) -> None:
        self._version = version
        self._model = {"name": name, "family": family, "feature_set": feature_set}
        self._requests: dict[tuple[str, int], int] = defaultdict(int)
        self._seconds: dict[str, Histogram] = defaultdict(
            lambda: Histogram(telemetry.REQUEST_BUCKETS_S)
        )
        self._zones = [0] * (max(Zone) + 1)
        self._p_made = Histogram(telemetry.P_MADE_BUCKETS)
        # Large requests are counted in a thread of their own.
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def include(self, collector: Collector) -> None:
        """Render another's counts with these."""
        self._registry.register(collector)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        with self._lock:
            self._requests[route, status] += 1
            self._seconds[route].observe_one(seconds)

    def prediction(self, p_made: float, zone: int) -> None:
        """Count a predicted shot."""
        with self._lock:
            self._zones[zone] += 1
            self._p_made.observe_one(p_made)

    def predictions(self, p_made: Floats, zone: Ints) -> None:
        """Count predicted shots."""
        with self._lock:
            _add(self._zones, zone)
            self._p_made.observe(p_made)

    def render(self) -> bytes:
        """All counts in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """All counts, for prometheus_client."""
        with self._lock:
            # Made under the lock: what a scrape gets is of one moment.
            families = [
                self._requests_family(),
                self._seconds_family(),
                self._zones_family(),
                self._p_made_family(),
            ]
        yield from families
        yield self._model_family()

    def _model_family(self) -> Metric:
        info = GaugeMetricFamily(
            telemetry.MODEL_INFO,
            "The model that answers.",
            labels=[telemetry.MODEL_VERSION, *self._model],
        )
        info.add_metric([self._version, *self._model.values()], 1.0)
        return info

    def _requests_family(self) -> Metric:
        labels = [telemetry.MODEL_VERSION, telemetry.ROUTE, telemetry.STATUS]
        family = CounterMetricFamily(telemetry.REQUESTS, "Requests answered.", labels=labels)
        for (route, status), count in self._requests.items():
            family.add_metric([self._version, route, str(status)], count)
        return family

    def _seconds_family(self) -> Metric:
        family = HistogramMetricFamily(
            telemetry.REQUEST_SECONDS,
            "Time from a request's head to its answer.",
            labels=[telemetry.MODEL_VERSION, telemetry.ROUTE],
        )
        for route, buckets in self._seconds.items():
            buckets.add_to(family, [self._version, route])
        return family

    def _zones_family(self) -> Metric:
        labels = [telemetry.MODEL_VERSION, telemetry.ZONE]
        family = CounterMetricFamily(telemetry.PREDICTIONS, "Shots predicted.", labels=labels)
        for zone in Zone:
            family.add_metric([self._version, zone.label], self._zones[zone])
        return family

    def _p_made_family(self) -> Metric:
        family = HistogramMetricFamily(
            telemetry.P_MADE, "Predicted probabilities.", labels=[telemetry.MODEL_VERSION]
        )
        self._p_made.add_to(family, [self._version])
        return family
