"""Why a run of Kubeflow Pipelines failed: the task, and the sentence that it ended with.

The sentence is where the first of these has it: the message of the pod's node in the workflow,
the exception in the pod's log. KFP's API v2beta1 has neither.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Task
from parivision.kubeflow.runs import BROKEN, RunState, titles_of
from parivision.kubeflow.task_logs import last_exception, without_module
from parivision.kubeflow.workflow import DRIVER, Workflow

_NO_MORE: Final = "KFP says no more: see the end of the task's Logs on the run's page"


class Records(Protocol):
    """Where KFP keeps what is known of a run."""

    def workflow(self, run_id: str) -> Workflow | None:
        """The workflow of a run; None where it cannot be had."""

    def log(self, run_id: str, workflow: Workflow, pod: str) -> str:
        """The log of a pod of a run; empty where it cannot be had."""


def check(run: RunState, pipeline: str, tasks: Iterable[Task], records: Records) -> None:
    """Raise a PipelineError that names the failed task and says why, unless the run succeeded."""
    if run.state not in BROKEN:
        return
    verb = "failed" if run.state == "FAILED" else "was cancelled"
    name, reason = _cause(run, titles_of(tasks), records)
    reason = reason or run.message or _NO_MORE
    what = f"the task {name!r}" if name else f"the run {run.name}"
    raise PipelineError(f"{what} of the pipeline {pipeline} {verb}: {reason}")


def _cause(run: RunState, titles: Mapping[str, str], records: Records) -> tuple[str, str]:
    """The title of the task that failed and what it said; each empty if it is not known."""
    workflow = records.workflow(run.run_id)
    node = workflow.first_failure(titles) if workflow else None
    if workflow is None or node is None:
        return _by_names(run, titles), ""
    owner = node.owner(titles)
    sentence = node.sentence
    if not sentence and node.pod:
        sentence = _exception(records.log(run.run_id, workflow, node.pod))
    return titles.get(owner, owner), sentence or node.message


def _by_names(run: RunState, titles: Mapping[str, str]) -> str:
    """The task that failed first, told by the names of nodes: of no other node is that known."""
    # A task whose driver failed never began: its driver's node stands for it.
    broken = [
        (node.ended_at.timestamp() if node.ended_at else math.inf, titles[name])
        for node in run.nodes
        if node.state in BROKEN and (name := node.name.removesuffix(DRIVER)) in titles
    ]
    return min(broken)[1] if broken else ""


def _exception(log: str) -> str:
    lines = log.splitlines()
    raised = last_exception(lines)
    return "" if raised is None else without_module(lines[raised])
