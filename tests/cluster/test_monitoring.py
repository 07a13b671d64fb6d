"""Monitoring on the cluster: what is scraped, what is known of it, and that an alert is heard."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from cluster import helm_release, standin_pods
from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for
from cluster.prometheus import ask, query, rules
from cluster.tasks import RunTask

Object = dict[str, Any]

RULES = 20
# A scrape, a rule and the exporter's look at its sources are half a minute apart each.
SEEN_S = 180
ALERT = 'ALERTS{alertname="ParivisionPipelineFailed", alertstate="firing"}'
SLACK = "slack-test"
SLACK_SERVER = """
import http.server, json
messages = []
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(b"ok")
    def do_GET(self):
        self.answer(json.dumps(messages).encode())
http.server.ThreadingHTTPServer(("", 443), Handler).serve_forever()
"""


def targets(cluster: LiveCluster) -> dict[str, list[Object]]:
    """Prometheus' targets by job."""
    by_job: dict[str, list[Object]] = {}
    for target in ask(cluster, "targets?state=active")["activeTargets"]:
        by_job.setdefault(target["labels"]["job"], []).append(target)
    return by_job


@pytest.fixture(scope="module")
def slack(cluster: LiveCluster) -> Iterator[Callable[[], list[Object]]]:
    """A receiver in Slack's place; gives the messages it was sent. The Secret is put back."""
    before = cluster.core.read_namespaced_secret("parivision-slack", NAMESPACE).data["url"]
    exporter = cluster.pods("exporter")[0].spec.containers[0].image
    cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(_slack(exporter)))
    address = f"http://{SLACK}.{NAMESPACE}.svc:443/hook"
    _tell_slack(cluster, {"stringData": {"url": address}})

    def messages() -> list[Object]:
        place = f"/api/v1/namespaces/{NAMESPACE}/pods/{SLACK}:443/proxy/"
        posted: list[Object] = json.loads(cluster.kubectl("get", "--raw", place))
        return [message["attachments"][0] for message in posted]

    wait_for("the receiver", lambda: bool(cluster.ready_pods(SLACK)), timeout_s=60)
    yield messages
    _tell_slack(cluster, {"data": {"url": before}})
    for kind in ("pod", "service", "networkpolicy"):
        cluster.kubectl("delete", kind, SLACK, "-n", NAMESPACE, "--ignore-not-found")


def _tell_slack(cluster: LiveCluster, body: Object) -> None:
    """Change the Secret, and let the chart see whether it leads somewhere now."""
    cluster.core.patch_namespaced_secret("parivision-slack", NAMESPACE, body)
    again = ("upgrade", RELEASE, str(helm_release.CHART), "--reuse-values", "--wait")
    helm_release.helm(cluster, *again)


def _slack(image: str) -> list[Object]:
    """The receiver's pod, the name it is found by, and who may send to it."""
    resources = {
        "requests": {"cpu": "10m", "memory": "32Mi"},
        "limits": {"cpu": "500m", "memory": "128Mi"},
    }
    server = standin_pods.container("slack", image, ["python", "-u", "-c", SLACK_SERVER], resources)
    server["readinessProbe"] = {"httpGet": {"path": "/", "port": 443}, "periodSeconds": 2}
    # Slack's own port, which Alertmanager's policy lets messages leave by.
    low_ports = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    pod = standin_pods.pod(SLACK, server, sysctls=low_ports)
    return [pod, *standin_pods.reachable(SLACK, 443)]


def test_every_target_is_up(cluster: LiveCluster, champion: Object) -> None:
    """Given the whole system, every part that has metrics is scraped, and so is what is around."""
    wanted = {f"{RELEASE}-{name}" for name in ("shots", "stats-api", "exporter", "mlflow")}
    wanted |= {f"{RELEASE}-{name}" for name in ("registry-metrics", "prometheus", "alertmanager")}
    wanted |= {"envoy", "flagger", "kubelet"}

    def all_up() -> bool:
        found = targets(cluster)
        assert not (missing := wanted - found.keys()), f"nothing is scraped of {missing}"
        down = [
            f"{one['scrapeUrl']}: {one['lastError']}"
            for several in found.values()
            for one in several
            if one["health"] != "up"
        ]
        assert not down, down
        return True

    assert champion
    wait_for("every target up", all_up, timeout_s=SEEN_S)


def test_no_rule_fails(cluster: LiveCluster) -> None:
    """The rules of the chart are loaded, and Prometheus can compute them."""

    def computed() -> bool:
        loaded = rules(cluster)
        assert len(loaded) >= RULES
        failing = {rule["name"]: rule["lastError"] for rule in loaded if rule["health"] != "ok"}
        assert not failing, failing
        return True

    wait_for("every rule computed", computed, timeout_s=SEEN_S)


def test_an_alert_reaches_slack_and_is_taken_back(
    cluster: LiveCluster, slack: Callable[[], list[Object]], run_task: RunTask
) -> None:
    """Given a pipeline that failed, Slack is told which; a success takes it back."""
    wait_for("no older alert", lambda: not query(cluster, ALERT), timeout_s=SEEN_S)
    title = "1 firing: ParivisionPipelineFailed"
    assert not run_task("bad-etl", "parivision run etl --source nonsense:")
    fired = wait_for("the message", lambda: _titled(slack(), title), timeout_s=2 * SEEN_S)
    assert "The pipeline etl failed" in fired["text"]
    assert "Its newest run failed" in fired["text"]
    assert fired["title_link"].endswith("#parivisionpipelinefailed")
    assert fired["color"] == "warning"
    assert run_task(
        "good-etl", f"parivision run etl --source '{helm_release.first_source(cluster)}'"
    )
    title = "resolved: ParivisionPipelineFailed"
    over = wait_for("its end", lambda: _titled(slack(), title), timeout_s=2 * SEEN_S)
    assert over["text"].strip() == "over: The pipeline etl failed"
    assert over["color"] == "good"


def _titled(messages: list[Object], title: str) -> Object | None:
    return next((one for one in messages if one["title"] == title), None)


def test_a_store_that_is_gone_is_told_and_its_numbers_with_it(cluster: LiveCluster) -> None:
    """Given no MLflow, nothing old is said of the champion; with it, everything comes back."""
    name = f"{RELEASE}-mlflow"
    up = 'parivision_exporter_source_up{source="mlflow"}'
    _scale(cluster, name, 0)
    try:
        wait_for("source down", lambda: query(cluster, f"{up} == 0"), timeout_s=SEEN_S)
        assert not query(cluster, "parivision_champion_info")
        assert query(cluster, "parivision_lake_shots")
    finally:
        _scale(cluster, name, 1)
    cluster.wait_rolled_out(name)
    wait_for("source up", lambda: query(cluster, f"{up} == 1"), timeout_s=SEEN_S)
    wait_for("champion", lambda: query(cluster, "parivision_champion_info"), timeout_s=SEEN_S)


def _scale(cluster: LiveCluster, name: str, replicas: int) -> None:
    cluster.apps.patch_namespaced_deployment_scale(
        name, NAMESPACE, {"spec": {"replicas": replicas}}
    )
