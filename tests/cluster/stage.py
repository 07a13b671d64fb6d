"""The cluster with what a rollout on it takes: releases, `deploy`, and what has come of it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from cluster.challengers import Workshop, image_settings
from cluster.live_cluster import NAMESPACE, RELEASE, SERVING, LiveCluster, wait_for
from parivision.kubernetes import (
    CanaryState,
    Cluster,
    DeploymentTarget,
    Release,
    canary,
    canary_state,
    deploy,
)
from parivision.kubernetes.follow import RolloutFollower, RolloutWaits
from parivision.registry import Registry

PLACE: Final = f"{NAMESPACE}/{RELEASE}-shots"
READY_S: Final = 120.0
_logger = logging.getLogger("rollout")


@dataclass(frozen=True)
class Stage:
    """The cluster, and who makes challengers for it."""

    cluster: LiveCluster
    workshop: Workshop

    @property
    def api(self) -> Cluster:
        """The cluster as `deploy` knows it."""
        live = self.cluster
        return Cluster(live.apps, live.autoscaling, live.core, live.objects)

    def deploy(self, release: Release, rollout_s: float = 900.0) -> str:
        """Roll a release out to its end, as the pipelines' step does."""
        return deploy(
            release,
            PLACE,
            cluster=self.api,
            say=_logger.info,
            timeout_s=READY_S,
            rollout_s=rollout_s,
            patience_s=30.0,
        )

    def promote(self, release: Release) -> None:
        """Make a release the champion without a verdict, as an impatient person does."""
        target = DeploymentTarget.parse(PLACE)
        canary.serve(self.api, target, release)
        canary.force(self.api, target, release)
        waits = RolloutWaits(READY_S)
        RolloutFollower(release, target, waits, self.api, _logger.info).follow()

    def canary(self) -> CanaryState:
        """How the rollout stands."""
        state = canary_state(self.api, DeploymentTarget.parse(PLACE))
        assert state is not None
        return state

    @property
    def served(self) -> str:
        """The version that users get."""
        template = self.cluster.deployment(f"{RELEASE}-{SERVING}").spec.template
        return str(template.metadata.annotations["parivision.dev/model-version"])

    @property
    def teller(self) -> str:
        """The token of who tells outcomes; keep it out of messages."""
        return self.cluster.secret("parivision-outcomes", "token")

    def agreed(self) -> bool:
        """Whether registry and cluster name the same champion."""
        champion = self.workshop.registry.champion()
        assert champion is not None
        assert champion.number == self.served
        return True

    def has_outcome(self, version: str, *wanted: str) -> bool:
        """Whether MLflow has one of these as the end of a version's rollout, within a minute.

        The verdict records it when it next looks, which `deploy` does not wait for.
        """

        def recorded() -> bool:
            registered = self.workshop.registry.version(version)
            assert registered is not None, f"no version {version}"
            outcome = registered.tags.get("rollout.outcome", "")
            assert outcome in wanted, f"{version}: {outcome or 'none yet'}"
            return True

        return wait_for("the outcome in MLflow", recorded, timeout_s=60)


@contextmanager
def on_stage(cluster: LiveCluster, folder: Path) -> Iterator[Stage]:
    """A stage for as long as MLflow can be reached from here."""
    with pytest.MonkeyPatch.context() as patch, cluster.tunnel("mlflow", 5000):
        for variable, key in (("USERNAME", "username"), ("PASSWORD", "password")):
            patch.setenv(f"MLFLOW_TRACKING_{variable}", cluster.secret("parivision-mlflow", key))
        registry = Registry("http://localhost:5000")
        yield Stage(cluster, Workshop(registry, image_settings(cluster, folder), folder))
