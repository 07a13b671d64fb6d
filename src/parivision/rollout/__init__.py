"""The champion's image on Kubernetes. The only package that knows Kubernetes."""

from parivision.rollout.cluster import Cluster, Place, connect
from parivision.rollout.deploy import Release, await_rollout, deploy

__all__ = ["Cluster", "Place", "Release", "await_rollout", "connect", "deploy"]
