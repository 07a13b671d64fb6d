"""Given the registry's runtime image, when champions are deployed, then they answer or go back.

In a namespace of its own, on a copy of the release's Deployment: the champion is left alone.
"""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from cluster.challengers import PULLED_FROM, image_settings
from cluster.live_cluster import NAMESPACE, LiveCluster, is_ready, wait_for
from parivision import __version__
from parivision.errors import ServiceError
from parivision.features.form import Form
from parivision.kubernetes import Cluster, Release, deploy
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.packaging import bento as package
from parivision.packaging.bento import Bento
from parivision.settings import Settings
from parivision.stages.image import push

PLACE = "parivision-deploy-test"
NAME = "shots"
TIMEOUT_S = 180.0
PATIENCE_S = 15.0
COLD_START_S = 10.0
PUSH_S = 3.0


@dataclass(frozen=True)
class Stage:
    """The namespace, the way to its registry, and Bentos to serve."""

    cluster: LiveCluster
    home: Settings
    first: Bento
    second: Bento

    def release(self, bento: Bento) -> Release:
        """Push a Bento's image; what to deploy."""
        return Release(push(self.home, bento.path), bento.version, bento.digest)

    def deploy(self, release: Release) -> str:
        """Deploy to the namespace."""
        live = self.cluster
        api = Cluster(live.apps, live.autoscaling, live.core, live.objects)
        return deploy(
            release, f"{PLACE}/{NAME}", timeout_s=TIMEOUT_S, patience_s=PATIENCE_S, cluster=api
        )

    def pods(self) -> list[Any]:
        """The pods there, but for those going."""
        found = self.cluster.core.list_namespaced_pod(PLACE).items
        return [pod for pod in found if pod.metadata.deletion_timestamp is None]

    def champion(self) -> dict[str, Any]:
        """What the pods say that they serve, asked through the API server."""
        pods = f"/api/v1/namespaces/{PLACE}/pods"
        said = [
            self.cluster.kubectl("get", "--raw", f"{pods}/{pod.metadata.name}:3000/proxy/champion")
            for pod in self.pods()
            if is_ready(pod)
        ]
        assert len(set(said)) == 1, said
        return dict(json.loads(said[0]))


def bento(folder: Path, version: str, p_made: float) -> Bento:
    """The same probability for every shot, as a Bento."""
    part = Part(("rate_zone",), Constant(p_made))
    bundle = folder / f"bundle-{version}"
    Bundle("league_mean", "full", {"without_action": part}, Form()).save(bundle)
    return package.build(bundle, version=version, store=folder / "store")


