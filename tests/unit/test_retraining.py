"""A retraining that an alert starts, on Kubeflow Pipelines and as a Job: once, whatever comes."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from kubernetes import client

import jobs_standin
from jobs_standin import JobsStandin
from parivision.errors import PipelineError, ServiceError, SettingsError
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.kubeflow.pipeline_versions import PipelineVersion
from parivision.kubeflow.runs import RunState
from parivision.kubernetes import AwayError, CronJobRuns, cron_job_runs
from parivision.retraining.job_runner import JobRunner
from parivision.retraining.kubeflow_runner import KubeflowRunner
from parivision.retraining.notices import Notice
from parivision.retraining.policy import AlertAnswer, RetrainingPolicy, decide
from parivision.retraining.retrainer import Retrainer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DRIFT = Notice((("ParivisionDrift", "The shots moved"),))


class OnKubeflow:
    """Runs in memory, as Kubeflow would list them."""

    def __init__(self):
        self.listed, self.asked, self.is_away = [], 0, False
        self.started = []
        self.runs = self.pipelines = self
        compiled = Compiled.read(compiled_file("training"))
        self.runner = KubeflowRunner(
            self.connect,
            compiled,
            {"source": "synthetic:", "target": "kubernetes"},
            clock=lambda: NOW,
        )

    def connect(self):
        """Itself, unless it is away."""
        if self.is_away:
            raise PipelineError("no answer from Kubeflow Pipelines")
        return self

    def past(self, pipeline):
        """All runs of the pipeline."""
        self.asked += pipeline == "training"
        ids = {"training": "p", "etl": "e", "monitoring": "m"}
        return [run for run in self.listed if run.pipeline_id == ids[pipeline]]

    def upload(self, compiled):
        """A version."""
        return PipelineVersion("p", "v", f"parivision-{compiled.name}-0", is_new=True)

    def start(self, version, arguments, reason=""):
        """A run that goes on."""
        assert version.name == "parivision-training-0"
        assert (arguments["source"], reason) == ("synthetic:", "ParivisionDrift")
        self.started.append(arguments["cause"])
        run_id = f"run-{len(self.started)}"
        self.listed.insert(0, RunState(run_id, run_id, "RUNNING", pipeline_id="p", created_at=NOW))
        return run_id

    def becomes(self, *runs, pipeline="training"):
        """Let these be the only runs: pairs of state and hours ago."""
        ids = {"training": "p", "etl": "e", "monitoring": "m"}
        self.listed = [
            RunState(f"r{i}", f"r{i}", state, pipeline_id=ids[pipeline], created_at=NOW - h * HOUR)
            for i, (state, h) in enumerate(runs)
        ]


class OnJobs:
    """Jobs of a stand-in of the Kubernetes API, which is asked over HTTP."""

    ENDS = {"SUCCEEDED": "Complete", "FAILED": "Failed", "RUNNING": ""}  # noqa: RUF012

    def __init__(self, standin: JobsStandin):
        self.standin = standin
        configuration = client.Configuration(host=standin.url)
        configuration.retries = False
        batch = client.BatchV1Api(client.ApiClient(configuration))
        self.jobs = CronJobRuns(batch, jobs_standin.NAMESPACE, jobs_standin.CRON_JOB, lambda: NOW)
        self.runner = JobRunner(self.jobs)

    @property
    def started(self):
        """The causes of the Jobs that an alert started."""
        pods = [job["spec"]["template"]["metadata"] for job in self.standin.jobs]
        return [pod["annotations"]["parivision.dev/cause"] for pod in pods if "annotations" in pod]

    @property
    def asked(self):
        """How often the Jobs were listed."""
        return self.standin.lists

    @property
    def is_away(self):
        """Whether the API answers nothing but that it cannot."""
        return self.standin.fault is not None

    @is_away.setter
    def is_away(self, is_away):
        self.standin.fault = 503 if is_away else None

    def becomes(self, *runs, pipeline="training"):
        """Let these be the only runs: pairs of state and hours ago."""
        self.standin.jobs.clear()
        for number, (state, hours) in enumerate(runs):
            label = {"parivision.dev/pipeline": pipeline}
            self.standin.add(f"job-{number}", NOW - hours * HOUR, self.ENDS[state], **label)


@pytest.fixture(params=["kubeflow", "jobs"])
def trainings(request):
    """Either of what can run trainings, without a run."""
    if request.param == "kubeflow":
        yield OnKubeflow()
        return
    with jobs_standin.serving() as standin:
        yield OnJobs(standin)


@pytest.fixture
def time_s():
    """Seconds of a clock that is moved by hand."""
    return [0.0]


@pytest.fixture
def retrainer(trainings, time_s):
    """A retrainer at noon."""
    return Retrainer(trainings.runner, now=lambda: NOW, clock=lambda: time_s[0])


@pytest.mark.parametrize("pipeline", ["training", "monitoring"])
def test_a_run_that_kubeflow_has_lost_does_not_block_for_ever(pipeline):
    """Its workflow was deleted: Kubeflow calls it running, and nothing will change that."""
    kubeflow = OnKubeflow()
    retrainer = Retrainer(kubeflow.runner, now=lambda: NOW)
    kubeflow.becomes(("RUNNING", 47), pipeline=pipeline)
    assert retrainer.preview().outcome is AlertAnswer.RUNNING
    kubeflow.becomes(("RUNNING", 49), pipeline=pipeline)
    assert retrainer.preview().may_start


def test_a_storm_starts_one_run_with_its_cause(retrainer, trainings):
    """A thousand alerts at once, from many threads: one run, and hardly a question more."""
    gate = threading.Barrier(16)

    def storm(_):
        gate.wait()
        return [retrainer.answer(DRIFT).outcome for _ in range(63)]

    with ThreadPoolExecutor(16) as pool:
        outcomes = [one for several in pool.map(storm, range(16)) for one in several]
    assert outcomes.count(AlertAnswer.STARTED) == 1
    assert outcomes.count(AlertAnswer.RUNNING) == 16 * 63 - 1
    assert trainings.started == ["ParivisionDrift: The shots moved"]
    assert trainings.asked == 1


def test_a_no_is_thought_over_again(retrainer, trainings, time_s):
    """Once the run has ended and the window is over, the next alert starts one."""
    retrainer.answer(DRIFT)
    time_s[0] = 10.0
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.RUNNING
    trainings.becomes(("SUCCEEDED", 30))
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.RUNNING  # the last answer stands
    time_s[0] = 20.0
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.STARTED
    assert trainings.started[-1] == "ParivisionDrift: The shots moved"


def test_runs_of_other_pipelines_do_not_count(retrainer, trainings):
    """An ETL that goes on is not in the way."""
    trainings.becomes(("RUNNING", 0), pipeline="etl")
    assert retrainer.preview().may_start
    assert not trainings.started


def test_beside_a_monitoring_that_may_promote_none_starts(retrainer, trainings):
    """Both would replace the champion that the other is judged against; its past does not count."""
    trainings.becomes(("RUNNING", 0), pipeline="monitoring")
    assert retrainer.preview().outcome is AlertAnswer.RUNNING
    trainings.becomes(("FAILED", 0), ("SUCCEEDED", 1), pipeline="monitoring")
    assert retrainer.preview().may_start
    assert retrainer.failures == 0


def test_once_a_window_and_backing_off(retrainer, trainings):
    """What was started by hand or by schedule counts; failures in a row double the window."""
    trainings.becomes(("SUCCEEDED", 20), ("FAILED", 40), ("FAILED", 80))
    assert retrainer.preview().outcome is AlertAnswer.TOO_SOON
    trainings.becomes(("FAILED", 30), ("FAILED", 60), ("SUCCEEDED", 90))
    decision = retrainer.preview()
    assert (decision.outcome, decision.next_at) == (AlertAnswer.BACKING_OFF, NOW + 66 * HOUR)
    assert retrainer.failures == 2
    trainings.becomes(("FAILED", 97), ("FAILED", 120), ("SUCCEEDED", 190))
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.STARTED


def test_with_the_runner_away_nothing_is_remembered(retrainer, trainings):
    """The error is the caller's to tell; the same alert starts a run once it is back."""
    trainings.is_away = True
    with pytest.raises((PipelineError, AwayError)):
        retrainer.answer(DRIFT)
    trainings.is_away = False
    assert retrainer.answer(DRIFT).outcome is AlertAnswer.STARTED
    assert retrainer.started_at == NOW
    trainings.becomes(("FAILED", 1), ("FAILED", 2))
    assert retrainer.preview().outcome is AlertAnswer.BACKING_OFF
    assert retrainer.failures == 2


