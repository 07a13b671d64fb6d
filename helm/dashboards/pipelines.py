"""Ingestion, training and monitoring as they ended."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import ALARM, bars, dashboard, lines, number, rows


def build() -> Dashboard:
    """The dashboard `pipelines`."""
    panels = (
        number(
            "Last ingestion",
            "Since a source was last read to its end.",
            "time() - parivision_lake_last_ingest_timestamp_seconds",
            unit="s",
            steps=((None, "green"), (10800, "red")),
            width=6,
        ),
        number(
            "Failed runs",
            "Among the latest runs of all pipelines.",
            'sum(parivision_pipeline_runs{state="FAILED"}) or vector(0)',
            steps=ALARM,
            width=6,
        ),
        number(
            "Records in the lake",
            "Rows of bronze.",
            'parivision_lake_shots{layer="bronze"}',
            width=6,
        ),
        number(
            "Last promotion",
            "Since there was a new champion.",
            "time() - parivision_champion_promoted_timestamp_seconds",
            unit="s",
            steps=((None, "green"), (2592000, "red")),
            width=6,
        ),
        rows(
            "Last runs",
            "How long ago the newest run of each pipeline ended so.",
            "time() - parivision_pipeline_last_run_timestamp_seconds",
            value="ago",
            without=(
                "Time",
                "instance",
                "job",
                "namespace",
                "pod",
                "service",
                "container",
                "endpoint",
                "__name__",
            ),
            unit="s",
        ),
        bars(
            "Latest runs by state",
            "Runs recorded in MLflow and runs of Kubeflow.",
            "parivision_pipeline_runs",
            "{{pipeline}} {{state}}",
        ),
        lines("Rows of the lake", "By layer.", {"{{layer}}": "parivision_lake_shots"}),
        lines(
            "Records given by the stats API",
            "A second, by endpoint.",
            {"{{endpoint}}": "sum by (endpoint) (rate(parivision_stats_records_given_total[5m]))"},
        ),
        lines(
            "Place in the archive",
            "How far /getdata is, and how long the archive is.",
            {
                "given": "parivision_stats_position",
                "in the archive": "parivision_stats_archive_records",
            },
        ),
        lines(
            "Sources of the exporter",
            "1 while they answer.",
            {"{{source}}": "parivision_exporter_source_up"},
            min=0,
            max=1,
        ),
    )
    return dashboard(
        "pipelines",
        "pipelines",
        "Ingestion, training and monitoring as they ended.",
        panels,
        since="now-7d",
        refresh="1m",
    )
