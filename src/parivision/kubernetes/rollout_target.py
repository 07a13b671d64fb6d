"""One prediction service and its Canary, as whoever watches its rollouts sees and changes them."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from parivision.errors import ServiceError
from parivision.kubernetes import canary, deployment_state
from parivision.kubernetes.canary import Look
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
from parivision.kubernetes.deploy import explained
from parivision.kubernetes.release import Release


class RolloutTarget:
    """A Deployment that Flagger rolls out. Its methods raise ServiceError."""

    def __init__(self, cluster: Cluster, place: DeploymentTarget) -> None:
        self._cluster = cluster
        self._place = place

    def look(self) -> Look | None:
        """How the rollout stands; None where no Canary rolls it out."""
        return canary.look(self._cluster, self._place)

    def say(self, said: Mapping[str, Any]) -> None:
        """Keep on the Canary what there is to say."""
        canary.say(self._cluster, self._place, said)

    def serve(self, release: Release) -> None:
        """Make a release the target."""
        canary.serve(self._cluster, self._place, release)

    def force(self, release: Release | None) -> None:
        """Let Flagger promote a release without asking; None for none any more."""
        canary.force(self._cluster, self._place, release)

    def note(self, uid: str, name: str, reason: str, message: str) -> None:
        """Make an event of the Canary, once by its name."""
        self._cluster.note(self._place, uid, name, reason, message)

    def trouble(self) -> str:
        """Why the canary's pods do not start; empty when nothing is wrong or it cannot be told."""
        with suppress(ServiceError):
            target = self._cluster.deployment(self._place)
            found = deployment_state.of_pods(self._cluster.newest_pods(self._place, target))
            if found is not None and found.state == "stuck":
                return explained(self._cluster, self._place, found)
        return ""

    def warnings(self) -> list[str]:
        """What Flagger warned of last; empty when that cannot be told."""
        with suppress(ServiceError):
            return self._cluster.canary_warnings(self._place)[-3:]
        return []
