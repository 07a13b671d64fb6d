"""A better model of a run on Kubeflow Pipelines gets all of the traffic, and no request fails.

Afterwards the champion, the lake and the records are as they were.
"""

from typing import Final

import polars as pl

from cluster.as_before import as_before
from cluster.live_cluster import wait_for
from cluster.stage import Stage
from kubeflow.kubeflow_runs import KubeflowRuns
from kubeflow.live_kubeflow import LiveKubeflow
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.scoring import metrics
from parivision.simulation.traffic import FACTS, load
from parivision.sources.open import synthetic_config
from parivision.sources.synthetic import generate

RATE: Final = 50.0
RELEASE_S: Final = 3600.0


def test_a_better_model_goes_through_package_image_and_canary_to_all_traffic(
    kubeflow: LiveKubeflow, stage: Stage, bundle: Bundle, source: str, gateway_url: str
) -> None:
    """The words of a new season mean something else: who has seen it is better, and is served."""
    archive, season = _drifted(source)
    with as_before(stage, KubeflowRuns(kubeflow, archive)):
        before, shots = stage.served, season.select(FACTS).to_dicts()
        with load(gateway_url, RATE, shots, token=stage.teller) as traffic:
            run_id = kubeflow.start("training", source=archive, target="kubernetes")
            run = kubeflow.succeeds(run_id, "training", RELEASE_S)
        done = {node.name for node in run.nodes if node.state == "SUCCEEDED"}
        assert {"promote", "package", "deploy"} <= done
        assert not traffic.failed
        assert stage.served != before
        wait_for("agreement", stage.agreed, timeout_s=90)
        assert stage.has_outcome(stage.served, "promoted")
        found = stage.workshop.registry.champion_bundle(stage.workshop.folder / "better")
        assert found is not None
        facts, made = tables.facts_from_shots(season), tables.made_array(season)
        better = metrics.log_loss(made, found[1].predict(facts))
        assert better < metrics.log_loss(made, bundle.predict(facts))


def _drifted(source: str) -> tuple[str, pl.DataFrame]:
    """The first champion's league with one season more, whose words are swapped; that season."""
    config = synthetic_config(source)
    new = max(config.seasons) + 1
    archive = (
        f"synthetic:?seed={config.seed}&seasons={min(config.seasons)}-{new}"
        f"&games={config.games_a_season}&relabel_actions={new}"
    )
    shots = tables.in_time_order(generate(synthetic_config(archive)))
    return archive, shots.filter(pl.col("season") == new)
