"""Rules and dashboards: what they ask for exists, and every alert comes and goes when it should."""

import re
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from dashboards import write

import promql
from parivision import telemetry
from pipeline import charts, promtool

pytestmark = pytest.mark.skipif(
    charts.helm() is None or promtool.promtool() is None,
    reason="no helm or no promtool: run `make helm`",
)

Object = dict[str, Any]

ALERTS = (
    "ParivisionServiceDown",
    "ParivisionErrors",
    "ParivisionGatewayErrors",
    "ParivisionSlow",
    "ParivisionNoPredictions",
    "ParivisionDrift",
    "ParivisionQualityFell",
    "ParivisionEstimateFell",
    "ParivisionOutcomesUnexpected",
    "ParivisionPipelineFailed",
    "ParivisionRetrainingStuck",
    "ParivisionCanaryRolledBack",
    "ParivisionVerdictBlind",
    "ParivisionIngestionStale",
    "ParivisionChampionOld",
    "ParivisionTargetDown",
    "ParivisionSourceDown",
    "ParivisionVolumeAlmostFull",
    "ParivisionDatabaseDown",
    "ParivisionDatabaseErrors",
    "ParivisionDatabaseSlow",
    "ParivisionRestarts",
    "ParivisionRulesFail",
    "ParivisionMessagesFail",
)
HISTOGRAMS = (telemetry.REQUEST_SECONDS, telemetry.P_MADE)
OURS = {
    value
    for name, value in vars(telemetry).items()
    if name.isupper() and str(value).startswith("parivision_")
}
# Who exports them is not we: Prometheus itself, client libraries, and the programs around us.
FROM_EVERY_TARGET = {"up", "ALERTS", "process_resident_memory_bytes", "process_cpu_seconds_total"}
OF_OTHERS = {
    "envoy_http_downstream_rq_xx",
    "envoy_cluster_upstream_rq_retry",
    "flagger_canary_status",
    "flagger_canary_weight",
    "flagger_canary_metric_analysis",
    "kubelet_volume_stats_available_bytes",
    "kubelet_volume_stats_capacity_bytes",
    "container_cpu_usage_seconds_total",
    "container_memory_working_set_bytes",
    "container_spec_memory_limit_bytes",
    "container_cpu_cfs_periods_total",
    "container_cpu_cfs_throttled_periods_total",
    "container_start_time_seconds",
    "prometheus_tsdb_head_series",
    "prometheus_rule_evaluation_failures_total",
    "alertmanager_notifications_total",
    "alertmanager_notifications_failed_total",
    "mlflow_http_request_total",
    "registry_http_requests_total",
    *promql.OF_DATABASE["mongodb"],
    *promql.OF_DATABASE["ferretdb"],
}
RUNBOOKS = charts.CHART / "charts" / "monitoring" / "README.md"


def exported() -> set[str]:
    """Every name of a series that somebody exports or a rule records."""
    series = {f"{name}_{part}" for name in HISTOGRAMS for part in ("bucket", "sum", "count")}
    return (
        (OURS - set(HISTOGRAMS))
        | series
        | FROM_EVERY_TARGET
        | OF_OTHERS
        | promtool.rules("record").keys()
    )


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("up == 0", "up"),
        (
            'sum by (le) (rate(a_bucket{x=~"b{2}|c(d)"}[5m])) / on (job) group_left () e',
            "a_bucket e",
        ),
        ('absent(up{job="x"} == 1) and on () (count(a) or count(max_over_time(b[1d])))', "up a b"),
        ("topk(3, a:b) > 1.5e3 unless ignoring (pod) time() - c_s offset 5m", "a:b c_s"),
    ],
)
def test_metrics_are_found_in_a_query(query: str, names: str) -> None:
    """Labels, texts, functions, operators and numbers are none."""
    assert promql.metrics(query) == set(names.split())


def test_every_metric_that_is_asked_for_is_exported() -> None:
    """An alert on a metric that nobody emits would never fire, and nobody would know."""
    known = exported()
    unknown = {
        place: missing
        for place, query in promtool.every_query()
        if (missing := promql.metrics(query) - known)
    }
    assert unknown == {}


