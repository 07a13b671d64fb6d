"""The database of lake and prediction log, by the names that both engines are recorded under."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import ALARM, bars, dashboard, lines, number


def build() -> Dashboard:
    """The dashboard `database`."""
    panels = (
        number(
            "Servers that answer",
            "Databases that Prometheus reaches.",
            'sum(up{job=~".+-mongodb"}) or vector(0)',
            steps=((None, "red"), (1, "green")),
        ),
        number(
            "Operations",
            "Commands a second, of all kinds.",
            "sum(parivision:database_operations:rate5m)",
            unit="ops",
            decimals=1,
        ),
        number(
            "Errors",
            "Share of the answers that were errors; FerretDB counts them, MongoDB does not.",
            "parivision:database_errors:ratio5m",
            unit="percentunit",
            steps=((None, "green"), (0.05, "red")),
            decimals=2,
        ),
        number(
            "Waiting",
            "Share of the time that operations wait for one of FerretDB's connections to its files.",
            "sum(rate(ferretdb_sqldb_wait_duration_seconds_total[5m])) or vector(0)",
            unit="percentunit",
            steps=((None, "green"), (0.5, "red")),
            decimals=2,
        ),
        number("Connections", "Clients that are connected.", "parivision:database_connections"),
        number(
            "Alerts",
            "Alerts on the database that fire.",
            'count(ALERTS{alertname=~"ParivisionDatabase.+", alertstate="firing"}) or vector(0)',
            steps=ALARM,
        ),
        lines(
            "Operations by kind",
            "Commands a second.",
            {"{{operation}}": "parivision:database_operations:rate5m"},
            unit="ops",
        ),
        lines(
            "Time of an operation",
            "Mean over five minutes: MongoDB's by kind; FerretDB's of a cursor, while it is open.",
            {
                "{{op_type}}": "parivision:database_latency_seconds:mean5m",
                "cursors": "sum(rate(ferretdb_cursors_duration_seconds_sum[5m])) / sum(rate(ferretdb_cursors_duration_seconds_count[5m]))",
            },
            unit="s",
        ),
        lines(
            "Connections over time",
            "Clients that are connected.",
            {"connections": "parivision:database_connections"},
        ),
        lines(
            "Size",
            "Bytes in use on the database's volume.",
            {"{{persistentvolumeclaim}}": "parivision:database_volume_bytes"},
            unit="bytes",
        ),
        bars(
            "Free space",
            "Share of the volume that is left.",
            'parivision:volume_free:ratio{persistentvolumeclaim=~".+-mongodb-.+"}',
            "{{persistentvolumeclaim}}",
            unit="percentunit",
            steps=((None, "red"), (0.1, "orange"), (0.2, "green")),
            min=0,
            max=1,
        ),
        lines(
            "Memory and processor",
            "Of the server's process: bytes resident, and cores in use.",
            {
                "memory": 'process_resident_memory_bytes{job=~".+-mongodb"}',
                "cores": 'rate(process_cpu_seconds_total{job=~".+-mongodb"}[5m])',
            },
        ),
    )
    return dashboard(
        "database",
        "database",
        "The lake's and the prediction log's database: operations, time, size, connections.",
        panels,
    )
