"""Current shots against those that the champion learnt from."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import ALARM, YES_OR_NO, bars, dashboard, lines, number


def build() -> Dashboard:
    """The dashboard `drift`."""
    panels = (
        number(
            "Drift",
            "Whether the newest report found data or outcomes moved.",
            "parivision_drift_detected",
            names=YES_OR_NO,
            width=6,
        ),
        number(
            "Age of the report",
            "Since the newest drift report was made.",
            "time() - parivision_drift_timestamp_seconds",
            unit="s",
            steps=((None, "green"), (172800, "red")),
            width=6,
        ),
        number(
            "Columns that moved",
            "Columns beyond their threshold.",
            "count(parivision_drift_severity > 1) or vector(0)",
            steps=ALARM,
            width=6,
        ),
        number(
            "Refused records",
            "Share of the records in the lake that could not become a shot.",
            'parivision_lake_shots{layer="quarantine"} / ignoring (layer) parivision_lake_shots{layer="bronze"}',
            unit="percentunit",
            steps=((None, "green"), (0.05, "red")),
            decimals=3,
            width=6,
        ),
        bars(
            "Severity by column",
            "Largest effect in thresholds; above 1 the column drifted.",
            "sort_desc(parivision_drift_severity)",
            "{{column}}",
            steps=((None, "green"), (0.8, "orange"), (1, "red")),
            decimals=2,
            height=12,
        ),
        lines(
            "Severity over time",
            "A broken unit is near 5.",
            {"{{column}}": "parivision_drift_severity"},
            steps=ALARM,
            height=12,
            shown_threshold=True,
        ),
        lines(
            "Log loss of the report",
            "What the labels say: live and as promised.",
            {"live": "parivision_live_log_loss", "promised": "parivision_promised_log_loss"},
        ),
        lines("Rows of the lake", "By layer.", {"{{layer}}": "parivision_lake_shots"}),
    )
    return dashboard(
        "drift",
        "data drift",
        "Current shots against those that the champion learnt from.",
        panels,
        since="now-30d",
        refresh="5m",
    )
