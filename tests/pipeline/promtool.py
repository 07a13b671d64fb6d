"""The rules and dashboards of the chart, and what promtool says of them."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

import promql
from pipeline import charts

Object = dict[str, Any]

TESTS = Path(__file__).with_name("rules")
DASHBOARDS = charts.CHART / "charts" / "monitoring" / "files" / "dashboards"


def promtool() -> str | None:
    """The promtool on the path, or the one that `make helm` built."""
    return shutil.which("promtool") or shutil.which("promtool", path=str(charts.LAB_BIN))


@cache
def rendered() -> tuple[Object, ...]:
    """The objects that the chart renders to, with all that may be watched."""
    done = charts.template("--set", "global.kfp.endpoint=http://ml-pipeline.kubeflow:8888")
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


def every_query() -> Iterator[tuple[str, str]]:
    """Every query of rules and dashboards, with its place."""
    for kind in ("alert", "record"):
        for name, rule in rules(kind).items():
            for query in promql.of_rule(rule):
                yield name, query
    for name, dashboard in dashboards().items():
        for query in promql.of_dashboard(dashboard):
            yield name, query


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
