"""The prediction service and the gateway in front of it."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import ALARM, dashboard, lines, number


def build() -> Dashboard:
    """The dashboard `service`."""
    panels = (
        number(
            "Pods that answer",
            "Pods of the prediction service that Prometheus reaches.",
            'sum(up{job=~".+-shots"}) or vector(0)',
            steps=((None, "red"), (1, "green")),
        ),
        number(
            "Requests",
            "Requests for predictions a second.",
            'sum(parivision:requests:rate5m{route="/predict"})',
            unit="reqps",
            decimals=1,
        ),
        number(
            "Errors",
            "Share of 5xx among the answers of /predict.",
            "parivision:errors:ratio5m",
            unit="percentunit",
            steps=((None, "green"), (0.01, "red")),
            decimals=2,
        ),
        number(
            "p99",
            "Time that one answer of /predict in a hundred exceeds.",
            "parivision:latency_seconds:p99_5m",
            unit="s",
            steps=((None, "green"), (0.1, "red")),
        ),
        number(
            "Model",
            "Versions that answer; two of them during a rollout or a canary.",
            {
                "{{model_version}} ({{family}})": "count by (model_version, family) (parivision_model_info)"
            },
            text=BigValueTextMode.NAME,
        ),
        number(
            "Alerts",
            "Alerts of PariVision that fire.",
            'count(ALERTS{alertname=~"Parivision.+", alertstate="firing"}) or vector(0)',
            steps=ALARM,
        ),
        lines(
            "Requests by status",
            "Answers of /predict, a second.",
            {"{{status}}": 'sum by (status) (parivision:requests:rate5m{route="/predict"})'},
            unit="reqps",
        ),
        lines(
            "Time to answer",
            "Of /predict, as the service measures it.",
            {
                "p50": "parivision:latency_seconds:p50_5m",
                "p99": "parivision:latency_seconds:p99_5m",
            },
            unit="s",
            steps=((None, "green"), (0.1, "red")),
            shown_threshold=True,
        ),
        lines(
            "Predicted shots by model version",
            "Shots a second; a request may hold many.",
            {"version {{model_version}}": "sum by (model_version) (parivision:predictions:rate5m)"},
        ),
        lines(
            "Predicted shots by zone",
            "Where on the court the shots asked for lie.",
            {"{{zone}}": "sum by (zone) (parivision:predictions:rate5m)"},
        ),
        lines(
            "Gateway: answers by class",
            "Requests a second at the gateway, by the class of their status.",
            {
                "{{envoy_response_code_class}}xx": 'sum by (envoy_response_code_class) (rate(envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix=~"https?-.+"}[5m]))'
            },
            unit="reqps",
        ),
        lines(
            "Gateway: errors and retries",
            "Share of 5xx that clients see, and requests a second that were tried again.",
            {
                "share of 5xx": "parivision:gateway_errors:ratio5m",
                "retries a second": 'sum(rate(envoy_cluster_upstream_rq_retry{envoy_cluster_name=~"httproute/.+"}[5m]))',
            },
        ),
        lines(
            "Memory of the pods",
            "Resident memory of the service's processes.",
            {"{{pod}}": 'process_resident_memory_bytes{job=~".+-shots"}'},
            unit="bytes",
        ),
        lines(
            "Processor time of the pods",
            "Cores in use.",
            {"{{pod}}": 'rate(process_cpu_seconds_total{job=~".+-shots"}[5m])'},
        ),
    )
    return dashboard(
        "service", "service", "The prediction service and the gateway in front of it.", panels
    )