def test_no_name_is_kept_for_nothing() -> None:
    """What is listed as others' is asked for somewhere, and every rule that records is used."""
    asked = {name for _, query in promtool.every_query() for name in promql.metrics(query)}
    assert (OF_OTHERS | FROM_EVERY_TARGET | promtool.rules("record").keys()) <= asked


def test_what_is_asked_for_passes_the_monitors() -> None:
    """A monitor that keeps some metrics only keeps those that rules and dashboards need."""
    kept = [
        relabeling["regex"]
        for one in promtool.rendered()
        if one["kind"] in {"ServiceMonitor", "PodMonitor"}
        for endpoint in one["spec"].get("endpoints") or one["spec"]["podMetricsEndpoints"]
        for relabeling in endpoint.get("metricRelabelings", [])
        if relabeling.get("action") == "keep" and relabeling["sourceLabels"] == ["__name__"]
    ]
    dropped = {name for name in OF_OTHERS if not any(re.fullmatch(one, name) for one in kept)}
    assert dropped == set()


def test_every_query_is_promql(tmp_path: Path) -> None:
    """Prometheus can read each of them."""
    checked = [
        {"record": f"check:{number}", "expr": query}
        for number, (_, query) in enumerate(promtool.every_query())
    ]
    promtool.write_rules(tmp_path, [{"name": "queries", "rules": checked}])
    done = promtool.run("check", "rules", "rules.yaml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", sorted(path.name for path in promtool.TESTS.glob("*.yaml")))
