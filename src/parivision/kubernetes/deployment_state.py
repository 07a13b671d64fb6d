"""How a rollout stands, judged by what the API says of a Deployment and its pods. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

State = Literal["done", "going", "stuck", "failed"]
More = Literal["", "log", "events"]

_IMAGE_FAULTS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})
_START_FAULTS: Final = frozenset(
    {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)


@dataclass(frozen=True)
class DeploymentState:
    """How a rollout stands, and in words why it is not done.

    `stuck` means that it will hardly go on by itself, `failed` that it will not. `pod` is the one
    to look at, and `more` where it says more.
    """

    state: State
    reason: str = ""
    pod: str = ""
    more: More = ""


def of_deployment(deployment: Any) -> DeploymentState:
    """How a Deployment stands by its own status, without its pods."""
    wanted, status = deployment.spec.replicas or 0, deployment.status
    # Until the controller has seen the change, all other numbers are those of the former template.
    if (status.observed_generation or 0) < deployment.metadata.generation:
        return DeploymentState("going", "the cluster has not taken note of the change yet")
    updated, available = status.updated_replicas or 0, status.available_replicas or 0
    # `replicas` counts pods of former templates too: it is equal when the last of them has gone.
    if updated == wanted == available == (status.replicas or 0):
        return DeploymentState("done")
    # First what refuses pods (a quota, an admission): it is the cause, the deadline only follows.
    for condition in status.conditions or ():
        if condition.type == "ReplicaFailure" and condition.status == "True":
            return DeploymentState("stuck", f"the cluster refuses its pods: {condition.message}")
    for condition in status.conditions or ():
        if condition.type == "Progressing" and condition.status == "False":
            return DeploymentState("failed", f"it does not get on: {condition.message}")
    return DeploymentState("going", f"{min(updated, available)} of {wanted} new pods are available")


def of_pods(pods: Iterable[Any]) -> DeploymentState | None:
    """The state of a pod that is stuck, or else of the first that is not ready; None if all are."""
    states = [_of_pod(pod) for pod in sorted(pods, key=lambda pod: str(pod.metadata.name))]
    unready = [state for state in states if state is not None]
    return next((state for state in unready if state.state == "stuck"), next(iter(unready), None))


def joined(deployment: DeploymentState, pods: DeploymentState | None) -> DeploymentState:
    """How a rollout stands: its pods say why, the Deployment whether it is over."""
    if pods is None or deployment.state in {"done", "stuck"}:
        return deployment
    if deployment.state == "failed":
        return replace(pods, state="failed", reason=f"{deployment.reason}; {pods.reason}")
    return pods


def _of_pod(pod: Any) -> DeploymentState | None:
    name = str(pod.metadata.name)
    for condition in pod.status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            # Not stuck: where nodes are added when they are needed, one may come.
            return DeploymentState("going", f"no node takes its pod: {condition.message}", name)
    statuses = pod.status.container_statuses or ()
    if not statuses:
        return DeploymentState("going", f"the pod {name} has not started", name, "events")
    return next((state for state in (_of_container(name, s) for s in statuses) if state), None)


def _of_container(pod: str, status: Any) -> DeploymentState | None:
    if status.ready:
        return None
    waiting = status.state.waiting if status.state else None
    if waiting is not None and waiting.reason in _IMAGE_FAULTS:
        why = waiting.message or status.image
        return DeploymentState(
            "stuck", f"its image cannot be pulled ({waiting.reason}): {why}", pod
        )
    if waiting is not None and waiting.reason in _START_FAULTS:
        why = waiting.message
        return DeploymentState(
            "stuck", f"its container cannot start ({waiting.reason}): {why}", pod
        )
    # One end may be chance. How long it must last before the rollout fails is the caller's
    # patience.
    if status.restart_count:
        reason = f"its container ends again and again{_ended(status)}"
        return DeploymentState("stuck", reason, pod, "log")
    return DeploymentState("going", f"the pod {pod} is not ready", pod, "events")


def _ended(status: Any) -> str:
    """How the container ended the last time."""
    last = status.last_state.terminated if status.last_state else None
    return f" ({last.reason}, exit code {last.exit_code})" if last else ""
