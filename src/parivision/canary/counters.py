"""Prometheus' counters of two tracks as windows of served requests.

Counters are taken as they stand and subtracted here, pod by pod. So windows are whole numbers, and
one that a restart made longer loses nothing. PromQL's `increase()` extrapolates to both ends of its
range instead.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parivision import telemetry
from parivision.verdict import ServedWindow, Track

Labels = Mapping[str, str]
Sample = tuple[Labels, float]

TRACK: Final = "track"
"""Label that the chart's PodMonitor gives: primary or canary."""
PREDICT: Final = "/predict"
WINDOW_S: Final = 20.0
"""A window is at least so long: pods come and go, and a line between two scrapes is a guess."""
SETTLE_S: Final = 20.0
"""After a change of the weight: how long the proxies may lag."""
PINNED: Final = "pinned"
_SERVER_ERROR: Final = "5"
# It stands in no track, pod's name, status or bound, so a name can be taken apart again.
_SEPARATOR: Final = "|"


@dataclass(frozen=True)
class CounterReading:
    """Counters at one moment, by a name made of their labels."""

    at: float
    counters: Mapping[str, int]


def reading(
    at: float, requests: Iterable[Sample], buckets: Iterable[Sample], pinned: float
) -> CounterReading:
    """Samples of `requests_query` and `buckets_query`, and how many requests were pinned so far."""
    counters = {PINNED: round(pinned)}
    for kind, label, samples in (
        ("requests", telemetry.STATUS, requests),
        ("bucket", "le", buckets),
    ):
        for labels, value in samples:
            name = _SEPARATOR.join((kind, labels[TRACK], labels["pod"], labels[label]))
            counters[name] = round(value)
    return CounterReading(at, counters)


def window(before: Mapping[str, int], now: CounterReading, weight: float | None) -> ServedWindow:
    """What was served between two readings; `weight` is the canary's share all that time.

    A counter that is new, or smaller than it was, has begun at 0. Where requests were pinned to a
    track the weight tells nothing.
    """
    grown = {
        name: value - before.get(name, 0) if value >= before.get(name, 0) else value
        for name, value in now.counters.items()
    }
    is_pinned = grown.pop(PINNED, 0) > 0
    bounds = sorted({float(_part(name, 3)) for name in grown if _part(name, 0) == "bucket"})
    finite = tuple(bound for bound in bounds if math.isfinite(bound))
    return ServedWindow(
        primary=_track(grown, "primary", bounds),
        canary=_track(grown, "canary", bounds),
        weight=None if is_pinned else weight,
        bounds_s=finite,
    )


def _track(grown: Mapping[str, int], track: str, bounds: Sequence[float]) -> Track:
    mine = {name: value for name, value in grown.items() if _part(name, 1) == track}
    requests = {name: value for name, value in mine.items() if _part(name, 0) == "requests"}
    failed = sum(
        value for name, value in requests.items() if _part(name, 3).startswith(_SERVER_ERROR)
    )
    below: Counter[float] = Counter()
    for name, value in mine.items():
        if _part(name, 0) == "bucket":
            below[float(_part(name, 3))] += value
    cumulative = [below[bound] for bound in bounds]
    # Prometheus' buckets are cumulative, and here each counts its own requests. After a pod's
    # restart one bucket may look restarted and the next one not: the difference is then below zero.
    parts = [max(0, b - a) for a, b in zip([0, *cumulative], cumulative, strict=False)]
    return Track(sum(requests.values()), failed, tuple(parts) if any(parts) else ())


def _part(name: str, index: int) -> str:
    parts = name.split(_SEPARATOR)
    return parts[index] if index < len(parts) else ""


def requests_query(job: str) -> str:
    """Counters of predictions asked for, of both tracks."""
    return f"{telemetry.REQUESTS}{_selector(job)}"


def buckets_query(job: str) -> str:
    """Counters of the histogram of their duration."""
    return f"{telemetry.REQUEST_SECONDS}_bucket{_selector(job)}"


def pinned_query(namespace: str, route: str) -> str:
    """Counters of requests on the route of pinned users."""
    cluster = f"httproute/{namespace}/{route}/.*"
    return f'envoy_cluster_upstream_rq_xx{{envoy_cluster_name=~"{cluster}"}}'


def _selector(job: str) -> str:
    labels = f'job="{job}",{TRACK}=~"primary|canary",{telemetry.ROUTE}="{PREDICT}"'
    return f"{{{labels}}}"
