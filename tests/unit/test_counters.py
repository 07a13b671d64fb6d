"""Prometheus' counters as windows of served requests, and the queries they come from."""

import pytest

import promql
from parivision import telemetry
from parivision.canary import counters
from parivision.canary.counters import PINNED, CounterReading, reading, window


def samples(track, pod, values, label):
    """Samples of one pod."""
    return [({"track": track, "pod": pod, label: name}, value) for name, value in values.items()]


def read(at, *, primary, canary=None, pinned=0.0, pod="p-1"):
    """A reading: numbers of 200 and 500 for each track, all of them fast but the last."""
    requests, buckets = [], []
    for track, name, counts in (("primary", pod, primary), ("canary", "c-1", canary or {})):
        requests += samples(track, name, counts, telemetry.STATUS)
        total = sum(counts.values())
        if total:
            below = {"0.001": max(0, total - 1), "0.01": total, "+Inf": total}
            buckets += samples(track, name, below, "le")
    return reading(at, requests, buckets, pinned)


def test_a_window_is_what_was_added():
    """Requests, errors and the buckets between two readings, for both tracks."""
    before = read(0, primary={"200": 100.0, "500": 2.0}, canary={"200": 10.0})
    now = read(10, primary={"200": 150.0, "500": 3.0}, canary={"200": 20.0, "503": 1.0})
    served = window(before.counters, now, 0.25)
    assert (served.primary.requests, served.primary.errors) == (51, 1)
    assert (served.canary.requests, served.canary.errors) == (11, 1)
    assert served.bounds_s == (0.001, 0.01)
    assert served.canary.latency == (11, 0, 0)
    assert served.weight == 0.25


def test_a_pod_that_is_new_or_was_restarted_begins_at_nothing():
    """What a counter shows then is what was served since."""
    before = read(0, primary={"200": 100.0})
    again = window(before.counters, read(10, primary={"200": 7.0}), None)
    assert again.primary.requests == 7
    more = window(before.counters, read(10, primary={"200": 9.0}, pod="p-2"), None)
    assert more.primary.requests == 9


def test_without_a_canary_its_side_is_empty():
    """And not zero seconds fast."""
    served = window({}, read(10, primary={"200": 7.0}), 0.05)
    assert (served.canary.requests, served.canary.latency) == (0, ())


def test_nothing_at_all_is_an_empty_window():
    """Prometheus answers, and has no series yet."""
    served = window({}, CounterReading(0, {PINNED: 0}), None)
    assert (served.primary.requests, served.bounds_s) == (0, ())


@pytest.mark.parametrize(("pinned", "weight"), [(5.0, 0.25), (6.0, None)])
def test_pinned_requests_make_the_share_no_evidence(pinned, weight):
    """They went to a track whatever its weight."""
    before = read(0, primary={"200": 1.0}, pinned=5.0)
    now = read(10, primary={"200": 9.0}, pinned=pinned)
    assert window(before.counters, now, 0.25).weight == weight


def test_the_queries_ask_for_what_is_exported():
    """Both tracks, by the names of `telemetry`."""
    asked = {
        name
        for query in (
            counters.requests_query("parivision-shots"),
            counters.buckets_query("parivision-shots"),
        )
        for name in promql.metrics(query)
    }
    assert asked == {telemetry.REQUESTS, f"{telemetry.REQUEST_SECONDS}_bucket"}
    assert 'track=~"primary|canary"' in counters.requests_query("x")
    query = counters.pinned_query("ns", "shots-pinned")
    assert 'envoy_cluster_name=~"httproute/ns/shots-pinned/.*"' in query
