"""Given the installed system, the documentation's pages on clusters do what they say."""

import os
import sys
from pathlib import Path

import pytest

import docs_pages
from cluster.live_cluster import RELEASE, SERVING, LiveCluster

PAGES = [docs_pages.ROOT / "docs" / name for name in ("kind.md", "cluster.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_does_what_it_says(
    page: Path, cluster: LiveCluster, kubeconfig: str, champion: dict[str, object], tmp_path: Path
) -> None:
    """Its commands end well and print what it shows."""
    assert champion
    # The tests before it may have taken a server away.
    for part in ("mlflow", "verdict", SERVING):
        cluster.wait_rolled_out(f"{RELEASE}-{part}")
    tools = Path(sys.executable).parent
    environment = os.environ | {"KUBECONFIG": kubeconfig, "BACKUPS": str(tmp_path)}
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    docs_pages.run(page, docs_pages.ROOT, environment, timeout_s=900)
