"""The release under test, as helm reads and changes it."""

import subprocess
from pathlib import Path

from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster

CHART = Path(__file__).parents[2] / "helm" / "parivision"


def helm(cluster: LiveCluster, *arguments: str) -> str:
    """What helm prints; nothing of it takes longer than seven minutes."""
    command = ["helm", "--kubeconfig", cluster.kubeconfig, "-n", NAMESPACE, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=420, check=False)
    assert done.returncode == 0, f"helm {arguments[0]}: {done.stderr.strip()}"
    return done.stdout


def upgrade(cluster: LiveCluster, values: Path, *more: str) -> None:
    """Install or upgrade the release, and wait for its servers."""
    arguments = ("upgrade", "--install", RELEASE, str(CHART), "--values", str(values))
    helm(cluster, *arguments, "--wait", "--timeout", "6m", *more)
