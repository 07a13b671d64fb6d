"""Given the release, it is upgraded under load, and uninstalled without a trace.

The last of the cluster's tests. `make cluster` installs from nothing; PARIVISION_SOAK=1 does so
here once more, and leaves the system as it was found.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from kubernetes import client

from cluster.helm_release import helm, upgrade
from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, wait_for
from parivision.simulation.traffic import load

ROOT = Path(__file__).parents[2]
RATE = 100.0
ROLLOUT_S = 420
CHAMPION_S = 1200
# Kinds that come and go by themselves.
FLEETING = {"events", "events.events.k8s.io", "endpoints", "endpointslices.discovery.k8s.io"}


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory, cluster: LiveCluster) -> Path:
    """The values that the release was installed with."""
    given = helm(cluster, "get", "values", RELEASE, "--output", "yaml")
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    path.write_text(given)
    return path


def test_an_upgrade_in_place_keeps_champion_data_and_service(
    cluster: LiveCluster, gateway_url: str, values: Path
) -> None:
    """Every pod of the service is replaced while requests come, and none of them fails.

    A change of the pods is rolled out like a new champion: as a canary that is judged.
    """
    champion = _champion(gateway_url)
    before = {pod.metadata.name for pod in cluster.ready_pods(SERVING)}
    with load(gateway_url, RATE) as outcome:
        upgrade(cluster, values, {"shots": {"resources": {"limits": {"memory": "400Mi"}}}})
        wait_for("a rollout", lambda: _phase(cluster) == "Progressing", timeout_s=120)
        wait_for("its end", lambda: _phase(cluster) == "Succeeded", timeout_s=ROLLOUT_S)
        after = {pod.metadata.name for pod in cluster.ready_pods(SERVING)}
    assert before.isdisjoint(after)
    assert outcome.sent > RATE
    assert not outcome.failed
    assert _champion(gateway_url) == champion


def _phase(cluster: LiveCluster) -> str:
    return str(cluster.canary()["status"]["phase"])


def _champion(gateway_url: str) -> object:
    answer = httpx.get(f"{gateway_url}/champion", timeout=10, trust_env=False)
    return answer.raise_for_status().json()


def test_uninstalled_nothing_of_it_is_left(cluster: LiveCluster, values: Path) -> None:
    """Of no kind, in no namespace, no volume either; what is no release's stays, the Secrets."""
    assert values.exists()
    secrets = _own_secrets(cluster)
    helm(cluster, "uninstall", RELEASE, "--wait", "--timeout", "5m")
    wait_for("nothing left", lambda: _nothing_is_left(cluster), timeout_s=180, poll_s=3)
    assert _own_secrets(cluster) == secrets


def _nothing_is_left(cluster: LiveCluster) -> bool:
    assert not (left := _of_release(cluster)), left
    volumes = cluster.core.list_persistent_volume().items
    claimed = [v.metadata.name for v in volumes if v.spec.claim_ref.namespace == NAMESPACE]
    assert not claimed, claimed
    return True


def _of_release(cluster: LiveCluster) -> list[str]:
    """Every object of the cluster with the release's label."""
    kinds = cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split()
    asked = ",".join(kind for kind in kinds if kind not in FLEETING)
    selector = f"app.kubernetes.io/instance={RELEASE}"
    listed = cluster.kubectl("get", asked, "-A", "-l", selector, "-o", "json", check=False)
    return [f"{item['kind']}/{item['metadata']['name']}" for item in json.loads(listed)["items"]]


def _own_secrets(cluster: LiveCluster) -> dict[str, str]:
    """The project's Secrets by name, each with its version."""
    selector = "app.kubernetes.io/part-of=parivision"
    found = cluster.core.list_namespaced_secret(NAMESPACE, label_selector=selector).items
    return {secret.metadata.name: secret.metadata.resource_version for secret in found}


@pytest.mark.skipif("PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it")
def test_installed_from_nothing_it_trains_a_champion_and_serves_it(
    cluster: LiveCluster, gateway_url: str, values: Path
) -> None:
    """One command, no data and no model: minutes later a prediction is answered."""
    upgrade(cluster, values)
    subprocess.run([ROOT / "manifests" / "cluster", "runtime"], check=True, timeout=300)
    deadline_s = time.monotonic() + CHAMPION_S

    def ended() -> list[client.V1JobCondition]:
        job = cluster.batch.read_namespaced_job(f"{RELEASE}-first-champion", NAMESPACE)
        return job.status.conditions or []

    conditions = wait_for("the first champion", ended, timeout_s=CHAMPION_S, poll_s=2)
    assert {condition.type for condition in conditions} & {"Complete", "SuccessCriteriaMet"}, (
        conditions
    )
    left_s = deadline_s - time.monotonic()
    answer = wait_for("a prediction", lambda: _champion_or_none(gateway_url), timeout_s=left_s)
    assert answer


def _champion_or_none(gateway_url: str) -> object:
    try:
        return _champion(gateway_url)
    except httpx.HTTPError as error:
        raise AssertionError(str(error)) from error
