"""The loop is closed: shots drift, an alert asks for a retraining, and what comes of it ends it.

Kubeflow Pipelines cannot be installed here: a stand-in of its API, in a pod, records what is
submitted, and the pipeline's steps are run as a Job. PARIVISION_SOAK=1 takes it, a quarter of an
hour. It leaves a champion that knows the drifted season, and takes everything else back.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from cluster import standin_pods
from cluster.helm_release import helm, upgrade
from cluster.live_cluster import NAMESPACE, RELEASE, LiveCluster, wait_for
from cluster.load import load
from cluster.prometheus import query
from cluster.stage import TOLD, Stage
from cluster.tasks import RunTask
from parivision.features import tables
from parivision.scoring import metrics
from parivision.sources.synthetic import Drift, SyntheticConfig, generate

pytestmark = pytest.mark.skipif(
    "PARIVISION_SOAK" not in os.environ, reason="PARIVISION_SOAK=1 takes it"
)
Object = dict[str, Any]

KFP: Final = "kfp-test"
PORT: Final = 8888
SCRIPTS: Final = ("kfp_standin.py", "kfp_standin_api.py", "kfp_workflows.py")
DRIFTED: Final = 2024
ARCHIVE: Final = f"synthetic:?seed=1&seasons=2022-{DRIFTED}&games=80&relabel_actions={DRIFTED}"
STATS_API: Final = f"http://{RELEASE}-stats-api.{NAMESPACE}.svc:8000"
FIRING: Final = 'ALERTS{alertname="ParivisionDrift", alertstate="firing"}'
SEEN_S: Final = 300.0


@pytest.fixture(scope="module")
def values(cluster: LiveCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The release's values; they hold again afterwards."""
    path = tmp_path_factory.mktemp("values") / "values.yaml"
    path.write_text(helm(cluster, "get", "values", RELEASE, "--output", "yaml"))
    yield path
    upgrade(cluster, path)


@pytest.fixture(scope="module")
def kubeflow(cluster: LiveCluster) -> Iterator[None]:
    """The stand-in, in a pod of the components' image."""
    image = cluster.pods("exporter")[0].spec.containers[0].image
    cluster.kubectl("apply", "-f", "-", given=yaml.safe_dump_all(_standin(image)))
    wait_for("the stand-in", lambda: bool(cluster.ready_pods(KFP)), timeout_s=120)
    yield
    for kind in ("pod", "service", "networkpolicy", "configmap"):
        cluster.kubectl("delete", kind, KFP, "-n", NAMESPACE, "--ignore-not-found")


def runs(cluster: LiveCluster) -> list[Object]:
    """The runs that were submitted to the stand-in."""
    place = f"/api/v1/namespaces/{NAMESPACE}/pods/{KFP}:{PORT}/proxy/apis/v2beta1"
    found = json.loads(cluster.kubectl("get", "--raw", f"{place}/experiments"))
    known = [
        json.loads(
            cluster.kubectl("get", "--raw", f"{place}/runs?experiment_id={one['experiment_id']}")
        )
        for one in found.get("experiments", [])
    ]
    return [run for several in known for run in several.get("runs", [])]


def test_drift_is_answered_by_a_champion_that_knows_it(
    cluster: LiveCluster,
    stage: Stage,
    kubeflow: None,
    values: Path,
    run_task: RunTask,
    gateway_url: str,
) -> None:
    """One run is submitted with the alert in it; its champion is better, and the alert ends."""
    _, old = _champion(stage, "old")
    before = stage.served
    endpoint = f"http://{KFP}.{NAMESPACE}.svc:{PORT}"
    switches = (f"global.kfp.endpoint={endpoint}", f"stats-api.archive={ARCHIVE}")
    settings = [word for switch in switches for word in ("--set", switch.replace(",", "\\,"))]
    upgrade(cluster, values, *settings)
    cluster.wait_rolled_out(f"{RELEASE}-retraining")
    assert run_task("drifted-etl", f"parivision run etl --source {STATS_API}")
    assert run_task("drifted", "parivision refine && parivision drift")
    wait_for("the alert", lambda: query(cluster, FIRING), timeout_s=SEEN_S)
    (run,) = wait_for("the submission", lambda: runs(cluster), timeout_s=SEEN_S)
    assert run["display_name"].endswith("for ParivisionDrift")
    cause = run["runtime_config"]["parameters"]["cause"]
    assert cause.startswith("ParivisionDrift: ")
    season = _drifted()
    with load(gateway_url, 50, season.select(TOLD).to_dicts(), token=stage.teller) as traffic:
        source = run["runtime_config"]["parameters"]["source"]
        steps = f"parivision run training --source {source} --target kubernetes"
        assert run_task("retraining", f"{steps}\nparivision deploy --target kubernetes")
    assert not traffic.failed
    _, new = _champion(stage, "new")
    assert stage.served != before
    facts, made = tables.facts_from_shots(season), tables.made_array(season)
    assert metrics.log_loss(made, new.predict(facts)) < metrics.log_loss(made, old.predict(facts))
    assert run_task("no-drift", "parivision refine && parivision drift")
    wait_for("the alert's end", lambda: not query(cluster, FIRING), timeout_s=SEEN_S)
    assert len(runs(cluster)) == 1


def _champion(stage: Stage, name: str) -> Any:
    found = stage.workshop.registry.champion_bundle(stage.workshop.folder / name)
    assert found is not None
    return found


def _drifted() -> Any:
    """The season with the swapped words, as the stats API replays it."""
    drift = Drift(relabel_actions=DRIFTED)
    return tables.in_time_order(
        generate(SyntheticConfig(seed=1, seasons=(DRIFTED,), games_a_season=80, drift=drift))
    )


def _standin(image: str) -> list[Object]:
    """The pod, its scripts, its name and who may ask it."""
    resources = {
        "requests": {"cpu": "10m", "memory": "128Mi"},
        "limits": {"cpu": "1", "memory": "512Mi"},
    }
    command = ["python", "/standin/kfp_standin.py", str(PORT)]
    server = standin_pods.container("kubeflow", image, command, resources)
    server["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 2}
    server["volumeMounts"] = [
        {"name": "scripts", "mountPath": "/standin", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - of the pod
    ]
    volumes = [
        {"name": "scripts", "configMap": {"name": KFP}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    pod = standin_pods.pod(KFP, server, volumes)
    return [_scripts(), pod, *standin_pods.reachable(KFP, PORT)]


def _scripts() -> Object:
    """The files that the pod runs."""
    tests = Path(__file__).parents[1]
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": standin_pods.metadata(KFP),
        "data": {name: (tests / name).read_text() for name in SCRIPTS},
    }
