"""The Argo workflow of a run: which of its pods failed first, and what Argo says of it.

KFP's API v2beta1 tells the names and states of the workflow's nodes and nothing else: not which
node belongs to which, no pod's name, no message. Its v1beta1 hands out the workflow itself. There a
node's name is its path, `training-x7k2p(0).root(0).train-2(0).executor(0)`, and the message of a
pod's node ends with the pod's termination message. `(0)` is an attempt: upstream's workflow
controller gives every template a retry strategy, so every node is an attempt below another one.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

_ATTEMPT: Final = re.compile(r"\((\d+)\)$")
_BROKEN: Final = ("Failed", "Error")
# The container's name and how it ended, as Argo writes them in front of the termination message.
_ENDED: Final = re.compile(r"(?:main: )?\w+ \(exit code \d+\)(?:: (?P<sentence>.*))?", re.DOTALL)
DRIVER: Final = "-driver"


@dataclass(frozen=True)
class WorkflowNode:
    """A node: the names on the way to it, without attempts; its own attempt, -1 for none.

    `pod` is empty for a node that is no pod; `ended` is a time that sorts as text.
    """

    path: tuple[str, ...]
    attempt: int
    is_broken: bool
    message: str
    pod: str
    ended: str

    def owner(self, names: Iterable[str]) -> str:
        """The task among `names` that the node belongs to; the node's own name if there is none.

        What KFP prepares a task with, its driver, belongs to the task.
        """
        known = set(names)
        own = [step.removesuffix(DRIVER) for step in self.path]
        return next((step for step in reversed(own) if step in known), own[-1])

    @property
    def sentence(self) -> str:
        """What the task itself said at its end, or how Kubernetes ended it; may be empty."""
        ended = _ENDED.fullmatch(self.message)
        if ended is None:
            return self.message
        if sentence := (ended["sentence"] or "").strip():
            return sentence
        # A bare `Error (exit code 1)` tells nothing, the pod's log more; `OOMKilled` tells it all.
        return "" if "Error (exit" in self.message else self.message


@dataclass(frozen=True)
class Workflow:
    """A workflow: its namespace, the day it was created (2026-01-02), and its nodes."""

    namespace: str
    created: str
    nodes: tuple[WorkflowNode, ...]

    def first_failure(self, names: Iterable[str]) -> WorkflowNode | None:
        """The node that says why the run failed; None if no node has failed.

        Of the tasks it is the one that failed first, of that one's attempts the last: other tasks
        may be ended because of it. An attempt before one that succeeded broke nothing.
        """
        # A node without a number is the sum of its attempts: if it did not break, none counts.
        known, whole = set(names), {n.path: n.is_broken for n in self.nodes if n.attempt < 0}
        broken = [
            node
            for node in self.nodes
            if node.is_broken and all(whole.get(above, True) for above in _prefixes(node.path))
        ]
        # The pods below are the cause; the nodes above them fail because of them.
        pods = [node for node in broken if node.pod]
        if not pods:
            return max(broken, key=lambda node: (bool(node.message), len(node.path)), default=None)
        last: dict[str, WorkflowNode] = {}
        for pod in sorted(pods, key=lambda node: (node.ended, node.attempt)):
            last[pod.owner(known)] = pod
        return min(last.values(), key=lambda node: node.ended)


def read_workflow(manifest: str) -> Workflow:
    """The workflow of a manifest, Argo's JSON; raises ValueError for anything else."""
    try:
        content = json.loads(manifest)
        metadata = content["metadata"]
        found = content["status"].get("nodes") or {}
        nodes = tuple(_node(node, metadata["name"]) for node in found.values())
        created = str(metadata.get("creationTimestamp") or "")[:10]
        return Workflow(metadata.get("namespace", ""), created, nodes)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no workflow of Argo's: {type(error).__name__} {error}") from error


def _node(node: dict[str, Any], workflow: str) -> WorkflowNode:
    steps = node["name"].split(".")
    attempt = _ATTEMPT.search(steps[-1])
    return WorkflowNode(
        path=tuple(_ATTEMPT.sub("", step) for step in steps),
        attempt=int(attempt[1]) if attempt else -1,
        is_broken=node.get("phase") in _BROKEN,
        message=(node.get("message") or "").strip(),
        pod=_pod(node, workflow) if node.get("type") == "Pod" else "",
        ended=node.get("finishedAt") or "",
    )


def _pod(node: dict[str, Any], workflow: str) -> str:
    """A pod is named by the workflow, its template and the number at the end of the node's id."""
    number = node["id"].rpartition("-")[2]
    return f"{workflow}-{node['templateName']}-{number}"


def _prefixes(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (path[:length] for length in range(1, len(path) + 1))
