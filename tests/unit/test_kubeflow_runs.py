"""Following a run of Kubeflow Pipelines by what it says of its nodes."""

from collections.abc import Iterator

import pytest

from clocks import HandClock
from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Task
from parivision.kubeflow.local_runs import Event
from parivision.kubeflow.runs import PATIENCE_S, POLL_S, Follower, Node, RunState, follow

TASKS = [Task("ingest", "ingest", {}), Task("train-2", "train xgboost", {})]


def state(name: str, *nodes: Node) -> RunState:
    """A run that stands like this."""
    return RunState("run-1", "training-1", name, nodes=nodes)


def executed(task: str, how: str) -> list[Node]:
    """The nodes of a task as KFP names them: its driver, itself, its pod, and attempts of each."""
    names = {
        f"{task}-driver": "SUCCEEDED",
        f"{task}-driver(0)": "SUCCEEDED",
        task: how,
        f"{task}(0)": how,
        "executor": how,
        "executor(0)": how,
    }
    return [Node(name, state, 9.0) for name, state in names.items()]


def followed(answers: Iterator[RunState | PipelineError]) -> tuple[RunState, list[Event], float]:
    """Follow a run that answers like this: its last state, what was told, how long it took."""
    events: list[Event] = []
    clock = HandClock(0.0)

    def ask() -> RunState:
        answer = next(answers)
        if isinstance(answer, PipelineError):
            raise answer
        return answer

    last = follow(ask, Follower(TASKS, events.append), sleep=clock.sleep, clock=clock)
    return last, events, clock.now_s


def test_tasks_are_told_once_as_they_begin_and_end() -> None:
    """Each task under its title; drivers, pods and conditions are no news."""
    root = Node("root", "RUNNING")
    frames = [
        state("PENDING"),
        state("RUNNING", root, *executed("ingest", "RUNNING")),
        state("RUNNING", root, *executed("ingest", "RUNNING")),
        state("RUNNING", root, *executed("ingest", "SUCCEEDED"), *executed("train-2", "RUNNING")),
        state("SUCCEEDED", *executed("ingest", "SUCCEEDED"), *executed("train-2", "SUCCEEDED")),
    ]
    last, events, seconds = followed(iter(frames))
    assert last.state == "SUCCEEDED"
    assert [(event.task, event.state) for event in events] == [
        ("ingest", "running"),
        ("ingest", "done"),
        ("train xgboost", "running"),
        ("train xgboost", "done"),
    ]
    assert events[1].seconds == 9.0
    assert seconds == POLL_S * 4


def test_kfp_may_be_away_for_a_while() -> None:
    """The run is looked at again when KFP is back."""
    away = PipelineError("no answer")
    frames: list[RunState | PipelineError] = [state("RUNNING"), away, away, state("SUCCEEDED")]
    assert followed(iter(frames))[0].state == "SUCCEEDED"


def test_kfp_that_stays_away_ends_the_following() -> None:
    """After some minutes without an answer the last error is raised."""
    with pytest.raises(PipelineError, match="no answer 101"):
        followed(PipelineError(f"no answer {number}") for number in range(1000))
    assert PATIENCE_S / POLL_S == 100