@pytest.fixture
def on_jobs():
    """Jobs alone."""
    with jobs_standin.serving() as standin:
        yield OnJobs(standin)


def test_a_job_is_made_of_the_template_and_of_nothing_else(on_jobs):
    """Pod, labels and limits are the CronJob's own, fields that no client knows yet too.

    The admission policy of the chart refuses any other Job.
    """
    name = on_jobs.jobs.start("Drift: it moved")
    (made,) = on_jobs.standin.jobs
    template = jobs_standin.cron_job()["spec"]["jobTemplate"]
    assert made["metadata"]["name"] == name == "parivision-training-20260301-120000"
    assert made["metadata"]["labels"] == template["metadata"]["labels"]
    assert made["metadata"]["annotations"] == {"cronjob.kubernetes.io/instantiate": "manual"}
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", "cron-uid", True)
    pod = made["spec"]["template"]
    assert pod["metadata"].pop("annotations") == {"parivision.dev/cause": "Drift: it moved"}
    assert made["spec"] == template["spec"]


def test_every_job_of_the_pipeline_counts_and_no_other_release_s(on_jobs):
    """The first champion's Job is a run; the list is read to its end."""
    on_jobs.becomes(*(("FAILED", hours) for hours in range(30, 37)))
    on_jobs.standin.add("first-champion", NOW, **{"app.kubernetes.io/name": "first-champion"})
    on_jobs.standin.add("other", NOW, **{"app.kubernetes.io/instance": "other"})
    runs = on_jobs.runner.past()
    assert len(runs) == 8
    (going,) = [run for run in runs if not run.has_ended]
    assert going.name == "first-champion"
    assert decide(runs, NOW, RetrainingPolicy()).run_id == "first-champion"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (403, r"cannot read the CronJob.*forbids it \(403\).*chart `retraining`"),
        (422, r"answered 422"),
    ],
)
def test_a_refusal_says_what_to_do(on_jobs, fault, said):
    """Without its rights the service names the chart's Role."""
    on_jobs.standin.fault = fault
    with pytest.raises(ServiceError, match=rf"(?s){said}"):
        on_jobs.jobs.past()


def test_a_cron_job_that_is_not_there_is_named(on_jobs):
    """Whoever set the service up is told what to install or to name."""
    on_jobs.standin.cron_jobs.clear()
    with pytest.raises(ServiceError, match=r"CronJob parivision/parivision-training.*--cron-job"):
        on_jobs.jobs.past()


@pytest.mark.parametrize("name", ["training", "/training", "a/", "a/b/c"])
def test_what_names_no_cron_job_is_refused(name):
    """Before anything is asked."""
    with pytest.raises(SettingsError, match="NAMESPACE/NAME"):
        cron_job_runs(name)
