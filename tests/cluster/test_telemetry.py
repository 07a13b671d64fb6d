"""After all that the other tests did: what is known of it."""

import json
from typing import Any

import httpx

import promql
from cluster import helm_release
from cluster.live_cluster import NAMESPACE, LiveCluster, wait_for
from cluster.prometheus import query, rules
from cluster.tasks import RunTask

SHOT = {"player_id": 201939, "period": 4, "clock_s": 24, "x_ft": -22.5, "y_ft": 3}
# Kubelets count volumes that are no folders of the node.
OF_VOLUMES = {
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "parivision:volume_free:ratio",
    "parivision:database_volume_bytes",
}
# What one of the two databases says, and the other does not.
OF_ENGINE = {
    "mongodb": {
        *promql.OF_DATABASE["mongodb"],
        "parivision:database_latency_seconds:mean5m",
    },
    "ferretdb": promql.OF_DATABASE["ferretdb"],
}
# Some tell of a rollout only while it is the newest.
WITHIN = "1h"
MANY = 20


def dashboards(cluster: LiveCluster) -> list[dict[str, Any]]:
    """The dashboards that Grafana would find."""
    found = cluster.core.list_namespaced_config_map(NAMESPACE, label_selector="grafana_dashboard=1")
    return [json.loads(text) for one in found.items for text in one.data.values()]


def test_what_rules_and_dashboards_ask_for_is_there(
    cluster: LiveCluster, gateway_url: str, http: httpx.Client, run_task: RunTask
) -> None:
    """Given a training, rollouts, predictions, an ingestion and an alert, each has a sample."""
    assert run_task("etl", f"parivision run etl --source '{helm_release.first_source(cluster)}'")
    volumes = cluster.core.list_persistent_volume().items
    are_counted = any(volume.spec.host_path is None for volume in volumes)
    queries = [text for rule in rules(cluster) for text in promql.of_rule(rule)]
    queries += [text for one in dashboards(cluster) for text in promql.of_dashboard(one)]
    names = {name for text in queries for name in promql.metrics(text)}
    names -= set() if are_counted else OF_VOLUMES
    database = cluster.apps.read_namespaced_stateful_set("parivision-mongodb", NAMESPACE)
    engine = database.spec.template.spec.containers[0].name
    names -= {name for other, of_it in OF_ENGINE.items() if other != engine for name in of_it}
    assert len(names) > MANY

    def all_there() -> bool:
        # Traffic goes on: rates need two scrapes that differ.
        for _ in range(20):
            http.post(f"{gateway_url}/predict", json=SHOT).raise_for_status()
        sampled = "count(last_over_time({}[{}]))"
        missing = {name for name in names if not query(cluster, sampled.format(name, WITHIN))}
        assert not missing, sorted(missing)
        return True

    wait_for("a sample of each metric", all_there, timeout_s=180, poll_s=5)
