"""A run of Kubeflow Pipelines as data: how its tasks stand, and what is news.

KFP tells of a run by the nodes of Argo's workflow: a node for each task, others for its attempts,
its pod and its driver, and nodes for conditions. Only the compiled pipeline knows which of them are
tasks. Why a run failed is found by `failure`.
"""

import time
from collections.abc import Callable, Iterable, Mapping
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
BROKEN: Final = frozenset({"FAILED", "CANCELED"})
ENDED: Final = BROKEN | {SUCCEEDED, "SKIPPED"}
# States that are news to people; KFP has more, such as PENDING, on the way to them.
_NEWS: Final[Mapping[str, Literal["running", "done", "failed"]]] = {
    "RUNNING": "running",
    SUCCEEDED: "done",
    "FAILED": "failed",
    "CANCELED": "failed",
}


class RunSummary(NamedTuple):
    """A run in short: its pipeline, its state as KFP names it, when it ended (None: not yet)."""

    pipeline: str
    state: str
    finished_at: datetime | None


@dataclass(frozen=True)
class Node:
    """A node of the workflow: state as KFP names it, seconds it took, when it ended if it did."""

    name: str
    state: str
    seconds: float = 0.0
    ended_at: datetime | None = None


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
        titles = titles_of(self.tasks)
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


def titles_of(tasks: Iterable[Task]) -> dict[str, str]:
    """Titles by what KFP may call a task: its key in the workflow, or already its title."""
    known = list(tasks)
    return {task.title: task.title for task in known} | {task.name: task.title for task in known}
