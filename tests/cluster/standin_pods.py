"""Pods in the place of servers that the lab cannot have, such as Slack."""

from collections.abc import Sequence
from typing import Any

from cluster.live_cluster import NAMESPACE

Object = dict[str, Any]


def metadata(name: str) -> Object:
    """Name, namespace and labels that a stand-in's objects share."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "parivision"}
    return {"name": name, "namespace": NAMESPACE, "labels": labels}


def container(name: str, image: str, command: list[str], resources: Object) -> Object:
    """A container without privileges."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "resources": resources,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def pod(
    name: str, server: Object, volumes: Sequence[Object] = (), sysctls: Sequence[Object] = ()
) -> Object:
    """A pod of one container, as the namespace's restricted profile wants it."""
    security = {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
        "sysctls": list(sysctls),
    }
    spec = {
        "containers": [server],
        "automountServiceAccountToken": False,
        "securityContext": security,
        "volumes": list(volumes),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata(name), "spec": spec}


def reachable(name: str, port: int) -> list[Object]:
    """The name a stand-in is found by, and a policy that lets everyone send to its port."""
    selector = {"app.kubernetes.io/name": name}
    service = {"selector": selector, "ports": [{"port": port, "targetPort": port}]}
    policy = {
        "podSelector": {"matchLabels": selector},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": port}]}],
    }
    network = "networking.k8s.io/v1"
    shared = {"metadata": metadata(name)}
    return [
        {"apiVersion": "v1", "kind": "Service", **shared, "spec": service},
        {"apiVersion": network, "kind": "NetworkPolicy", **shared, "spec": policy},
    ]
