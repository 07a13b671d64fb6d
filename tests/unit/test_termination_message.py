"""The termination message of a task that failed."""

from pathlib import Path

import pytest

from parivision import settings
from parivision.errors import DataError
from parivision.settings import Settings
from parivision.stages import termination_message
from parivision.stages.termination_message import writes_termination_message

POD = {"PARIVISION_POD": "etl-1"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty termination log, as the kubelet makes it."""
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setattr(termination_message, "FILE", path)
    return path


def failing(error: Exception) -> None:
    """Run a step in a pod that fails with an error."""

    @writes_termination_message
    def step(_settings: Settings, _times: int) -> None:
        raise error

    with pytest.raises(type(error)):
        step(settings.read(POD), 1)


def test_an_error_of_ours_is_told_as_people_read_it(file: Path) -> None:
    """What was expected, what came and what to do stands in the pod's status."""
    failing(DataError("silver has no shots: run `parivision ingest`"))
    assert file.read_text() == "silver has no shots: run `parivision ingest`"


def test_another_error_is_told_with_its_kind(file: Path) -> None:
    """An error that nobody foresaw says what it is."""
    failing(ZeroDivisionError("division by zero"))
    assert file.read_text() == "ZeroDivisionError: division by zero"


def test_more_than_the_kubelet_keeps_is_cut(file: Path) -> None:
    """A message of any length leaves a file of at most 4 KiB."""
    failing(DataError("é" * 5000))
    assert file.stat().st_size == 4096


def test_a_step_that_succeeds_says_nothing(file: Path) -> None:
    """The result goes through, and the file stays empty."""

    @writes_termination_message
    def double(_settings: Settings, number: int, *, plus: int = 0) -> int:
        return 2 * number + plus

    assert double(settings.read(POD), 2, plus=1) == 5
    assert file.read_text() == ""


def test_outside_of_a_pod_nothing_is_written(file: Path, tmp_path: Path) -> None:
    """On a machine of one's own an error is raised as it was, wherever such a file may be."""

    @writes_termination_message
    def step(_settings: Settings) -> None:
        raise DataError("no")

    with pytest.raises(DataError):
        step(settings.read({"PARIVISION_HOME": str(tmp_path)}))
    assert file.read_text() == ""
    file.unlink()
    failing(DataError("nobody listens"))
    assert not file.exists()