@pytest.fixture(scope="module")
def stage(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A namespace with the release's Deployment, as it is before there is a champion."""
    folder = tmp_path_factory.mktemp("bentos")
    home = image_settings(cluster, folder)
    first, second = bento(folder, "1", 0.41), bento(folder, "2", 0.42)
    make_namespace(cluster)
    try:
        yield Stage(cluster, home, first, second)
    finally:
        cluster.core.delete_namespace(PLACE)


def make_namespace(cluster: LiveCluster) -> None:
    """The namespace, under the same Pod Security, with what the Deployment needs."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = client.V1ObjectMeta(name=PLACE, labels=labels)
    cluster.core.create_namespace(client.V1Namespace(metadata=metadata))
    pull = cluster.core.read_namespaced_secret("parivision-images-pull", NAMESPACE)
    copied = client.V1Secret(
        metadata=client.V1ObjectMeta(name="parivision-images-pull"), type=pull.type, data=pull.data
    )
    cluster.core.create_namespaced_secret(PLACE, copied)
    live = cluster.deployment("parivision-shots")
    spec = live.spec
    spec.replicas = 0
    spec.template.metadata.annotations = None
    spec.template.spec.service_account_name = spec.template.spec.service_account = None
    (container,) = spec.template.spec.containers
    container.image = f"parivision/serving:{__version__}"
    # The release's Secrets are not here, nor what its settings lead to: its log, its outcomes.
    container.env = None
    secret = {one.name for one in spec.template.spec.volumes if one.secret is not None}
    container.volume_mounts = [one for one in container.volume_mounts if one.name not in secret]
    spec.template.spec.volumes = [one for one in spec.template.spec.volumes if not one.secret]
    made = client.V1Deployment(metadata=client.V1ObjectMeta(name=NAME), spec=spec)
    cluster.apps.create_namespaced_deployment(PLACE, made)


def test_the_first_champion_starts_and_answers(stage: Stage) -> None:
    """From no pods to one that serves it; its image was made twice, the same, in seconds."""
    began_s = time.monotonic()
    release = stage.release(stage.first)
    assert push(stage.home, stage.first.path) == release.image, "twice the same digest"
    assert time.monotonic() - began_s < 2 * PUSH_S
    assert stage.deploy(release) == f"http://{NAME}.{PLACE}.svc:3000"
    assert stage.champion()["digest"] == stage.first.digest


def test_the_same_again_changes_nothing(stage: Stage) -> None:
    """A step that is run again finds it done: the same pod serves on."""
    (before,) = stage.pods()
    stage.deploy(stage.release(stage.first))
    (after,) = stage.pods()
    assert after.metadata.uid == before.metadata.uid


def test_the_next_champion_takes_its_place(stage: Stage) -> None:
    """Every pod serves version 2, and was ready ten seconds after it was made, its pull included.

    The node has the runtime's layers from version 1, as it has them from champion to champion.
    """
    stage.deploy(stage.release(stage.second))
    assert stage.champion()["version"] == "2"
    notes = stage.cluster.deployment(NAME, PLACE).spec.template.metadata.annotations
    assert notes["parivision.dev/model-version"] == "2"
    assert notes["parivision.dev/bento-digest"] == stage.second.digest
    for pod in stage.pods():
        ready = next(c for c in pod.status.conditions if c.type == "Ready")
        took = ready.last_transition_time - pod.metadata.creation_timestamp
        assert took.total_seconds() < COLD_START_S


def test_a_champion_that_cannot_start_is_taken_back_with_its_log(
    stage: Stage, tmp_path: Path
) -> None:
    """A damaged model ends its pod: the step says what the pod said, and version 2 serves on."""
    broken = Path(shutil.copytree(stage.second.path, tmp_path / "broken"))
    (broken / "src" / "bundle" / "form.npz").write_bytes(b"not an archive")
    release = Release(push(stage.home, broken), "3", "broken")
    with pytest.raises(ServiceError, match=r"(?s)ends again and again.*form\.npz is damaged") as no:
        stage.deploy(release)
    assert "Version 2, which was served before it, is back." in str(no.value)
    wait_for("version 2 alone", lambda: len(stage.pods()) == 1, timeout_s=60)
    assert stage.champion()["version"] == "2"


def test_an_image_that_is_not_there_is_said(stage: Stage) -> None:
    """The kubelet's own words are in the step's error, and version 2 serves on."""
    missing = Release(f"{PULLED_FROM}@sha256:{'0' * 64}", "4", "missing")
    with pytest.raises(ServiceError, match=r"cannot be pulled \((ErrImagePull|ImagePullBackOff)\)"):
        stage.deploy(missing)
    assert stage.champion()["version"] == "2"


def test_a_quota_that_leaves_no_room_is_said(stage: Stage) -> None:
    """Pods that the namespace's quota refuses are named as that, and version 2 serves on."""
    limits = client.V1ResourceQuotaSpec(hard={"pods": "1"})
    quota = client.V1ResourceQuota(metadata=client.V1ObjectMeta(name="tight"), spec=limits)
    stage.cluster.core.create_namespaced_resource_quota(PLACE, quota)
    try:
        wait_for("the quota", lambda: _used(stage.cluster), timeout_s=30)
        with pytest.raises(ServiceError, match=r"refuses its pods: .*exceeded quota"):
            stage.deploy(stage.release(stage.first))
    finally:
        stage.cluster.core.delete_namespaced_resource_quota("tight", PLACE)
    assert stage.champion()["version"] == "2"


def _used(cluster: LiveCluster) -> bool:
    quota = cluster.core.read_namespaced_resource_quota("tight", PLACE)
    return bool(quota.status.used)
