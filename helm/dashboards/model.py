"""The champion: who it is, what it promised, what it keeps."""

from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.panels import dashboard, lines, number


def build() -> Dashboard:
    """The dashboard `model`."""
    panels = (
        number(
            "Champion",
            "The version that holds the alias, and its family.",
            {"{{version}} ({{family}})": "parivision_champion_info"},
            width=6,
            text=BigValueTextMode.NAME,
        ),
        number(
            "Age",
            "Since the champion was promoted.",
            "time() - parivision_champion_promoted_timestamp_seconds",
            unit="s",
            steps=((None, "green"), (2592000, "red")),
            width=6,
        ),
        number(
            "Log loss when promoted",
            "In the evaluation that it was promoted by.",
            "parivision_champion_log_loss",
            decimals=4,
            width=6,
        ),
        number(
            "Worse than promised by",
            "Log loss on current shots beyond what the champion's own probabilities promise.",
            "parivision:log_loss:gap",
            steps=((None, "green"), (0.01, "red")),
            decimals=4,
            width=6,
        ),
        lines(
            "Log loss: live and promised",
            "Of the newest drift report, on the shots that the champion does not know.",
            {
                "live": "parivision_live_log_loss",
                "promised": "parivision_promised_log_loss",
                "when promoted": "parivision_champion_log_loss",
            },
        ),
        lines(
            "Worse than promised by",
            "The alert's threshold is the line.",
            {"gap": "parivision:log_loss:gap"},
            steps=((None, "green"), (0.01, "red")),
            shown_threshold=True,
        ),
        lines(
            "Mean of the predicted probabilities",
            "By model version, over an hour.",
            {"version {{model_version}}": "parivision:predicted_probability:mean1h"},
            unit="percentunit",
        ),
        lines(
            "Spread of the predicted probabilities",
            "Deciles over an hour.",
            {
                "10 %": "histogram_quantile(0.1, sum by (le) (rate(parivision_predicted_probability_bucket[1h])))",
                "50 %": "histogram_quantile(0.5, sum by (le) (rate(parivision_predicted_probability_bucket[1h])))",
                "90 %": "histogram_quantile(0.9, sum by (le) (rate(parivision_predicted_probability_bucket[1h])))",
            },
            unit="percentunit",
            min=0,
            max=1,
        ),
        lines(
            "Log loss: expected before outcomes, and observed",
            "Of the newest predictions with its 95 % interval, and of the newest block of outcomes.",
            {
                "expected": "parivision_estimated_log_loss",
                "low": "parivision_estimated_log_loss_low",
                "high": "parivision_estimated_log_loss_high",
                "observed": "parivision_observed_log_loss",
            },
        ),
        lines(
            "Observed beyond the estimate",
            "In half widths of its interval: outside of -1 to 1 shots end otherwise than the champion says.",
            {"{{score}}": "parivision_observed_beyond"},
        ),
        number(
            "Canary",
            "What became of the last new version.",
            {"{{name}}": "flagger_canary_status"},
            names={
                "0": ("running", "blue"),
                "1": ("successful", "green"),
                "2": ("rolled back", "red"),
            },
            width=6,
            text=BigValueTextMode.VALUE_AND_NAME,
        ),
        lines(
            "Canary: share of the traffic",
            "Weights that Flagger set.",
            {"{{workload}}": "flagger_canary_weight"},
            unit="percent",
            min=0,
            max=100,
            width=18,
        ),
        lines(
            "Canary: what it is judged by",
            "Last value of each metric of the analysis.",
            {"{{name}} {{metric}}": "flagger_canary_metric_analysis"},
            width=24,
        ),
    )
    return dashboard(
        "model",
        "model",
        "The champion: who it is, what it promised, what it keeps.",
        panels,
        since="now-7d",
        refresh="1m",
    )
