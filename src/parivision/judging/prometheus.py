"""Asking Prometheus for the value of a query at a moment."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from parivision.errors import ServiceError
from parivision.judging import counters
from parivision.judging.counters import Reading, Sample

TIMEOUT_S: Final = 5.0


class Prometheus:
    """Reads the counters of one prediction service; `client` has Prometheus' address as its base.

    `pinned` is namespace and name of the route of pinned users, if there is one.
    """

    def __init__(self, client: httpx.Client, job: str, pinned: tuple[str, str] | None) -> None:
        self._client = client
        self._job = job
        self._pinned = pinned

    def read(self, at: float) -> Reading:
        """Both tracks' counters at one moment. Raises ServiceError when Prometheus is away."""
        pinned = self._ask(counters.pinned_query(*self._pinned), at) if self._pinned else []
        return counters.reading(
            at,
            self._ask(counters.requests_query(self._job), at),
            self._ask(counters.buckets_query(self._job), at),
            sum(value for _, value in pinned),
        )

    def _ask(self, query: str, at: float) -> list[Sample]:
        try:
            answer = self._client.get("/api/v1/query", params={"query": query, "time": f"{at:.3f}"})
            answer.raise_for_status()
            result: list[Mapping[str, Any]] = answer.json()["data"]["result"]
            return [(one["metric"], float(one["value"][1])) for one in result]
        except (httpx.HTTPError, KeyError, TypeError, ValueError) as error:
            raise ServiceError(
                f"Prometheus at {self._client.base_url} does not answer ({type(error).__name__})"
            ) from error
