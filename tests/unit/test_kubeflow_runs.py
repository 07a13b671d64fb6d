"""Following a run of Kubeflow Pipelines by what it says of its nodes."""

from collections.abc import Iterator

import pytest

from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Task
from parivision.kubeflow.local_runs import Event
from parivision.kubeflow.runs import PATIENCE_S, POLL_S, Follower, Node, RunState, check, follow

TASKS = [Task("ingest", "ingest", {}), Task("train-2", "train xgboost", {})]


def state(name: str, *nodes: Node, message: str = "") -> RunState:
    """A run that stands like this."""
    return RunState("run-1", "training-1", name, message, nodes)


def executed(task: str, how: str, message: str = "", attempts: tuple[str, ...] = ()) -> list[Node]:
    """The nodes of a task: its driver, itself, its pod or the attempts of it."""
    driver = Node(f"{task}-d", f"{task}-driver", "SUCCEEDED", children=(task,))
    own = Node(task, task, how, 9.0, children=(f"{task}-e",))
    pods = tuple(f"{task}-{number}" for number in range(len(attempts)))
    pod = Node(f"{task}-e", "executor", how, message="" if pods else message, children=pods)
    tried = [
        Node(key, f"executor({number})", attempt, message=message)
        for number, (key, attempt) in enumerate(zip(pods, attempts, strict=True))
    ]
    return [driver, own, pod, *tried]


def failure(run: RunState) -> str:
    """The error that a run ends with."""
    with pytest.raises(PipelineError) as failed:
        check(run, "training", TASKS)
    return str(failed.value)


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def read(self) -> float:
        """The time."""
        return self.now_s


def followed(answers: Iterator[RunState | PipelineError]) -> tuple[RunState, list[Event], float]:
    """Follow a run that answers like this: its last state, what was told, how long it took."""
    events: list[Event] = []
    clock = Clock()

    def ask() -> RunState:
        answer = next(answers)
        if isinstance(answer, PipelineError):
            raise answer
        return answer

    last = follow(ask, Follower(TASKS, events.append), sleep=clock.sleep, clock=clock.read)
    return last, events, clock.now_s


def test_tasks_are_told_once_as_they_begin_and_end() -> None:
    """Each task under its title; drivers, pods and conditions are no news."""
    root = Node("root", "root", "RUNNING", children=("ingest-d",))
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
    check(last, "training", TASKS)


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


def test_a_failed_task_is_named_with_the_message_of_its_pod() -> None:
    """The deepest node says why; what lies above only says that something below failed."""
    root = Node("root", "root", "FAILED", message="child failed", children=("train-2-d",))
    run = state(
        "FAILED", root, *executed("train-2", "FAILED", "main: Error (exit code 1): no shots")
    )
    assert failure(run) == (
        "the task 'train xgboost' of the pipeline training failed: "
        "main: Error (exit code 1): no shots"
    )


def test_an_attempt_before_one_that_succeeded_is_no_cause() -> None:
    """A retry that helped is not what the run failed of."""
    helped = executed("ingest", "SUCCEEDED", "node lost", ("FAILED", "SUCCEEDED"))
    run = state("FAILED", *helped, *executed("train-2", "FAILED", "out of memory", ("FAILED",) * 3))
    assert failure(run).endswith("'train xgboost' of the pipeline training failed: out of memory")


def test_a_driver_that_failed_names_its_task() -> None:
    """What KFP prepares a task with belongs to the task, also when the one before succeeded."""
    done = executed("ingest", "SUCCEEDED")
    before = Node("ingest-e", "executor", "SUCCEEDED", children=("train-2-d",))
    driver = Node("train-2-d", "train-2-driver", "FAILED", message="artifact not found")
    run = state("FAILED", *done[:2], before, driver)
    assert failure(run) == (
        "the task 'train xgboost' of the pipeline training failed: artifact not found"
    )


def test_a_node_that_is_no_task_is_named_as_kfp_names_it() -> None:
    """Nothing is hidden when a part of KFP's own failed."""
    run = state("FAILED", Node("r", "root-driver", "FAILED", message="no permission"))
    assert failure(run) == "the task 'root' of the pipeline training failed: no permission"


def test_a_run_that_failed_without_nodes_says_what_kfp_says() -> None:
    """A workflow that Argo refused has a message and no nodes."""
    assert failure(state("FAILED", message="invalid spec")) == (
        "the run training-1 of the pipeline training failed: invalid spec"
    )
    assert failure(state("FAILED")).endswith("failed: KFP says no more")


def test_a_cancelled_run_says_so() -> None:
    """Somebody ended it: that is no success."""
    assert failure(state("CANCELED", *executed("ingest", "CANCELED"))) == (
        "the task 'ingest' of the pipeline training was cancelled: KFP says no more"
    )


def test_nodes_in_a_circle_do_not_hang() -> None:
    """Whatever KFP answers, the error comes."""
    circle = (
        Node("a", "x", "FAILED", children=("b",)),
        Node("b", "y", "SUCCEEDED", children=("a",)),
    )
    assert "'x' of the pipeline training failed" in failure(state("FAILED", *circle))
