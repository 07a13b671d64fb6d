"""Given the running system, when its node is restarted, then all of it comes back as it was."""

import subprocess
from typing import Any

import httpx
import pytest

from cluster.live_cluster import NAMESPACE, LiveCluster, is_ready, wait_for

BACK_S = 420


@pytest.fixture
def node(cluster: LiveCluster) -> str:
    """The cluster's one node, if it is a container of this machine."""
    nodes = [node.metadata.name for node in cluster.core.list_node().items]
    known = subprocess.run(["docker", "inspect", nodes[0]], capture_output=True, check=False)
    if len(nodes) > 1 or known.returncode:
        pytest.skip("the cluster's node is no container of this machine")
    return str(nodes[0])


def test_the_node_is_restarted_and_all_comes_back(
    cluster: LiveCluster,
    node: str,
    champion: dict[str, object],
    gateway_url: str,
    http: httpx.Client,
) -> None:
    """Every server is ready again, and the same champion answers through the gateway."""
    started = _started(cluster)
    subprocess.run(["docker", "restart", node], check=True, capture_output=True, timeout=180)

    def back() -> bool:
        try:
            assert _started(cluster).isdisjoint(started), "what ran before the restart is listed"
            assert not (waiting := _not_ready(cluster)), f"not ready: {waiting}"
            answer = http.get(f"{gateway_url}/champion").raise_for_status()
            return bool(answer.json() == champion)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}"[:300]) from error

    wait_for("everything ready again", back, timeout_s=BACK_S, poll_s=2)


def _running(cluster: LiveCluster) -> list[Any]:
    pods = cluster.core.list_namespaced_pod(NAMESPACE).items
    return [pod for pod in pods if pod.status.phase not in {"Succeeded", "Failed"}]


def _started(cluster: LiveCluster) -> set[str]:
    """The containers that run, by the runtime's name: a restart gives each a new one."""
    return {
        status.container_id
        for pod in _running(cluster)
        for status in pod.status.container_statuses or ()
        if status.state.running
    }


def _not_ready(cluster: LiveCluster) -> list[str]:
    return [pod.metadata.name for pod in _running(cluster) if not is_ready(pod)]
