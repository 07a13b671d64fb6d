"""Containers, volumes, and the monitoring itself. Counted by kubelets: no kube-state-metrics."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import ALARM, bars, dashboard, lines, number, rows


def build() -> Dashboard:
    """The dashboard `cluster`."""
    panels = (
        number(
            "Targets down",
            "What Prometheus cannot reach.",
            "count(up == 0) or vector(0)",
            steps=ALARM,
        ),
        number(
            "Processor",
            "Cores that all containers use.",
            "sum(rate(container_cpu_usage_seconds_total[5m]))",
            decimals=2,
        ),
        number(
            "Memory",
            "Working set of all containers.",
            "sum(container_memory_working_set_bytes)",
            unit="bytes",
        ),
        number(
            "Fullest volume",
            "Share that is left of it.",
            "min(parivision:volume_free:ratio)",
            unit="percentunit",
            steps=((None, "red"), (0.1, "green")),
            decimals=1,
        ),
        number(
            "Starts in an hour",
            "Containers that were seen to start.",
            "count(time() - container_start_time_seconds < 3600) or vector(0)",
        ),
        number("Series", "In the head of Prometheus.", "prometheus_tsdb_head_series"),
        lines(
            "Processor by pod",
            "Cores in use.",
            {
                "{{namespace}}/{{pod}}": "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[5m]))"
            },
            height=10,
        ),
        lines(
            "Memory by pod",
            "Working set.",
            {
                "{{namespace}}/{{pod}}": "sum by (namespace, pod) (container_memory_working_set_bytes)"
            },
            unit="bytes",
            height=10,
        ),
        lines(
            "Memory against the limit",
            "Containers that have one; at 1 they are killed.",
            {
                "{{pod}} {{container}}": "container_memory_working_set_bytes / (container_spec_memory_limit_bytes > 0)"
            },
            unit="percentunit",
            steps=((None, "green"), (0.9, "red")),
            shown_threshold=True,
        ),
        lines(
            "Throttled",
            "Share of the periods in which a container had to wait for its processor limit.",
            {
                "{{pod}} {{container}}": "sum by (pod, container) (rate(container_cpu_cfs_throttled_periods_total[5m])) / sum by (pod, container) (rate(container_cpu_cfs_periods_total[5m]))"
            },
            unit="percentunit",
        ),
        bars(
            "Free space by volume",
            "Share that is left.",
            "parivision:volume_free:ratio",
            "{{persistentvolumeclaim}}",
            unit="percentunit",
            steps=((None, "red"), (0.1, "orange"), (0.2, "green")),
            min=0,
            max=1,
        ),
        rows(
            "Targets",
            "What Prometheus scrapes.",
            "up",
            value="up",
            without=(
                "Time",
                "__name__",
                "container",
                "endpoint",
                "service",
                "metrics_path",
                "node",
            ),
            names={"0": ("down", "red"), "1": ("up", "green")},
        ),
        lines(
            "Requests to MLflow",
            "A second, by status.",
            {"{{status}}": "sum by (status) (rate(mlflow_http_request_total[5m]))"},
            unit="reqps",
            width=8,
        ),
        lines(
            "Requests to the image registry",
            "A second, by status.",
            {"{{code}}": "sum by (code) (rate(registry_http_requests_total[5m]))"},
            unit="reqps",
            width=8,
        ),
        lines(
            "Messages of Alertmanager",
            "In an hour, and those that failed.",
            {
                "{{integration}}": "sum by (integration) (increase(alertmanager_notifications_total[1h]) > 0)",
                "{{integration}} failed": "sum by (integration) (increase(alertmanager_notifications_failed_total[1h]) > 0)",
            },
            width=8,
        ),
    )
    return dashboard(
        "cluster",
        "cluster",
        "Containers, volumes, and the monitoring itself. Counted by kubelets: no kube-state-metrics.",
        panels,
    )
