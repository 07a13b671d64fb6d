"""One prediction service and its Canary, as whoever watches its rollouts sees and changes them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from parivision.errors import ServiceError
from parivision.kubernetes import canary, deployment_state
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
from parivision.kubernetes.deploy import explained
from parivision.kubernetes.release import Release


class RolloutTarget:
    """A Deployment that Flagger rolls out. Its methods raise ServiceError."""

    def __init__(self, cluster: Cluster, deployment: DeploymentTarget) -> None:
        self._cluster = cluster
        self._deployment = deployment

    def state(self) -> CanaryState | None:
        """How the rollout stands; None where no Canary rolls it out."""
        return canary.canary_state(self._cluster, self._deployment)

    def publish(self, status: Mapping[str, Any]) -> None:
        """Keep a status on the Canary."""
        canary.publish(self._cluster, self._deployment, status)

    def serve(self, release: Release) -> None:
        """Make a release the target."""
        canary.serve(self._cluster, self._deployment, release)

    def force(self, release: Release | None) -> None:
        """Let Flagger promote a release without asking; None for none any more."""
        canary.force(self._cluster, self._deployment, release)

    def order(self, ordered: Mapping[str, Any]) -> None:
        """Keep on the Canary what a person ordered, and how it was answered."""
        canary.order(self._cluster, self._deployment, ordered)

    def record_event(self, uid: str, name: str, reason: str, message: str) -> None:
        """Make an event of the Canary, once by its name."""
        self._cluster.record_event(self._deployment, uid, name, reason, message)

    def trouble(self) -> str:
        """Why the canary's pods do not start; empty when nothing is wrong or it cannot be told."""
        with suppress(ServiceError):
            manifest = self._cluster.deployment(self._deployment)
            pods = self._cluster.newest_pods(self._deployment, manifest)
            state = deployment_state.of_pods(pods)
            if state is not None and state.state == "stuck":
                return explained(self._cluster, self._deployment, state)
        return ""

    def warnings(self) -> list[str]:
        """What Flagger warned of last; empty when that cannot be told."""
        with suppress(ServiceError):
            return self._cluster.canary_warnings(self._deployment)[-3:]
        return []
