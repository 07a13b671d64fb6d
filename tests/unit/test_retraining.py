"""When an alert starts a retraining: the decision, the messages, the storm."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parivision.errors import DataError, PipelineError
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.kubeflow.pipeline_versions import PipelineVersion
from parivision.kubeflow.runs import RunState
from parivision.retraining.notices import MOST_BYTES, Notice, read
from parivision.retraining.policy import AlertAnswer, RetrainingPolicy, decide
from parivision.retraining.retrainer import Retrainer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRIFT = Notice((("ParivisionDrift", "The shots moved"),))
STATES = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED", "RUNNING", "PENDING", "PAUSED")


def past(state, hours_ago, name="training"):
    """A run that began so long ago."""
    return RunState(name, name, state, pipeline_id="p", created_at=NOW - hours_ago * HOUR)


def message(*alerts, version="4"):
    """What Alertmanager posts."""
    return json.dumps({"version": version, "status": "firing", "alerts": alerts}).encode()


def alert(name="ParivisionDrift", status="firing", summary="moved", **labels):
    """An alert of a message."""
    labels = {"alertname": name, "retrain": "true", **labels}
    return {"status": status, "labels": labels, "annotations": {"summary": summary}}


@pytest.mark.parametrize(
    ("runs", "outcome", "next_in_hours"),
    [
        ([], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 25)], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 24)], AlertAnswer.STARTED, None),
        ([past("SUCCEEDED", 20)], AlertAnswer.TOO_SOON, 4),
        ([past("RUNNING", 100)], AlertAnswer.RUNNING, None),
        ([past("PENDING", 0), past("SUCCEEDED", 100)], AlertAnswer.RUNNING, None),
        # A run that somebody started by hand long ago still counts while it goes on.
        ([past("SUCCEEDED", 30), past("RUNNING", 90)], AlertAnswer.RUNNING, None),
        ([past("FAILED", 25)], AlertAnswer.BACKING_OFF, 23),
        ([past("FAILED", 49)], AlertAnswer.STARTED, None),
        ([past("FAILED", 60), past("CANCELED", 90)], AlertAnswer.BACKING_OFF, 36),
        (
            [past("FAILED", 25), past("SUCCEEDED", 60), past("FAILED", 90)],
            AlertAnswer.BACKING_OFF,
            23,
        ),
        ([past("FAILED", 50 + 10 * i) for i in range(20)], AlertAnswer.BACKING_OFF, 142),
        ([past("FAILED", 193 + 10 * i) for i in range(20)], AlertAnswer.STARTED, None),
    ],
)
def test_when_it_may_start(runs, outcome, next_in_hours):
    """Once a day, never beside a run, and twice as long after each failure, up to eight days."""
    decision = decide(runs, NOW, RetrainingPolicy())
    assert decision.outcome is outcome, decision.reason
    wanted = None if next_in_hours is None else NOW + next_in_hours * HOUR
    assert decision.next_at == wanted
    assert decision.may_start == (outcome is AlertAnswer.STARTED)


@example(past=[("SUCCEEDED", 0), ("FAILED", 0)], window_h=1, longest_h=1)
@given(
    past=st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 500)), max_size=8),
    window_h=st.integers(1, 48),
    longest_h=st.integers(1, 400),
)
def test_whatever_was_before_the_promises_hold(past, window_h, longest_h):
    """No second run in a window or beside another, and none is put off for ever."""
    runs = [
        RunState(str(i), str(i), state, created_at=NOW - hours * HOUR)
        for i, (state, hours) in enumerate(past)
    ]
    policy = RetrainingPolicy(window_h * HOUR, longest_h * HOUR)
    decision = decide(runs, NOW, policy)
    if decision.may_start:
        assert all(run.has_ended for run in runs)
        starts = [run.created_at for run in runs if run.created_at is not None]
        assert len(starts) == len(runs)
        assert all(NOW - start >= policy.window for start in starts)
    elif decision.next_at is not None:
        assert decision.next_at - NOW <= max(policy.window, policy.longest)
        assert decide(runs, decision.next_at, policy).may_start
    assert decide(list(reversed(runs)), NOW, policy).outcome is decision.outcome


def test_only_firing_alerts_that_ask_for_it_count():
    """Resolved ones and others start nothing; names and summaries are kept, each once."""
    body = message(
        alert(),
        alert(),
        alert("ParivisionQualityFell", summary=" worse \n than promised"),
        alert("ParivisionDrift", status="resolved"),
        alert("ParivisionSlow", retrain="false"),
    )
    notice = read(body)
    assert notice.names == ("ParivisionDrift", "ParivisionQualityFell")
    assert notice.cause == "ParivisionDrift: moved; ParivisionQualityFell: worse than promised"
    assert read(message()).alerts == ()


def test_a_cause_of_many_alerts_stays_short():
    """The first ones are named, the others counted."""
    notice = read(message(*(alert(f"A{i}", summary="x" * 900) for i in range(40))))
    assert notice.cause.endswith("; and 35 more")
    assert len(notice.cause) < 1200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "version 4"),
        (message(alert(), version="3"), "version 4"),
        (b'{"version": "4"}', "alerts"),
        (b'{"version": "4", "alerts": [1]}', "alerts"),
        (message({"status": "firing", "labels": {}}), "alerts"),
        (message({"status": "firing", "labels": {"alertname": 1}}), "alerts"),
        (message({"status": "odd", "labels": {"alertname": "a"}}), "alerts"),
        (b" " * (MOST_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_message_is_refused_with_a_sentence(body, said):
    """Whoever configured the sender is told what was expected."""
    with pytest.raises(DataError, match=said):
        read(body)


class Kubeflow:
    """Runs in memory, as Kubeflow would list them."""

    def __init__(self):
        self.listed, self.asked, self.is_away = [], 0, False
        self.started = []
        self.runs = self.pipelines = self

    def connect(self):
        """Itself, unless it is away."""
        if self.is_away:
            raise PipelineError("no answer from Kubeflow Pipelines")
        return self

    def past(self, pipeline):
        """All runs of the pipeline."""
        self.asked += 1
        ids = {"training": "p", "etl": "e"}
        return [run for run in self.listed if run.pipeline_id == ids[pipeline]]

    def upload(self, compiled):
        """A version."""
        return PipelineVersion("p", "v", f"parivision-{compiled.name}-0", is_new=True)

    def start(self, version, arguments, reason=""):
        """A run that goes on."""
        self.started.append((version.name, dict(arguments), reason))
        run_id = f"run-{len(self.started)}"
        self.listed.insert(0, RunState(run_id, run_id, "RUNNING", pipeline_id="p", created_at=NOW))
        return run_id


@pytest.fixture
def kubeflow():
    """A Kubeflow without runs."""
    return Kubeflow()


@pytest.fixture
def time_s():
    """Seconds of a clock that is moved by hand."""
    return [0.0]


@pytest.fixture
def retrainer(kubeflow, time_s):
    """A retrainer at noon."""
    return Retrainer(
        kubeflow.connect,
        Compiled.read(compiled_file("training")),
        {"source": "synthetic:", "target": "kubernetes"},
        now=lambda: NOW,
        clock=lambda: time_s[0],
    )


def test_a_storm_starts_one_run_with_its_cause(retrainer, kubeflow):
    """A thousand alerts at once, from many threads: one run, and hardly a question more."""
    gate = threading.Barrier(16)

    def storm(_):
        gate.wait()
        return [retrainer.answer(DRIFT).outcome for _ in range(63)]

    with ThreadPoolExecutor(16) as pool:
        outcomes = [one for several in pool.map(storm, range(16)) for one in several]
    assert outcomes.count(AlertAnswer.STARTED) == 1
    assert outcomes.count(AlertAnswer.RUNNING) == 16 * 63 - 1
    ((name, arguments, why),) = kubeflow.started
    assert name == "parivision-training-0"
    assert arguments["cause"] == "ParivisionDrift: The shots moved"
    assert (arguments["source"], why) == ("synthetic:", "ParivisionDrift")
    assert kubeflow.asked == 1


def test_a_no_is_thought_over_again(retrainer, kubeflow, time_s):
    """Once the run has ended and the window is over, the next alert starts one."""
    retrainer.answer(DRIFT)
    time_s[0] = 10.0
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.RUNNING
    kubeflow.listed = [past("SUCCEEDED", 30)]
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.RUNNING  # the last answer stands
    time_s[0] = 20.0
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.STARTED
    assert len(kubeflow.started) == 2


def test_runs_of_other_pipelines_do_not_count(retrainer, kubeflow):
    """An ETL that goes on is not in the way."""
    kubeflow.listed = [RunState("e", "e", "RUNNING", pipeline_id="e", created_at=NOW)]
    assert retrainer.preview().may_start
    assert not kubeflow.started


def test_with_kubeflow_away_nothing_is_remembered(retrainer, kubeflow):
    """The error is the caller's to tell; the same alert starts a run once it is back."""
    kubeflow.is_away = True
    with pytest.raises(PipelineError):
        retrainer.answer(DRIFT)
    kubeflow.is_away = False
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.STARTED
    assert retrainer.started_at == NOW
    kubeflow.listed = [past("FAILED", 1), past("FAILED", 2)]
    assert retrainer.preview().outcome is AlertAnswer.BACKING_OFF
    assert retrainer.failures == 2
