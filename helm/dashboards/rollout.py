"""The canary: its share, its evidence, and what the verdict makes of it."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import dashboard, lines, number


def build() -> Dashboard:
    """The dashboard `rollout`."""
    panels = (
        number(
            "Rollout",
            "The newest rollout: version, the champion it is held against, and where it stands.",
            {"{{version}} against {{former}}: {{stage}}": "parivision_rollout_info"},
            unit="none",
            width=8,
            text=BigValueTextMode.NAME,
        ),
        number(
            "Canary", "Its share of the traffic.", "parivision_rollout_weight", unit="percentunit"
        ),
        number(
            "Since",
            "How long it has been judged or watched.",
            "time() - parivision_rollout_started_timestamp_seconds",
            unit="s",
        ),
        number(
            "Labelled shots",
            "Shots whose end is known, scored by both models.",
            "parivision_rollout_labelled_shots",
        ),
        number(
            "Sources away",
            "Sources of evidence that the verdict misses; above 0 everything waits.",
            "parivision_verdict_sources_away",
        ),
        lines(
            "Difference of log loss",
            "Challenger less champion on the same labelled shots, with its bounds at any time. It passes when the upper bound is below the margin, and fails when the lower one is above 0.",
            {
                "difference": "parivision_rollout_log_loss_difference",
                "lower bound": "parivision_rollout_log_loss_difference_low",
                "upper bound": "parivision_rollout_log_loss_difference_high",
            },
            unit="none",
            height=9,
        ),
        lines(
            "Checks",
            "1 pass, 0 not yet, -1 fail.",
            {"{{check}}": "parivision_rollout_check"},
            unit="none",
            height=9,
        ),
        lines(
            "Share of the traffic",
            "What the canary gets, by the verdict service and by Flagger.",
            {
                "verdict": "parivision_rollout_weight",
                "Flagger: {{workload}}": "flagger_canary_weight / 100",
            },
            unit="percentunit",
            width=8,
        ),
        lines(
            "Requests",
            "Predictions asked for, by track.",
            {"{{track}}": 'sum by (track) (rate(parivision_requests_total{route="/predict"}[5m]))'},
            unit="reqps",
            width=8,
        ),
        lines(
            "Errors",
            "Share of the answers that were errors of the server, by track.",
            {
                "{{track}}": 'sum by (track) (rate(parivision_requests_total{route="/predict", status=~"5.."}[5m])) / sum by (track) (rate(parivision_requests_total{route="/predict"}[5m]))'
            },
            unit="percentunit",
            width=8,
        ),
        lines(
            "p99",
            "Slowest of a hundred predictions, by track.",
            {
                "{{track}}": 'histogram_quantile(0.99, sum by (le, track) (rate(parivision_request_duration_seconds_bucket{route="/predict"}[5m])))'
            },
            unit="s",
            width=8,
        ),
        lines(
            "Evidence",
            "Logged predictions and labelled shots that were taken in.",
            {
                "predictions": "parivision_rollout_predictions",
                "labelled shots": "parivision_rollout_labelled_shots",
            },
            width=8,
        ),
        lines(
            "Ends",
            "Rollouts that came out, by outcome.",
            {"{{outcome}}": "parivision_rollouts_total"},
            width=8,
        ),
    )
    return dashboard(
        "rollout",
        "rollout",
        "The canary: its share, its evidence, and what the verdict makes of it.",
        panels,
    )
