"""Counters at one moment, from Prometheus' samples about it."""

import httpx
import pytest

from parivision.canary.prometheus import LAG_S, Prometheus
from parivision.errors import ServiceError

NOW = 1_800_000_000.0
MOMENT = NOW - LAG_S


def asked(lines, status=200):
    """A reading of a Prometheus that has these samples of requests, and of nothing else."""

    def answer(request):
        if "parivision_requests_total" not in request.url.params["query"]:
            return httpx.Response(200, json={"data": {"result": []}})
        result = [
            {"metric": {"track": track, "pod": pod, "status": "200"}, "values": values}
            for (track, pod), values in lines.items()
        ]
        return httpx.Response(status, json={"data": {"result": result}})

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://prometheus")
    return Prometheus(client, "shots", None).read(NOW)


def test_pods_that_were_scraped_at_different_times_are_read_at_one_moment():
    """Ten requests a second each, scraped 29 seconds apart: both have served as many."""
    early, late = MOMENT - 29, MOMENT - 1
    found = asked(
        {
            ("primary", "a"): [[early, "100"], [early + 30, "400"]],
            ("canary", "b"): [[late - 30, "80"], [late, "380"], [late + 30, "680"]],
        }
    )
    assert found.at == MOMENT
    assert found.counters["requests|primary|a|200"] == 390
    assert found.counters["requests|canary|b|200"] == 390


def test_a_pod_that_is_gone_keeps_what_it_served_and_a_newer_one_waits():
    """A counter is never guessed beyond its samples."""
    found = asked(
        {
            ("primary", "gone"): [[MOMENT - 50, "7"]],
            ("primary", "new"): [[MOMENT + 1, "9"]],
            ("primary", "restarted"): [[MOMENT - 10, "50"], [MOMENT + 20, "3"]],
        }
    )
    assert found.counters == {
        "pinned": 0,
        "requests|primary|gone|200": 7,
        "requests|primary|restarted|200": 50,
    }


def test_a_prometheus_that_is_away_is_said():
    """Its answer is no evidence of anything."""
    with pytest.raises(ServiceError, match="does not answer"):
        asked({}, status=503)
