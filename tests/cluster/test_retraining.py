"""The loop is closed, with nobody's hand in it and nothing that stands in for anything.

Given a drift in the stats API: etl brings it, monitoring finds it, the alert asks for a training,
and a better champion serves. Given a feed that mixes up how shots ended: the same, and none serves.
The pipelines are Jobs here; tests/kubeflow closes the same loop through runs of Kubeflow.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import loop
from cluster.live_cluster import NAMESPACE, LiveCluster
from cluster.pipeline_runs import JobRuns
from cluster.stage import Stage

_logger = logging.getLogger("loop")


@pytest.fixture
def told(
    cluster: LiveCluster, stage: Stage, gateway_url: str, tmp_path: Path
) -> Iterator[loop.Told]:
    """Stories whose pipelines are Jobs."""
    if not cluster.batch.list_namespaced_cron_job(NAMESPACE).items:
        pytest.skip("the pipelines run on Kubeflow here: tests/kubeflow closes the loop there")
    with loop.prepared(stage, JobRuns(cluster), gateway_url, tmp_path) as tell:
        yield tell


def test_a_drift_that_matters_leads_to_a_better_champion_that_serves(
    told: loop.Told, stage: Stage
) -> None:
    """From the stats API to all traffic, and records, alias and image agree; no request fails."""
    loop.leads_to_a_better_champion(told, stage)


@pytest.mark.skipif("PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it")
def test_mixed_up_outcomes_lead_to_no_new_champion(told: loop.Told, stage: Stage) -> None:
    """The same alert and the same training; whatever wins on such outcomes fails on real ones.

    The contest knows only the outcomes that the feed brought. Those who are asked know better: the
    canary is judged by how their shots ended.
    """
    first, newest = stage.served, loop.newest_version(stage)
    story = told(loop.SHUFFLED)
    story.drift_is_found()
    training = story.training()
    ended = story.comes(
        "the training has ended", lambda: story.runs.end_of(training), timeout_s=900
    )
    story.comes("all traffic stays", lambda: stage.canary().is_at_rest, timeout_s=loop.ROLLOUT_S)
    assert stage.served == first
    story.comes("alias and image agree", stage.agreed, timeout_s=120)
    challengers = [str(n) for n in range(newest + 1, loop.newest_version(stage) + 1)]
    _logger.info(
        "the training ended as %s; challengers: %s", ended, ", ".join(challengers) or "none"
    )
    for number in challengers:
        assert stage.has_outcome(number, "rolled_back", "never_served", "superseded"), number
    assert story.started_at_most_once_a_window(), story.trainings()
    assert not story.traffic.failed
