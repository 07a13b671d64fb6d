"""What queries ask for: the names of metrics in PromQL, in rules and in Grafana's dashboards."""

import re
from collections.abc import Iterator
from typing import Any, Final

OF_DATABASE: Final[dict[str, frozenset[str]]] = {
    "mongodb": frozenset(
        {
            "mongodb_ss_opcounters",
            "mongodb_ss_opLatencies_latency",
            "mongodb_ss_opLatencies_ops",
            "mongodb_ss_connections",
        }
    ),
    "ferretdb": frozenset(
        {
            "ferretdb_client_requests_total",
            "ferretdb_client_responses_total",
            "ferretdb_client_accepts_total",
            "ferretdb_client_duration_seconds_count",
            "ferretdb_cursors_duration_seconds_sum",
            "ferretdb_cursors_duration_seconds_count",
            "ferretdb_sqldb_wait_duration_seconds_total",
        }
    ),
}
"""Metrics of either database that rules and dashboards ask for; the other has none of them."""

# What is no metric: texts, the labels that are chosen, and the labels that are grouped by.
_NOT_METRICS = re.compile(
    r'"(?:[^"\\]|\\.)*"|\{[^{}]*\}|\[[^\]]*\]'
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
    r"|\b(?:and|or|unless|bool|offset|atan2|inf|nan)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])")


def metrics(query: str) -> set[str]:
    """The names of the metrics that a query asks for."""
    left = query
    while left != (left := _NOT_METRICS.sub(" ", left)):
        pass
    return set(_NAME.findall(left))


def of_rule(rule: dict[str, Any]) -> Iterator[str]:
    """The queries of a rule, as Prometheus or its API writes it; those inside annotations too."""
    yield rule.get("expr") or rule["query"]
    for text in rule.get("annotations", {}).values():
        yield from re.findall(r'query\s+"([^"]+)"', text)


def of_dashboard(dashboard: dict[str, Any]) -> Iterator[str]:
    """The queries of a dashboard's panels."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
