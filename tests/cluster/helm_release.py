"""The release under test, as helm reads and changes it."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster

CHART = Path(__file__).parents[2] / "helm" / "parivision"


def helm(cluster: LiveCluster, *arguments: str) -> str:
    """What helm prints; nothing of it takes longer than seven minutes."""
    command = ["helm", "--kubeconfig", cluster.kubeconfig, "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=420, check=False)
    assert done.returncode == 0, f"helm {arguments[0]}: {done.stderr.strip()}"
    return done.stdout


def values(cluster: LiveCluster) -> dict[str, Any]:
    """All values of the release, those that nobody gave too."""
    found: dict[str, Any] = json.loads(
        helm(cluster, "get", "values", RELEASE, "--all", "-o", "json")
    )
    return found


def first_source(cluster: LiveCluster) -> str:
    """Where the first champion's shots came from."""
    return str(values(cluster)["pipelines"]["firstChampion"]["source"])


def rendered(cluster: LiveCluster, template: str, *switched_on: str) -> dict[str, Any]:
    """An object as the chart makes it of the release's values, with more of them true."""
    given = json.dumps(values(cluster))
    command = ["helm", "template", RELEASE, str(CHART), "-n", NAMESPACE, "--show-only", template]
    command += ["--kube-version", "1.34.0", "--values", "-"]
    command += [word for value in switched_on for word in ("--set", f"{value}=true")]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm template: {done.stderr.strip()}"
    made: dict[str, Any] = yaml.safe_load(done.stdout)
    return made


def upgrade(cluster: LiveCluster, values: Path, changed: Mapping[str, Any] | None = None) -> None:
    """Install or upgrade the release, and wait for its servers.

    What is changed is nested as a values file is: `--set` would make a text of every 0.5.
    """
    arguments = ["upgrade", "--install", RELEASE, str(CHART), "--values", str(values)]
    if changed:
        path = values.with_name(f"{values.stem}-changed.yaml")
        path.write_text(yaml.safe_dump(dict(changed)))
        arguments += ["--values", str(path)]
    helm(cluster, *arguments, "--wait", "--timeout", "6m")
