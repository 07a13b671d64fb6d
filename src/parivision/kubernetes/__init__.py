"""The champion's image on Kubernetes. The only package that knows Kubernetes."""

from parivision.kubernetes.canary import CanaryState, canary_state
from parivision.kubernetes.cluster import AwayError, Cluster, DeploymentTarget, connect
from parivision.kubernetes.deploy import await_rollout
from parivision.kubernetes.follow import deploy
from parivision.kubernetes.release import Release
from parivision.kubernetes.rollout_target import RolloutTarget

__all__ = [
    "AwayError",
    "CanaryState",
    "Cluster",
    "DeploymentTarget",
    "Release",
    "RolloutTarget",
    "await_rollout",
    "canary_state",
    "connect",
    "deploy",
]
