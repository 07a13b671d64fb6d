"""The page of the model: what it is, how well it keeps its word, how it came and how it serves."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import streamlit as st
import streamlit.components.v1 as components

from parivision.errors import ServiceError
from parivision.reports.numbers import number
from parivision.scoring.labels import LABELS
from parivision.serving.client import ServiceClient
from parivision.web import charts
from parivision.web.parts import PATIENCE_S, PROMETHEUS, VERDICT, SystemPart, find
from parivision.web.reports import MlflowReports, Report

LIVE: Final[Mapping[str, tuple[str, str]]] = {
    "Predictions a second": ("sum(parivision:predictions:rate5m)", "{:.1f}"),
    "Errors": ("parivision:errors:ratio5m", "{:.2%}"),
    "Slowest of a hundred": ("1000 * parivision:latency_seconds:p99_5m", "{:.1f} ms"),
    "Log loss on recent games": ("parivision_live_log_loss", "{:.4f}"),
    "Promised on them": ("parivision_promised_log_loss", "{:.4f}"),
    "Expected of the newest predictions": ("parivision_estimated_log_loss", "{:.4f}"),
    "at least": ("parivision_estimated_log_loss_low", "{:.4f}"),
    "at most": ("parivision_estimated_log_loss_high", "{:.4f}"),
}
"""What Prometheus is asked, and how it is shown."""
DRIFT: Final = "sort_desc(parivision_drift_severity)"
SHOWN: Final = 8


REPORT_PX: Final = 800


def draw(
    client: ServiceClient, parts: Sequence[SystemPart], reports: MlflowReports | None = None
) -> None:
    """Draw it; raises ServiceError when the prediction service does not answer."""
    champion = client.model()
    st.title(f"Champion {champion['version']}")
    _about(champion)
    st.subheader("Does it keep its word?")
    if champion["reliability"]:
        st.altair_chart(charts.reliability(champion["reliability"]), height=300)
        st.write("On games that it did not know when it was promoted; bars are 95 % intervals.")
    else:
        st.write("This champion was promoted before its reliability was kept.")
    prometheus, verdict = find(parts, PROMETHEUS), find(parts, VERDICT)
    st.subheader("Live")
    _live(prometheus)
    st.subheader("Drift")
    _drift(prometheus)
    st.subheader("Rollouts")
    _rollouts(verdict)
    st.subheader("Reports")
    _reports(reports)


def _about(champion: Mapping[str, Any]) -> None:
    age = champion["known_for_days"]
    # In a row of its own: a metric cuts off what is wider than its column, and the page is narrow.
    st.metric("Family", champion["family"].replace("_", " "))
    left, right = st.columns(2)
    left.metric("Newest game it knows", champion["known_through"] or "none")
    right.metric("Days since", "unknown" if age is None else f"{age}")
    known = [
        {"when promoted": LABELS[name], "": f"{champion['metrics'][name]:.4f}"}
        for name in ("log_loss", "ece", "roc_auc")
        if champion["metrics"].get(name) is not None
    ]
    if known:
        st.table(known)
    with st.expander("Features"):
        for part, names in champion["features"].items():
            st.markdown(f"**{part.replace('_', ' ')}**: " + ", ".join(names))


def _live(prometheus: SystemPart | None) -> None:
    if prometheus is None:
        st.write("No Prometheus is named to this page.")
        return
    rows = []
    for label, (query, form) in LIVE.items():
        samples = _ask(prometheus, query)
        if samples is None:
            return
        value = float(samples[0]["value"][1]) if samples else math.nan
        shown = "no data" if math.isnan(value) else form.format(value)
        rows.append({"last five minutes": label, "": shown})
    st.table(rows)


def _drift(prometheus: SystemPart | None) -> None:
    samples = _ask(prometheus, DRIFT) if prometheus is not None else None
    if not samples:
        st.write("No drift report is known.")
        return
    st.table(
        [
            {
                "column": row["metric"].get("column", ""),
                "severity (above 1: drift)": number(float(row["value"][1]), ".2f"),
            }
            for row in samples[:SHOWN]
        ]
    )


def _ask(prometheus: SystemPart, query: str) -> list[dict[str, Any]] | None:
    """Series of an instant query; None when Prometheus is away, which is then said."""
    url = prometheus.url.rstrip("/") + "/api/v1/query"
    try:
        answer = httpx.get(url, params={"query": query}, timeout=PATIENCE_S, trust_env=False)
        samples: list[dict[str, Any]] = answer.raise_for_status().json()["data"]["result"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        st.warning(f"Prometheus does not answer: {error}")
        return None
    return samples


def _rollouts(verdict: SystemPart | None) -> None:
    if verdict is None:
        st.write("No verdict service is named to this page.")
        return
    url = verdict.url.rstrip("/") + "/rollouts"
    try:
        answer = httpx.get(url, timeout=PATIENCE_S, trust_env=False)
        rollouts: list[dict[str, Any]] = answer.raise_for_status().json()["rollouts"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        st.warning(f"The verdict service does not answer: {error}")
        return
    if not rollouts:
        st.write("There has been no rollout yet.")
        return
    st.table(
        [
            {
                "version": row["version"],
                "against": row["former"],
                "began": f"{datetime.fromtimestamp(row['started_at'], tz=UTC):%Y-%m-%d %H:%M}",
                "came out": (row["end"] or row["stage"]).replace("_", " "),
                "why": row["reason"],
            }
            for row in rollouts[:SHOWN]
        ]
    )
    if verdict.link:
        st.markdown(f"[Weights, evidence and bounds over time]({verdict.link})")


def _reports(reports: MlflowReports | None) -> None:
    """Large pages, so one is fetched when it is chosen."""
    if reports is None:
        st.write("No MLflow is named to this page.")
        return
    try:
        known = {_titled(row): row for row in reports.newest()}
        chosen = st.selectbox("Read", list(known), index=None, key="report")
        if chosen is None:
            return
        text = reports.read(known[chosen])
    except ServiceError as error:
        st.warning(str(error))
        return
    name = known[chosen].file.rpartition("/")[2]
    st.download_button("Download it", text, file_name=name, mime="text/html")
    # In a frame: the report is a page with styles of its own.
    components.html(text, height=REPORT_PX, scrolling=True)


def _titled(report: Report) -> str:
    name = report.file.rpartition("/")[2].removesuffix(".html").replace("_", " ")
    return f"{name} ({report.kind} of {datetime.fromtimestamp(report.at_s, tz=UTC):%Y-%m-%d %H:%M})"
