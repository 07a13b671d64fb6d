"""Argo workflows of runs, as a Kubeflow Pipelines 2.17 from upstream's manifests has them.

Upstream's workflow controller gives every template a retry strategy. So every node of the compiled
pipeline, a pod or a DAG, is of the type Retry and has one node below it for each attempt, whose
name ends with its number: `executor` and `executor(0)`. API v2beta1 makes its task details of these
nodes and leaves most of a detail's fields empty; v1beta1 hands out the workflow as it is.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Phase = Literal["Running", "Succeeded", "Failed", "Error", "Omitted"]

CREATED = "2026-01-02T03:04:05Z"
ENDED = "2026-01-02T03:04:15Z"
NEVER = "0001-01-01T00:00:00Z"
STATES = {"Running": "RUNNING", "Succeeded": "SUCCEEDED", "Failed": "FAILED", "Error": "FAILED"}
PHASES: dict[str, Phase] = {
    "RUNNING": "Running",
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "CANCELED": "Failed",
}


@dataclass(frozen=True)
class Attempt:
    """An attempt of a task's pod: how it ended, and what Argo says of that."""

    phase: Phase
    message: str = ""
    ended: str = ENDED
    log: str = ""


@dataclass
class Workflow:
    """A workflow whose tasks are added as they begin; `logs` are those of pods, by pod."""

    name: str = "parivision-x7k2p"
    namespace: str = "kubeflow"
    nodes: dict[str, Json] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The nodes that every run begins with: its own, the root's driver, and the root."""
        self.group((), "Running")
        self.pod(("root-driver",), "system-dag-driver", (Attempt("Succeeded"),))
        self.group(("root",), "Running")

    def task(self, key: str, *attempts: Attempt, under: Sequence[str] = ()) -> "Workflow":
        """Add or change a task that its driver has prepared, with the conditions around it."""
        way = ("root", *under)
        for depth in range(1, len(way)):
            driver = (*way[:depth], f"{way[depth]}-driver")
            self.pod(driver, "system-dag-driver", (Attempt("Succeeded"),))
            self.group(way[: depth + 1], attempts[-1].phase, attempts[-1].ended)
        self.driver(key, Attempt("Succeeded"), under=under)
        self.group((*way, key), attempts[-1].phase, attempts[-1].ended)
        self.pod((*way, key, "executor"), "retry-system-container-impl", attempts)
        return self

    def driver(self, key: str, *attempts: Attempt, under: Sequence[str] = ()) -> "Workflow":
        """Add what prepares a task."""
        self.pod(("root", *under, f"{key}-driver"), "system-container-driver", attempts)
        return self

    def end(self, phase: Phase) -> "Workflow":
        """The run has ended, and with it what still ran."""
        for node in self.nodes.values():
            if node["phase"] == "Running":
                node.update(phase=phase, finishedAt=ENDED)
        return self

    def group(self, way: Sequence[str], phase: Phase, ended: str = ENDED) -> None:
        """A DAG of KFP's compiler, and its one attempt."""
        self._node(way, None, "Retry", "dag", Attempt(phase, ended=ended))
        self._node(way, 0, "DAG", "dag", Attempt(phase, ended=ended))

    def pod(self, way: Sequence[str], template: str, attempts: Sequence[Attempt]) -> None:
        """A pod and its attempts; the last one decides."""
        self._node(way, None, "Retry", template, attempts[-1])
        for number, attempt in enumerate(attempts):
            node = self._node(way, number, "Pod", template, attempt)
            pod = f"{self.name}-{template}-{node['id'].rpartition('-')[2]}"
            self.logs[pod] = attempt.log or f"{attempt.message}\n"

    def manifest(self) -> str:
        """The workflow as API v1beta1 hands it out: JSON within JSON."""
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "creationTimestamp": CREATED,
        }
        return json.dumps({"metadata": metadata, "spec": {}, "status": {"nodes": self.nodes}})

    def task_details(self, run_id: str) -> list[Json]:
        """The nodes as API v2beta1 tells of them: a task is known by its name alone.

        `pod_name`, `error` and `parent_task_id` are empty, and what is empty is not sent. The
        children are ids of nodes, which are in no detail.
        """
        return [self._detail(run_id, self.nodes[key]) for key in sorted(self.nodes)]

    def _detail(self, run_id: str, node: Json) -> Json:
        detail: Json = {
            "run_id": run_id,
            "task_id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run_id} {node['id']}")),
            "display_name": node["displayName"],
            "create_time": CREATED,
            "start_time": node["startedAt"],
            "end_time": node["finishedAt"] or NEVER,
        }
        if state := STATES.get(node["phase"]):
            detail["state"] = state
            detail["state_history"] = [{"update_time": node["startedAt"], "state": state}]
        if node.get("children"):
            detail["child_tasks"] = [{"pod_name": child} for child in node["children"]]
        return detail

    def _node(
        self, way: Sequence[str], number: int | None, kind: str, template: str, attempt: Attempt
    ) -> Json:
        whole = ".".join((self.name, *way)) if way else self.name
        # Each group on the way is within its first attempt.
        name = "(0).".join(whole.split(".")) + ("" if number is None else f"({number})")
        above = name.rpartition(".")[0] if number is None else name.rpartition("(")[0]
        node = self.nodes.setdefault(
            self._id(name),
            {
                "id": self._id(name),
                "name": name,
                "displayName": name.rpartition(".")[2],
                "type": kind,
                "templateName": template,
                "startedAt": CREATED,
                "children": [],
            },
        )
        is_running = attempt.phase == "Running"
        node.update(phase=attempt.phase, finishedAt=None if is_running else attempt.ended)
        # A Retry node repeats the last attempt's message; a DAG says nothing of its own.
        if attempt.message:
            node["message"] = attempt.message
        if above and node["id"] not in self.nodes[self._id(above)]["children"]:
            self.nodes[self._id(above)]["children"].append(node["id"])
        return node

    def _id(self, name: str) -> str:
        """As Argo makes it: the workflow's name and the 32 bits of FNV-1a of the node's name."""
        if name == self.name:
            return name
        number = 2166136261
        for byte in name.encode():
            number = (number ^ byte) * 16777619 % 2**32
        return f"{self.name}-{number}"
