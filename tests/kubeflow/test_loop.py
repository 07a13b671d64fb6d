"""The loop is closed through runs of Kubeflow Pipelines, with nobody's hand in it."""

from pathlib import Path

from cluster import loop
from cluster.stage import Stage
from kubeflow.kubeflow_runs import KubeflowRuns
from kubeflow.live_kubeflow import LiveKubeflow


def test_a_drift_that_matters_leads_to_a_better_champion_that_serves(
    kubeflow: LiveKubeflow, stage: Stage, stats_api: str, gateway_url: str, tmp_path: Path
) -> None:
    """From the stats API to all traffic, and records, alias and image agree; no request fails."""
    with loop.prepared(stage, KubeflowRuns(kubeflow, stats_api), gateway_url, tmp_path) as told:
        loop.leads_to_a_better_champion(told, stage)
