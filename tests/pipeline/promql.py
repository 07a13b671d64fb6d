"""The rules and dashboards of the chart, and what promtool says of them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import charts
import yaml

Object = dict[str, Any]

TESTS = Path(__file__).with_name("rules")
DASHBOARDS = charts.CHART / "charts" / "monitoring" / "files" / "dashboards"

# What is no metric: texts, the labels that are chosen, and the labels that are grouped by.
_NOT_METRICS = re.compile(
    r'"(?:[^"\\]|\\.)*"|\{[^{}]*\}|\[[^\]]*\]'
    r"|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)"
    r"|\b(?:and|or|unless|bool|offset|atan2|inf|nan)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])")


def promtool() -> str | None:
    """The promtool on the path, or the one that `make helm` built."""
    return shutil.which("promtool") or shutil.which("promtool", path=str(charts.LAB_BIN))


@cache
def rendered() -> tuple[Object, ...]:
    """The objects that the chart renders to as it comes."""
    done = charts.template()
    if done.returncode:
        raise RuntimeError(done.stderr)
    return tuple(charts.objects(done.stdout))


@cache
def groups() -> tuple[Object, ...]:
    """The groups of rules in every PrometheusRule."""
    found = [one["spec"]["groups"] for one in rendered() if one["kind"] == "PrometheusRule"]
    return tuple(group for several in found for group in several)


def rules(kind: str) -> dict[str, Object]:
    """The rules of a kind (`alert` or `record`) by name."""
    return {rule[kind]: rule for group in groups() for rule in group["rules"] if kind in rule}


@cache
def dashboards() -> dict[str, Object]:
    """The dashboards by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))}


def panel_queries() -> Iterator[tuple[str, str]]:
    """Every query of a dashboard, with its place."""
    for name, dashboard in dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def every_query() -> Iterator[tuple[str, str]]:
    """Every query of rules and dashboards, with its place; those inside annotations too."""
    for kind in ("alert", "record"):
        for name, rule in rules(kind).items():
            yield name, rule["expr"]
            for text in rule.get("annotations", {}).values():
                for query in re.findall(r'query\s+"([^"]+)"', text):
                    yield f"{name}: annotation", query
    yield from panel_queries()


def metrics(query: str) -> set[str]:
    """The names of the metrics that a query asks for."""
    left = query
    while left != (left := _NOT_METRICS.sub(" ", left)):
        pass
    return set(_NAME.findall(left))


def write_rules(folder: Path, extra: list[Object] | None = None) -> Path:
    """The rules as a file of Prometheus."""
    path = folder / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [*groups(), *(extra or [])]}, sort_keys=False))
    return path


def run(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run promtool in a folder."""
    return subprocess.run(
        [promtool() or "promtool", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
