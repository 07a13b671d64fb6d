"""A run of Kubeflow Pipelines as data: how its tasks stand, what is news, why it failed.

KFP tells of a run by the nodes of Argo's workflow: a node for each task, below it one for its pod,
beside it one for its driver, and nodes for conditions. Only the compiled pipeline knows which of
them are tasks.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Task
from parivision.kubeflow.local_runs import Event, OnEvent

POLL_S: Final = 3.0
PATIENCE_S: Final = 300.0
"""How long KFP may be silent before following it ends; the run goes on."""
SUCCEEDED: Final = "SUCCEEDED"
_BROKEN: Final = frozenset({"FAILED", "CANCELED"})
ENDED: Final = _BROKEN | {SUCCEEDED, "SKIPPED"}
_NEWS: Final[Mapping[str, Literal["running", "done", "failed"]]] = {
    "RUNNING": "running",
    SUCCEEDED: "done",
    "FAILED": "failed",
    "CANCELED": "failed",
}
_DRIVER: Final = "-driver"


class RunSummary(NamedTuple):
    """A run in short: its pipeline, its state as KFP names it, when it ended (None: not yet)."""

    pipeline: str
    state: str
    finished_at: datetime | None


@dataclass(frozen=True)
class Node:
    """A node of the workflow: state as KFP names it, seconds it took, its message, what it led to.

    `children` are keys of nodes.
    """

    key: str
    name: str
    state: str
    seconds: float = 0.0
    message: str = ""
    children: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunState:
    """A run: state as KFP names it, its message, and the nodes that there are so far."""

    run_id: str
    name: str
    state: str
    message: str = ""
    nodes: tuple[Node, ...] = ()
    pipeline_id: str = ""
    created_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


@dataclass
class Follower:
    """Tells what is new in a run, task by task, with the titles that the pipeline gives them."""

    tasks: Iterable[Task]
    on_event: OnEvent
    reported: dict[str, str] = field(default_factory=dict)

    def report(self, run: RunState) -> None:
        """Report every task whose state is not the one that was reported last."""
        titles = _titles(self.tasks)
        for node in run.nodes:
            news = _NEWS.get(node.state)
            title = titles.get(node.name)
            if title is None or news is None or self.reported.get(title) == news:
                continue
            self.reported[title] = news
            self.on_event(Event(title, news, node.seconds))


def follow(
    ask: Callable[[], RunState],
    follower: Follower,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> RunState:
    """Ask how a run stands until it has ended, and tell what is new; returns its last state.

    KFP may be away for a while: an answer that does not come is asked for again. When it stays
    away the last PipelineError is raised, and the run goes on.
    """
    answered_s = clock()
    while True:
        try:
            run = ask()
        except PipelineError:
            if clock() - answered_s > PATIENCE_S:
                raise
        else:
            answered_s = clock()
            follower.report(run)
            if run.has_ended:
                return run
        sleep(POLL_S)


def check(run: RunState, pipeline: str, tasks: Iterable[Task]) -> None:
    """Raise a PipelineError that names the failed task and says why, unless the run succeeded."""
    if run.state not in _BROKEN:
        return
    verb = "failed" if run.state == "FAILED" else "was cancelled"
    nodes, titles = {node.key: node for node in run.nodes}, _titles(tasks)
    cause = _first_cause(nodes, titles)
    message = (cause.message if cause else "") or run.message or "KFP says no more"
    if cause is None:
        raise PipelineError(f"the run {run.name} of the pipeline {pipeline} {verb}: {message}")
    name = _owner(cause, nodes, titles).name.removesuffix(_DRIVER)
    raise PipelineError(
        f"the task {titles.get(name, name)!r} of the pipeline {pipeline} {verb}: {message}"
    )


def _titles(tasks: Iterable[Task]) -> dict[str, str]:
    """Titles by what KFP may call a task: its key in the workflow, or already its title."""
    known = list(tasks)
    return {task.title: task.title for task in known} | {task.name: task.title for task in known}


def _first_cause(nodes: Mapping[str, Node], titles: Mapping[str, str]) -> Node | None:
    """The deepest broken node; one with a message before one without.

    An attempt that failed before a later one succeeded broke nothing.
    """
    broken = [node for node in nodes.values() if node.state in _BROKEN]
    ancestors = {higher.key for node in broken for higher in _ancestors(node, nodes)}
    causes = [
        node
        for node in broken
        if node.key not in ancestors and _owner(node, nodes, titles).state in _BROKEN
    ]
    return next((node for node in causes if node.message), causes[0] if causes else None)


def _owner(node: Node, nodes: Mapping[str, Node], titles: Mapping[str, str]) -> Node:
    """The task's node that a node belongs to; the node itself if that is none, as for a driver."""
    if node.name.endswith(_DRIVER):
        return node
    lineage = (node, *_ancestors(node, nodes))
    return next((above for above in lineage if above.name in titles), node)


def _ancestors(node: Node, nodes: Mapping[str, Node]) -> Iterator[Node]:
    parents = {child: above for above in nodes.values() for child in above.children}
    seen = {node.key}
    while (above := parents.get(node.key)) is not None and above.key not in seen:
        yield above
        seen.add(above.key)
        node = above