def test_rules_do_what_their_tests_say(name: str, tmp_path: Path) -> None:
    """They are computed on made-up series, by promtool."""
    promtool.write_rules(tmp_path)
    shutil.copy(promtool.TESTS / name, tmp_path)
    done = promtool.run("test", "rules", name, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_alerts_are_these() -> None:
    """None is lost, and none comes without being written down here."""
    assert tuple(sorted(promtool.rules("alert"))) == tuple(sorted(ALERTS))


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_seen_to_wait_to_fire_and_to_end(alert: str) -> None:
    """In one made-up course of events: silent at first, then firing, silent in the end."""
    courses = [
        "".join(
            "fires " if look.get("exp_alerts") else "silent "
            for look in test["alert_rule_test"]
            if look["alertname"] == alert
        )
        for path in promtool.TESTS.glob("*.yaml")
        for test in yaml.safe_load(path.read_text())["tests"]
    ]
    assert any("silent fires silent" in course for course in courses)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_says_what_it_is_and_what_to_do(alert: str) -> None:
    """Severity, summary, a description with the number it fired at, and a runbook."""
    rule = promtool.rules("alert")[alert]
    notes = rule["annotations"]
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert notes.keys() == {"summary", "description", "runbook_url"}
    assert len(notes["description"]) > len(notes["summary"]) > 0
    assert re.search(r"\{\{.*\}\}|\d", notes["description"])
    page, _, section = notes["runbook_url"].partition("#")
    assert page == str(RUNBOOKS.relative_to(charts.CHART.parents[1]))
    headings = {line.removeprefix("## ").lower() for line in RUNBOOKS.read_text().splitlines()}
    assert section == alert.lower()
    assert section in headings


def test_thresholds_and_places_are_those_of_the_values() -> None:
    """What a user sets is in the rule and in what it says."""
    values = '{"thresholds": {"errorRatio": 0.25}, "runbooks": "https://wiki/run"}'
    done = charts.template("--set-json", f"monitoring.rules={values}")
    rules = {
        rule["alert"]: rule
        for one in charts.objects(done.stdout)
        if one["kind"] == "PrometheusRule"
        for group in one["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    errors = rules["ParivisionErrors"]
    assert errors["expr"] == "parivision:errors:ratio5m > 0.25"
    assert "{{ 0.25 | humanizePercentage }}" in errors["annotations"]["description"]
    assert errors["annotations"]["runbook_url"] == "https://wiki/run#parivisionerrors"


@pytest.mark.parametrize("name", promtool.dashboards())
def test_a_dashboard_is_one_that_grafana_reads(name: str) -> None:
    """Documented panels, each with a description, a place, and a source that can be chosen."""
    dashboard = promtool.dashboards()[name]
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert dashboard["uid"] == f"parivision-{name.removesuffix('.json')}"
    assert dashboard["title"].startswith("PariVision: ")
    assert [one["type"] for one in dashboard["templating"]["list"]] == ["datasource"]
    assert dashboard["templating"]["list"][0]["query"] == "prometheus"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) >= 8
    for panel in panels:
        assert panel["type"] in {"stat", "timeseries", "bargauge", "table"}, panel["title"]
        assert panel["title"], panel["id"]
        assert panel["description"], panel["title"]
        assert panel["datasource"] == source, panel["title"]
        assert all(target["datasource"] == source for target in panel["targets"]), panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        assert one["x"] + one["w"] <= 24
        assert _lie_apart(one, other), (one, other)


def _lie_apart(one: Object, other: Object) -> bool:
    return bool(
        one["x"] + one["w"] <= other["x"]
        or other["x"] + other["w"] <= one["x"]
        or one["y"] + one["h"] <= other["y"]
        or other["y"] + other["h"] <= one["y"]
    )


@pytest.mark.parametrize("name", promtool.dashboards())
def test_a_dashboard_is_what_its_code_makes(name: str) -> None:
    """`make dashboards` writes what is in the chart; nobody edits JSON by hand."""
    made = write.text(name.removesuffix(".json"))
    assert promtool.DASHBOARDS.joinpath(name).read_text() == made


def test_rollouts_promotions_and_retrainings_are_marked_on_every_dashboard() -> None:
    """At the time that the metric's value says: Prometheus' annotations take it in milliseconds."""
    for dashboard in promtool.dashboards().values():
        marks = {one["name"]: one for one in dashboard["annotations"]["list"]}
        assert marks.keys() == {"Rollouts", "Rolled back", "Promotions", "Retrainings"}
        for mark in marks.values():
            (metric,) = promql.metrics(mark["expr"])
            assert metric in OURS
            assert metric.endswith("_timestamp_seconds")
            assert (mark["enable"], mark["useValueForTime"]) == (True, "on")
            assert mark["expr"].endswith(" * 1000")


def test_grafana_s_sidecar_finds_every_dashboard() -> None:
    """Each is a ConfigMap with the label it looks for, and the file as it is."""
    found = {
        name: text
        for one in promtool.rendered()
        if one["kind"] == "ConfigMap" and one["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in one["data"].items()
    }
    assert {name: yaml.safe_load(text) for name, text in found.items()} == promtool.dashboards()


def test_every_monitor_belongs_to_this_prometheus() -> None:
    """Monitors and rules carry the labels that Prometheus selects by."""
    (prometheus,) = [one for one in promtool.rendered() if one["kind"] == "Prometheus"]
    for selector, kinds in (
        ("serviceMonitorSelector", {"ServiceMonitor"}),
        ("podMonitorSelector", {"PodMonitor"}),
        ("ruleSelector", {"PrometheusRule"}),
    ):
        wanted = prometheus["spec"][selector]["matchLabels"].items()
        several = [one for one in promtool.rendered() if one["kind"] in kinds]
        assert several
        assert all(wanted <= one["metadata"]["labels"].items() for one in several)


def test_monitors_lead_to_a_port_of_a_service() -> None:
    """What is scraped in this release is there: the service and the port by its name."""
    services = [one for one in promtool.rendered() if one["kind"] == "Service"]
    # FerretDB's port is not there with MongoDB; the operator makes the others' services.
    elsewhere = {"mongodb", "prometheus", "alertmanager", "kubelet"}
    for monitor in (one for one in promtool.rendered() if one["kind"] == "ServiceMonitor"):
        if monitor["metadata"]["labels"]["app.kubernetes.io/name"] in elsewhere:
            continue
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        ports = {
            port["name"]
            for service in services
            if wanted <= service["metadata"]["labels"].items()
            for port in service["spec"]["ports"]
        }
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= ports
