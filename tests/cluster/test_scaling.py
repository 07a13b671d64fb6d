"""Given the autoscaler, when predictions are asked for in masses, then pods come, and go after."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, wait_for
from parivision.simulation.traffic import SHOT

CLIENTS = 4
SHOTS = 500
# The autoscaler looks every 15 s at means of 15 s; a pod takes seconds.
OUT_S = 240
# What it waits before it takes a pod away is a value of the chart's.
IN_S = 180


@contextmanager
def pressure(url: str) -> Iterator[None]:
    """Clients that ask for many shots at a time, each the next when it has its answer."""
    stopped = threading.Event()
    body = json.dumps({"shots": [SHOT] * SHOTS}).encode()

    async def client() -> None:
        headers = {"content-type": "application/json"}
        async with httpx.AsyncClient(timeout=30, trust_env=False, headers=headers) as session:
            while not stopped.is_set():
                await session.post(f"{url}/predict", content=body)

    async def clients() -> None:
        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    thread = threading.Thread(target=asyncio.run, args=[clients()], daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_pods_come_under_load_and_go_after(
    cluster: LiveCluster, champion: dict[str, object], gateway_url: str
) -> None:
    """More than the least number are ready while it lasts, and the least number after it."""
    assert champion
    scaler = cluster.autoscaling.read_namespaced_horizontal_pod_autoscaler(
        f"{RELEASE}-{SERVING}", NAMESPACE
    )
    least = scaler.spec.min_replicas
    wait_for("quiet", lambda: len(cluster.ready_pods(SERVING)) == least, timeout_s=IN_S)
    with pressure(gateway_url):
        wait_for("more pods", lambda: len(cluster.ready_pods(SERVING)) > least, timeout_s=OUT_S)
    wait_for("fewer pods", lambda: len(cluster.pods(SERVING)) == least, timeout_s=IN_S)
