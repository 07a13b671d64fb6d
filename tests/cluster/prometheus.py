"""What the cluster's Prometheus knows."""

import json
from typing import Any
from urllib.parse import quote

from cluster.live_cluster import NAMESPACE, LiveCluster

Object = dict[str, Any]


def ask(cluster: LiveCluster, path: str) -> Any:
    """What Prometheus answers."""
    place = f"/api/v1/namespaces/{NAMESPACE}/services/prometheus-operated:9090/proxy/api/v1/{path}"
    return json.loads(cluster.kubectl("get", "--raw", place))["data"]


def query(cluster: LiveCluster, expression: str) -> list[Object]:
    """The samples of a query."""
    found: list[Object] = ask(cluster, f"query?query={quote(expression)}")["result"]
    return found


def rules(cluster: LiveCluster) -> list[Object]:
    """The rules that Prometheus has."""
    return [rule for group in ask(cluster, "rules")["groups"] for rule in group["rules"]]
