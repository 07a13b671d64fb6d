"""The champion's image on Kubernetes. The only package that knows Kubernetes."""

from parivision.rollout.canary import Look, look
from parivision.rollout.cluster import AwayError, Cluster, Place, connect
from parivision.rollout.deploy import await_rollout
from parivision.rollout.follow import deploy
from parivision.rollout.release import Release
from parivision.rollout.scene import Scene

__all__ = [
    "AwayError",
    "Cluster",
    "Look",
    "Place",
    "Release",
    "Scene",
    "await_rollout",
    "connect",
    "deploy",
    "look",
]
