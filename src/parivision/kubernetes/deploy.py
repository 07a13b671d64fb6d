"""Deploy: the champion's image by digest on the prediction service's Deployment, and its outcome.

What a pod of the old version answers is not cut off: the Deployment replaces pods one by one and
only when the new ones are ready. A rollout that fails is taken back.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from parivision.errors import ServiceError
from parivision.kubernetes import deployment_state
from parivision.kubernetes.cluster import AwayError, Cluster, DeploymentTarget
from parivision.kubernetes.deployment_state import DeploymentState
from parivision.kubernetes.release import Release, change, note, noted, served

PORT: Final = 3000
"""Where the service answers."""
PATIENCE_S: Final = 60.0
POLL_S: Final = 1.0

Clock = Callable[[], float]
Sleep = Callable[[float], None]


def replace_pods(
    release: Release,
    deployment: str,
    *,
    timeout_s: float,
    cluster: Cluster,
    patience_s: float = PATIENCE_S,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> str:
    """Serve a release and return the service's address once all pods of the Deployment serve it.

    `deployment` is namespace/name. Where nothing was served, the autoscaler's least number of pods
    starts. Again with the same release it only waits. Raises ServiceError with the reason, after
    going back to what was served before. `patience_s` is how long a trouble may last that could
    pass, such as a registry that is being restarted.
    """
    place = DeploymentTarget.parse(deployment)
    found = cluster.deployment(place)
    former = _former(found, release)
    replicas = None if found.spec.replicas else cluster.least_replicas(place)
    cluster.patch(place, change(release, replicas, former))
    try:
        await_rollout(
            cluster, place, timeout_s=timeout_s, patience_s=patience_s, clock=clock, sleep=sleep
        )
        _require(release, cluster.deployment(place))
    except ServiceError as error:
        said = _go_back(cluster, place, release, former)
        raise ServiceError(
            f"version {release.version} could not be rolled out to {place}: {error}\n{said}"
        ) from error
    with suppress(AwayError):  # the note is of no use any more, and does no harm
        cluster.patch(place, note(None))
    return address(place)


def address(place: DeploymentTarget) -> str:
    """Where the service is asked."""
    return f"http://{place.name}.{place.namespace}.svc:{PORT}"


def await_rollout(
    cluster: Cluster,
    place: DeploymentTarget,
    *,
    timeout_s: float,
    patience_s: float = PATIENCE_S,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Return when every pod of the Deployment is of its newest revision and available.

    Raises ServiceError with the reason when the rollout failed, is stuck, or takes too long. An
    API that does not answer for a while is waited for.
    """
    deadline = clock() + timeout_s
    stuck_since: float | None = None
    while True:
        found = _look(cluster, place)
        if found.state == "done":
            return
        now = clock()
        if found.state != "stuck":
            stuck_since = None
        elif stuck_since is None:
            stuck_since = now
        is_lasting = stuck_since is not None and now - stuck_since >= patience_s
        if found.state == "failed" or is_lasting:
            raise ServiceError(explained(cluster, place, found))
        if now >= deadline:
            said = explained(cluster, place, found)
            raise ServiceError(f"it was not done within {timeout_s:g} s: {said}")
        sleep(POLL_S)


def _look(cluster: Cluster, place: DeploymentTarget) -> DeploymentState:
    try:
        deployment = cluster.deployment(place)
        own = deployment_state.of_deployment(deployment)
        if own.state == "done":
            return own
        return deployment_state.joined(
            own, deployment_state.of_pods(cluster.newest_pods(place, deployment))
        )
    except AwayError as error:
        return DeploymentState("going", str(error))


def explained(cluster: Cluster, place: DeploymentTarget, found: DeploymentState) -> str:
    """The reason, with what the pod's log or events add; they may be out of reach."""
    more = ""
    with suppress(ServiceError):
        if found.more == "log":
            more = f"\nThe end of its log:\n{cluster.log_end(place, found.pod)}"
        elif found.more == "events" and (warning := cluster.last_warning(place, found.pod)):
            more = f": {warning}"
    return found.reason + more


def _go_back(
    cluster: Cluster, place: DeploymentTarget, release: Release, former: Release | None
) -> str:
    """Restore the former release, where it is known; a sentence on what is served now."""
    if former is None:
        return "What was served before it is not known, so there is nothing to go back to."
    try:
        _require(release, cluster.deployment(place))
        cluster.patch(place, change(former, None if former.version else 0))
    except ServiceError as error:
        return f"It was not taken back: {error}"
    if not former.version:
        return "Nothing was served before it, and nothing is now."
    return f"Version {former.version}, which was served before it, is back."


def _former(deployment: Any, release: Release) -> Release | None:
    """What is served before `release`: now, or by the note of an attempt that died."""
    found = served(deployment)
    return noted(deployment) if release.is_same(found) else found


def _require(release: Release, deployment: Any) -> None:
    """Raise ServiceError when somebody else has set another release meanwhile."""
    found = served(deployment)
    if not release.is_same(found):
        raise ServiceError(
            f"another rollout, of version {found.version or 'none'}, took its place meanwhile"
        )
