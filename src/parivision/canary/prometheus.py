"""Asking Prometheus for counters at one moment, the same for every pod.

Pods are scraped one after the other. So the last samples of two counters are up to a scrape apart,
and a share of traffic made of them would be wrong by as much. Instead a moment is taken that lies
before every pod's last scrape, and each counter is interpolated between the scrapes around it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import httpx

from parivision.canary import counters
from parivision.canary.counters import CounterReading, Sample
from parivision.errors import ServiceError

TIMEOUT_S: Final = 5.0
LAG_S: Final = 40.0
"""How far back the moment lies: longer than the 30 s between two scrapes of a pod, and its own
time."""
SPAN_S: Final = 100
"""How far back samples are asked for, so that there are some before the moment too."""

Line = Sequence[tuple[float, str]]


class Prometheus:
    """Reads the counters of one prediction service; `client` has Prometheus' address as its base.

    `pinned` is namespace and name of the route of pinned users, if there is one.
    """

    def __init__(self, client: httpx.Client, job: str, pinned: tuple[str, str] | None) -> None:
        self._client = client
        self._job = job
        self._pinned = pinned

    def read(self, at: float) -> CounterReading:
        """Both tracks' counters at one moment before `at`. Raises ServiceError when it is away."""
        moment = at - LAG_S
        pinned = self._ask(counters.pinned_query(*self._pinned), at) if self._pinned else []
        return counters.reading(
            moment,
            self._ask(counters.requests_query(self._job), at),
            self._ask(counters.buckets_query(self._job), at),
            sum(value for _, value in pinned),
        )

    def _ask(self, selector: str, at: float) -> list[Sample]:
        """Each series of a selector at the moment; those that began later are left out."""
        # A range in an instant query gives the samples themselves, with the time of each scrape.
        query = f"{selector}[{SPAN_S}s]"
        try:
            answer = self._client.get("/api/v1/query", params={"query": query, "time": f"{at:.3f}"})
            answer.raise_for_status()
            series: list[Mapping[str, Any]] = answer.json()["data"]["result"]
            values = [(s["metric"], _at(s["values"], at - LAG_S)) for s in series]
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            raise ServiceError(
                f"Prometheus at {self._client.base_url.copy_with(userinfo=b'')} does not answer "
                f"({type(error).__name__})"
            ) from error
        return [(labels, value) for labels, value in values if value is not None]


def _at(line: Line, moment: float) -> float | None:
    """A counter's value at a moment, from its samples in time order; None before the first.

    After the last sample, and where it was restarted, the value stays what it was.
    """
    if not line or line[0][0] > moment:
        return None
    for (before_s, before), (after_s, after) in pairwise(line):
        if before_s <= moment < after_s:
            first, last = float(before), float(after)
            part = (moment - before_s) / (after_s - before_s)
            return first + max(0.0, last - first) * part
    return float(line[-1][1])
