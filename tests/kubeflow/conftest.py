"""A Kubeflow Pipelines on the cluster of KUBECONFIG, or the reason why there is none.

PARIVISION_KFP names its endpoint, best that of ml-pipeline-ui. Where it is not set, the Service
`ml-pipeline-ui` in the namespace of the runs is forwarded here. PARIVISION_KFP_NAMESPACE is that
namespace, `kubeflow` by default.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import httpx
import pytest
import yaml
from kubernetes.client.exceptions import ApiException

from cluster.conftest import (
    bundle,
    champion,
    cluster,
    gateway_url,
    http,
    operators,
    pytest_runtest_makereport,
    stage,
)
from cluster.helm_release import helm, upgrade
from cluster.live_cluster import RELEASE, LiveCluster
from kubeflow.live_kubeflow import LiveKubeflow
from parivision.cli.kubeflow import STATS_API
from parivision.kubeflow.access import KfpAccess
from ports import free_port

__all__ = [
    "bundle",
    "champion",
    "cluster",
    "gateway_url",
    "http",
    "operators",
    "pytest_runtest_makereport",
    "stage",
]

UI = "ml-pipeline-ui"
NONE = (
    "no Kubeflow Pipelines: name its endpoint in PARIVISION_KFP, or install it (`make cluster` "
    "does where its images are)"
)


def _leave(reason: str) -> NoReturn:
    """Skip, or fail where somebody has asked for Kubeflow with KUBEFLOW=1."""
    if os.environ.get("KUBEFLOW") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """Path of the kubeconfig; without one there is no Kubeflow either."""
    path = os.environ.get("KUBECONFIG", "")
    if not Path(path).is_file():
        _leave(f"KUBECONFIG names no cluster; {NONE}")
    return path


@pytest.fixture(scope="session")
def kubeflow(cluster: LiveCluster) -> Iterator[LiveKubeflow]:
    """The Kubeflow Pipelines under test."""
    namespace = os.environ.get("PARIVISION_KFP_NAMESPACE", "kubeflow")
    endpoint = os.environ.get("PARIVISION_KFP", "")
    access = KfpAccess.read(os.environ, os.environ.get("PARIVISION_KFP_CA_FILE", ""))
    if endpoint:
        yield LiveKubeflow(endpoint, access, namespace)
        return
    try:
        cluster.core.read_namespaced_service(UI, namespace)
    except ApiException as error:
        _leave(f"the cluster has no Service {namespace}/{UI} ({error.status}); {NONE}")
    local = free_port()
    with cluster.forwarded(namespace, UI, 80, local):
        yield LiveKubeflow(f"http://127.0.0.1:{local}", access, namespace)


@pytest.fixture(scope="session")
def pages(kubeflow: LiveKubeflow) -> Iterator[httpx.Client]:
    """The user interface of Kubeflow Pipelines."""
    with kubeflow.http as client:
        if "<html" not in client.get("/").text.lower():
            pytest.skip("PARIVISION_KFP names the API alone: artifacts are read through the pages")
        yield client


@pytest.fixture(scope="session")
def source(cluster: LiveCluster) -> str:
    """The shots that the first champion was trained on."""
    values = yaml.safe_load(helm(cluster, "get", "values", RELEASE, "--all", "--output", "yaml"))
    return str(values["pipelines"]["firstChampion"]["source"])


@pytest.fixture(scope="module")
def values(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The release's values; they hold again afterwards."""
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    path.write_text(helm(cluster, "get", "values", RELEASE, "--output", "yaml"))
    yield path
    upgrade(cluster, path)


@pytest.fixture(scope="session")
def stats_api() -> str:
    """The address of the release's stats API, as pods of runs know it."""
    return STATS_API
