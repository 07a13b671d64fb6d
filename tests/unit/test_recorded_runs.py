"""Pipeline runs of the command line are told to the registry, whatever becomes of them."""

import pytest

from parivision.cli import context, pipelines
from parivision.errors import PipelineError, RegistryError, SettingsError
from parivision.kubeflow.local_runs import Run
from parivision.settings import read


class Registry:
    """Keeps what it is told, or is down."""

    def __init__(self, error=None):
        self.told = []
        self._error = error

    def record_pipeline(self, pipeline, *, seconds, failure=None):
        """Note a run."""
        if self._error:
            raise self._error
        self.told.append((pipeline, seconds >= 0, failure))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs a pipeline that ends in a given way, with a given registry."""

    def run_with(end, registry):
        def run_local(name, arguments, settings, *, on_event):
            if isinstance(end, BaseException):
                raise end
            return end

        monkeypatch.setattr("parivision.kubeflow.local_runs.run_local", run_local)
        monkeypatch.setattr(context, "registry", lambda settings, **_: registry)
        return pipelines.run_pipeline("etl", {}, read({"PARIVISION_HOME": str(tmp_path)}))

    return run_with


@pytest.fixture
def done(tmp_path):
    """What a run that succeeded gives."""
    return Run("etl", tmp_path, tmp_path / "run.log")


def test_a_run_that_succeeds_is_recorded(run, done):
    """Its result is given on."""
    registry = Registry()
    assert run(done, registry) is done
    assert registry.told == [("etl", True, None)]


def test_a_run_that_fails_is_recorded_with_its_reason(run):
    """Its error is raised all the same."""
    registry = Registry()
    with pytest.raises(PipelineError, match="no shots"):
        run(PipelineError("the task 'ingest' failed: no shots"), registry)
    assert registry.told == [("etl", True, "the task 'ingest' failed: no shots")]


@pytest.mark.parametrize("end", [SettingsError("no parameter 'seize'"), KeyboardInterrupt()])
def test_what_never_ran_or_was_broken_off_is_no_run(run, end):
    """A slip and a Ctrl-C are nobody's failure."""
    registry = Registry()
    with pytest.raises(type(end)):
        run(end, registry)
    assert registry.told == []


def test_a_registry_that_is_down_hides_nothing(run, done, capsys):
    """The run's own end counts, and that it is not recorded is said."""
    down = Registry(RegistryError("cannot log the run"))
    assert run(done, down) is done
    with pytest.raises(PipelineError, match="no shots") as failed:
        run(PipelineError("no shots"), down)
    assert failed.value.__context__ is None
    assert capsys.readouterr().err.count("the run is not recorded: cannot log the run") == 2
