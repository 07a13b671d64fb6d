"""Recurring runs: they fire by themselves, and move to a new version of their pipeline.

What the project had scheduled before is removed.
"""

from collections.abc import Iterator

import pytest

from cluster.live_cluster import wait_for
from kubeflow.live_kubeflow import LiveKubeflow, Object
from parivision import __version__

SAME_IMAGE = f"docker.io/parivision/components-python:{__version__}"
"""Another name of the image that the pipelines are compiled for, and so another version."""
FIRES_S = 300.0
EVERY_MINUTE = ("--etl", "1m", "--monitoring", "off", "--training", "off")


@pytest.fixture
def every_minute(kubeflow: LiveKubeflow, source: str) -> Iterator[tuple[str, ...]]:
    """The options of a schedule of every minute; it is removed afterwards."""
    yield (*EVERY_MINUTE, "--source", source)
    code, printed = kubeflow.command("schedule", "--remove")
    assert code == 0, printed


def test_a_recurring_run_fires_and_moves_to_a_new_version(
    kubeflow: LiveKubeflow, every_minute: tuple[str, ...], source: str
) -> None:
    """Each version's runs start by themselves; after the move only the new one's do."""
    code, printed = kubeflow.command("schedule", *every_minute)
    assert code == 0, printed
    assert "etl: created" in printed or "etl: replaced" in printed
    old = _fired(kubeflow, {run["run_id"] for run in kubeflow.recurring()})
    assert old["runtime_config"]["parameters"]["source"] == source
    assert kubeflow.command("schedule", *every_minute)[1].splitlines()[-1] == "etl: unchanged"

    code, printed = kubeflow.command("schedule", *every_minute, "--image", SAME_IMAGE)
    assert code == 0, printed
    assert "etl: replaced" in printed
    moved = {run["run_id"] for run in kubeflow.recurring()}
    new = _fired(kubeflow, moved)
    assert new["recurring_run_id"] != old["recurring_run_id"]
    assert _version(new) != _version(old)
    kubeflow.succeeds(old["run_id"], "etl")
    kubeflow.succeeds(new["run_id"], "etl")
    later = [run for run in kubeflow.recurring() if run["run_id"] not in moved]
    assert {_version(run) for run in later} == {_version(new)}


def _fired(kubeflow: LiveKubeflow, known: set[str]) -> Object:
    """The first run that a recurring run starts from now on."""

    def ask() -> Object | None:
        return next((run for run in kubeflow.recurring() if run["run_id"] not in known), None)

    return wait_for("a recurring run", ask, timeout_s=FIRES_S)


def _version(run: Object) -> str:
    return str(run["pipeline_version_reference"]["pipeline_version_id"])
