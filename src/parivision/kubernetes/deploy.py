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
from parivision.kubernetes.api import AwayError
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
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
    going back to what was served before. `patience_s` is how long a fault may last
    that could pass, such as a registry that is being restarted.
    """
    target = DeploymentTarget.parse(deployment)
    current = cluster.deployment(target)
    former = _former(current, release)
    replicas = None if current.spec.replicas else cluster.least_replicas(target)
    # The note of the former release is part of the same patch: a process that is killed behind it
    # leaves what the next one needs to go back.
    cluster.patch(target, change(release, replicas, former))
    try:
        await_rollout(
            cluster, target, timeout_s=timeout_s, patience_s=patience_s, clock=clock, sleep=sleep
        )
        _require(release, cluster.deployment(target))
    except ServiceError as error:
        now_served = _go_back(cluster, target, release, former)
        raise ServiceError(
            f"version {release.version} could not be rolled out to {target}: {error}\n{now_served}"
        ) from error
    with suppress(AwayError):  # the note is of no use any more, and does no harm
        cluster.patch(target, note(None))
    return address(target)


def address(target: DeploymentTarget) -> str:
    """Where the service is asked."""
    return f"http://{target.name}.{target.namespace}.svc:{PORT}"


def await_rollout(
    cluster: Cluster,
    target: DeploymentTarget,
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
        current = _state(cluster, target)
        if current.state == "done":
            return
        now = clock()
        # A fault that goes away and comes again begins anew: only one that lasts fails the rollout.
        if current.state != "stuck":
            stuck_since = None
        elif stuck_since is None:
            stuck_since = now
        is_lasting = stuck_since is not None and now - stuck_since >= patience_s
        if current.state == "failed" or is_lasting:
            raise ServiceError(explained(cluster, target, current))
        if now >= deadline:
            reason = explained(cluster, target, current)
            raise ServiceError(f"it was not done within {timeout_s:g} s: {reason}")
        sleep(POLL_S)


def _state(cluster: Cluster, target: DeploymentTarget) -> DeploymentState:
    try:
        deployment = cluster.deployment(target)
        own = deployment_state.of_deployment(deployment)
        if own.state == "done":
            return own
        return deployment_state.joined(
            own, deployment_state.of_pods(cluster.newest_pods(target, deployment))
        )
    except AwayError as error:
        return DeploymentState("going", str(error))


def explained(cluster: Cluster, target: DeploymentTarget, current: DeploymentState) -> str:
    """The reason, with what the pod's log or events add; they may be out of reach."""
    more = ""
    with suppress(ServiceError):
        if current.more == "log":
            more = f"\nThe end of its log:\n{cluster.log_end(target, current.pod)}"
        elif current.more == "events" and (warning := cluster.last_warning(target, current.pod)):
            more = f": {warning}"
    return current.reason + more


def _go_back(
    cluster: Cluster, target: DeploymentTarget, release: Release, former: Release | None
) -> str:
    """Restore the former release, where it is known; a sentence on what is served now."""
    if former is None:
        return "What was served before it is not known, so there is nothing to go back to."
    try:
        # Only what was set here is taken back: another rollout may have come meanwhile.
        _require(release, cluster.deployment(target))
        # A former release without a version is the bare runtime: it serves nothing, so its pods go.
        cluster.patch(target, change(former, None if former.version else 0))
    except ServiceError as error:
        return f"It was not taken back: {error}"
    if not former.version:
        return "Nothing was served before it, and nothing is now."
    return f"Version {former.version}, which was served before it, is back."


def _former(deployment: Any, release: Release) -> Release | None:
    """What is served before `release`: now, or by the note of an attempt that died."""
    current = served(deployment)
    return noted(deployment) if release.is_same(current) else current


def _require(release: Release, deployment: Any) -> None:
    """Raise ServiceError when somebody else has set another release meanwhile."""
    current = served(deployment)
    if not release.is_same(current):
        raise ServiceError(
            f"another rollout, of version {current.version or 'none'}, took its place meanwhile"
        )
