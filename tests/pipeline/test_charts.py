"""The chart as Helm renders it: switches, schemas, volumes and parts."""

import difflib
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from parivision import __version__
from parivision.kubernetes.cron_jobs import INSTANCE, PIPELINE
from parivision.retraining.policy import RetrainingPolicy
from parivision.retraining.runner import ALSO_PROMOTES
from pipeline import charts
from pipeline.rendering import ON, Object, containers, find, get, of_values, rendered, walk

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")


def test_the_rendered_charts_are_those_that_are_committed() -> None:
    """Whoever changes a chart sees, and lets others see, what comes of it: `make charts`."""
    expected = charts.expected()
    present = {path.relative_to(charts.RENDERED) for path in charts.RENDERED.rglob("*.*")}
    assert present == set(expected), "run `make charts`"
    changed = [
        difflib.unified_diff(
            (charts.RENDERED / path).read_text().splitlines(),
            text.splitlines(),
            f"committed/{path}",
            f"rendered/{path}",
            lineterm="",
        )
        for path, text in expected.items()
    ]
    assert not (said := "\n".join(line for lines in changed for line in lines)), said


def test_with_every_part_off_nothing_is_installed() -> None:
    """Nothing of the chart stands outside its parts."""
    assert of_values("off") == ()


@pytest.mark.parametrize("part", [one for one in charts.PARTS if one != "retraining"])
def test_a_part_can_be_left_out(part: str) -> None:
    """Its objects are gone, and no other object changes."""
    kubeflow = ("--set", "global.kfp.endpoint=http://ml-pipeline.kubeflow:8888")
    without = rendered(*kubeflow, "--set", f"{part}.enabled=false")
    component = "app.kubernetes.io/component"
    rest = [one for one in rendered(*kubeflow) if one["metadata"]["labels"][component] != part]
    assert len(rest) < len(rendered(*kubeflow))
    assert rest == list(without)


def test_a_private_authority_of_kubeflow_is_mounted_where_it_is_asked() -> None:
    """Exporter and retraining trust the Secret's ca.crt; without one nothing is mounted."""
    kubeflow = ("--set", "global.kfp.endpoint=https://ml-pipeline.kubeflow:8443")
    for name in ("exporter", "retraining"):
        pod = pod_of(get(rendered(*kubeflow), "Deployment", name))
        assert "PARIVISION_KFP_CA_FILE" not in str(pod)
        named = rendered(*kubeflow, "--set", "global.kfp.authority=kfp-authority")
        pod = pod_of(get(named, "Deployment", name))
        (container,) = pod["containers"]
        place = {"name": "PARIVISION_KFP_CA_FILE", "value": "/secrets/kfp-authority/ca.crt"}
        assert place in container["env"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["kfp-authority"] == "/secrets/kfp-authority"
        secrets = [
            volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume
        ]
        assert "kfp-authority" in secrets


def pod_of(deployment: dict[str, Any]) -> dict[str, Any]:
    """The specification of a Deployment's pods."""
    return dict(deployment["spec"]["template"]["spec"])


def test_alerts_are_sent_where_they_arrive() -> None:
    """No message is tried to nobody; a chart rendered without a cluster is told of Slack."""
    quiet = rendered("--set", "global.retraining.enabled=false")
    (nobody,) = get(quiet, "AlertmanagerConfig", "parivision")["spec"]["receivers"]
    assert nobody == {"name": "nobody"}
    told = rendered("--set", "monitoring.alertmanager.messages=slack")
    spec = get(told, "AlertmanagerConfig", "parivision")["spec"]
    assert spec["route"]["receiver"] == "slack"
    (slack,) = [one for one in spec["receivers"] if one["name"] != "retraining"]
    assert slack["slackConfigs"][0]["apiURL"] == {"name": "parivision-slack", "key": "url"}


def test_retraining_is_there_unless_it_is_not_wanted() -> None:
    """Alertmanager is told of it where it is, and of nothing where it is not."""
    usual, kubeflow = rendered(), of_values("kubeflow")
    off = charts.CHART / "ci" / "kubeflow.yaml"
    unwanted = ("--set", "global.retraining.enabled=false")
    for objects, receivers in (
        (usual, ["retraining", "nobody"]),
        (rendered(*unwanted), ["nobody"]),
        (rendered("--values", str(off), *unwanted), ["nobody"]),
        (kubeflow, ["retraining", "nobody"]),
    ):
        spec = get(objects, "AlertmanagerConfig", "parivision")["spec"]
        assert [one["name"] for one in spec["receivers"]] == receivers
        assert (find(objects, "Deployment", "retraining") is None) == (
            "retraining" not in receivers
        )
    first, second = get(kubeflow, "AlertmanagerConfig", "parivision")["spec"]["route"]["routes"]
    assert first["continue"]  # people are told, too
    assert second["receiver"] == "nobody"
    service = get(kubeflow, "Service", "retraining")
    url = get(kubeflow, "AlertmanagerConfig", "parivision")["spec"]["receivers"][0]
    (port,) = service["spec"]["ports"]
    named = f"{service['metadata']['name']}.parivision.svc:{port['port']}"
    assert url["webhookConfigs"][0]["url"] == f"http://{named}/alerts"


@pytest.mark.parametrize(
    "setting",
    [
        "shotz.enabled=true",
        "global.image=x",
        "global.images.components=parivision/components-python",
        "global.images.components.repository=parivision/components-python:1",
        "global.images.serving.tag=latest",
        "global.images.serving.digest=sha256:1",
        "mongodb.engine=mysql",
        "mongodb.storage.siez=1Gi",
        "mlflow.resources.limits.cpus=1",
        "mlflow.resources.limits.memory=plenty",
        "stats-api.archives=lake",
        "shots.autoscaling.minReplicas=0",
        "shots.autoscaling.enabled=maybe",
        "shots.canary.weights={150}",
        "verdict.rules.margn=1",
        "verdict.rules.policy=maybe",
        "registry.nodePort=80",
        "gateway.service.type=Nodeport",
        "monitoring.nonsense=1",
        "pipelines.firstChampion.sourc=x",
        "pipelines.schedules.etl=hourly",
        "pipelines.subjects[0].name=runner",
    ],
)
def test_a_typo_is_refused(setting: str) -> None:
    """What no template reads, and what cannot be meant, ends before anything is installed."""
    done = charts.template("--set", setting)
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr


@pytest.mark.parametrize("part", charts.PARTS)
def test_every_value_of_a_part_is_in_its_schema(part: str) -> None:
    """Nothing can be set that the schema does not know, at any depth."""
    schema = yaml.safe_load((charts.CHART / "charts" / part / "values.schema.json").read_text())
    objects = [schema, *schema.get("$defs", {}).values()]
    while objects:
        one = objects.pop()
        if one.get("type") != "object" or one is schema["properties"]["global"]:
            continue
        assert one.get("additionalProperties") is False, one
        objects += [value for value in one["properties"].values() if isinstance(value, dict)]


def test_one_version_is_installed() -> None:
    """Every image and label of a version has the project's, without a value that says so."""
    own = []
    for values in ON:
        for path, value in walk(list(of_values(values))):
            if path.endswith(".image") and value.startswith("parivision/"):
                own.append(value)
            if path.endswith("app.kubernetes.io/version"):
                assert value == __version__
            if path.endswith("helm.sh/chart"):
                assert value == f"parivision-{__version__}"
    names = ("app", "components-python", "mlflow", "serving")
    assert set(own) == {f"parivision/{name}:{__version__}" for name in names}


def test_the_parts_have_no_version_of_their_own() -> None:
    """The chart and its application are released as one; the parts are never released alone."""
    chart = yaml.safe_load((charts.CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert {item["version"] for item in chart["dependencies"]} == {"0.0.0"}
    for path in (charts.CHART / "charts").iterdir():
        part = yaml.safe_load((path / "Chart.yaml").read_text())
        assert part["version"] == "0.0.0"
        assert "appVersion" not in part


def test_an_image_is_named_by_repository_tag_and_digest() -> None:
    """What is not given is left out, but for the tag."""
    digest = "sha256:" + "a" * 64
    image = "global.images.mlflow"
    given = (f"{image}.repository=registry.example:5000/mlflow", f"{image}.digest={digest}")
    for tag, expected in (("", __version__), ("1.2-x", "1.2-x")):
        objects = rendered("--set", ",".join(given), "--set-string", f"{image}.tag={tag}")
        for container in containers(
            get(objects, "Deployment", "mlflow")["spec"]["template"]["spec"]
        ):
            assert container["image"] == f"registry.example:5000/mlflow:{expected}@{digest}"


def test_volumes_go_with_the_release_or_stay() -> None:
    """`global.keepVolumes` decides it for all of them."""
    volumes = ("mlflow", "stats-api", "registry")
    for keeps, values in ((False, "default"), (True, "schedules")):
        objects = of_values(values)
        for name in volumes:
            claim = get(objects, "PersistentVolumeClaim", name)
            policy = claim["metadata"].get("annotations", {}).get("helm.sh/resource-policy")
            assert policy == ("keep" if keeps else None)
        lake = get(objects, "StatefulSet", "mongodb")["spec"]
        when_deleted = lake["persistentVolumeClaimRetentionPolicy"]["whenDeleted"]
        assert when_deleted == ("Retain" if keeps else "Delete")


def test_a_storage_class_is_named_or_left_to_the_cluster() -> None:
    """In every volume claim of a part."""
    parts = ("mlflow", "stats-api", "registry", "mongodb")
    chosen = ",".join(f"{part}.storage.className=fast" for part in parts)
    for arguments, expected in (((), None), (("--set", chosen), "fast")):
        claims = [one for one in rendered(*arguments) if one["kind"] == "PersistentVolumeClaim"]
        specs = [claim["spec"] for claim in claims if claim["metadata"]["name"][11:] in parts]
        lake = get(rendered(*arguments), "StatefulSet", "mongodb")["spec"]
        specs.append(lake["volumeClaimTemplates"][0]["spec"])
        assert len(specs) == 4
        assert {spec.get("storageClassName") for spec in specs} == {expected}


@pytest.mark.parametrize(("values", "engine"), [("default", "mongodb"), ("lab", "ferretdb")])
def test_the_lake_has_one_of_two_engines(values: str, engine: str) -> None:
    """With its image, root's password from the Secret, and metrics, MongoDB's by an exporter."""
    objects = of_values(values)
    spec = get(objects, "StatefulSet", "mongodb")["spec"]["template"]["spec"]
    container, *beside = spec["containers"]
    assert container["name"] == engine
    assert ("mongo:" in container["image"]) is (engine == "mongodb")
    (word,) = [one for one in container["env"] if "PASSWORD" in one["name"]]
    if engine == "mongodb":
        assert word["value"] == "/secrets/parivision-mongodb-root/password"
    else:
        assert word["valueFrom"]["secretKeyRef"]["name"] == "parivision-mongodb-root"
    assert [one["name"] for one in beside] == (["exporter"] if engine == "mongodb" else [])
    measured = {port["name"] for one in spec["containers"] for port in one["ports"]}
    served = {port["name"] for port in get(objects, "Service", "mongodb")["spec"]["ports"]}
    assert measured == served == {"mongodb", "metrics"}


def test_the_gateway_has_a_node_port_or_a_load_balancer() -> None:
    """`gateway.service.type`."""
    for values, kind in (("default", "NodePort"), ("schedules", "LoadBalancer")):
        proxy = get(of_values(values), "EnvoyProxy", "parivision")
        service = proxy["spec"]["provider"]["kubernetes"]["envoyService"]
        assert service["type"] == kind
        assert ("patch" in service) is (kind == "NodePort")


def cron_jobs(objects: tuple[Object, ...]) -> dict[str, Object]:
    """The specifications of the CronJobs by the pipeline that they run."""
    jobs = [one for one in objects if one["kind"] == "CronJob"]
    return {job["metadata"]["name"].removeprefix("parivision-"): job["spec"] for job in jobs}


def test_pipelines_run_as_cron_jobs_where_there_is_no_kubeflow() -> None:
    """`pipelines.schedules.enabled`; without schedules the training's is a template and no more."""
    assert list(cron_jobs(of_values("default"))) == ["etl", "monitoring", "training"]
    assert not [job for job in cron_jobs(of_values("default")).values() if "suspend" in job]
    (template,) = cron_jobs(of_values("schedules")).items()
    assert (template[0], template[1]["suspend"]) == ("training", True)
    assert not cron_jobs(of_values("kubeflow"))
    neither = "pipelines.schedules.enabled=false,global.retraining.enabled=false"
    assert not cron_jobs(rendered("--set", neither))


def test_what_jobs_are_kept_is_memory_enough_for_the_policy() -> None:
    """The last success, and the failures that it takes to wait as long as the longest wait."""
    job = cron_jobs(of_values("default"))["training"]
    command = get(of_values("default"), "Deployment", "retraining")["spec"]["template"]["spec"]
    words = dict(word.lstrip("-").split("=") for word in command["containers"][0]["command"][2:])
    hours = {name: timedelta(hours=float(words[name])) for name in ("window", "longest")}
    policy = RetrainingPolicy(hours["window"], hours["longest"])
    assert job["successfulJobsHistoryLimit"] >= 1
    assert policy.wait(job["failedJobsHistoryLimit"]) == policy.longest
    assert "ttlSecondsAfterFinished" not in job["jobTemplate"]["spec"]


def test_the_retraining_service_finds_the_jobs_that_train() -> None:
    """The schedule's, those of alerts, and the first champion's, by one label."""
    objects = of_values("default")
    labels = [
        cron_jobs(objects)["training"]["jobTemplate"]["metadata"]["labels"],
        get(objects, "Job", "first-champion")["metadata"]["labels"],
    ]
    assert {one[PIPELINE] for one in labels} == {"training"}
    assert {one[INSTANCE] for one in labels} == {"parivision"}
    for name in ("etl", ALSO_PROMOTES):
        template = cron_jobs(objects)[name]["jobTemplate"]
        assert template["metadata"]["labels"][PIPELINE] == name
    words = get(objects, "Deployment", "retraining")["spec"]["template"]["spec"]["containers"][0]
    assert "--cron-job=parivision/parivision-training" in words["command"]


def test_who_may_make_jobs_is_held_to_the_template() -> None:
    """The policy looks at every Job of that account, by the CronJob that the service names."""
    objects = of_values("default")
    (role,) = [one for one in objects if one["kind"] == "Role" and "jobs" in str(one["rules"])]
    assert role["metadata"]["name"] == "parivision-retraining"
    verbs = {rule["resources"][0]: rule["verbs"] for rule in role["rules"]}
    assert verbs == {"cronjobs": ["get"], "jobs": ["list", "create"]}
    name = "parivision-parivision-retraining"
    policy = get(objects, "ValidatingAdmissionPolicy", name)["spec"]
    assert policy["failurePolicy"] == "Fail"
    (condition,) = policy["matchConditions"]
    assert '"system:serviceaccount:parivision:parivision-retraining"' in condition["expression"]
    binding = get(objects, "ValidatingAdmissionPolicyBinding", name)["spec"]
    assert binding["policyName"] == name
    assert "Deny" in binding["validationActions"]
    assert binding["paramRef"]["name"] == "parivision-training"
    assert binding["paramRef"]["parameterNotFoundAction"] == "Deny"
    for values in ("kubeflow", "off"):
        assert not [one for one in of_values(values) if "Admission" in one["kind"]], values


def test_kubeflow_may_use_the_servers_and_roll_out() -> None:
    """`global.runsNamespaces` opens the policies, `pipelines.subjects` the Deployment."""
    usual, kubeflow = rendered(), of_values("kubeflow")
    for name in ("mongodb", "mlflow", "shots", "stats-api"):
        policy = get(kubeflow, "NetworkPolicy", name)["spec"]
        assert "kubeflow" in str(policy["ingress"]), name
        assert "kubeflow" not in str(get(usual, "NetworkPolicy", name)), name
    subjects = get(kubeflow, "RoleBinding", "pipelines")["subjects"]
    assert {(one["namespace"], one["name"]) for one in subjects} == {
        ("parivision", "parivision-pipelines"),
        ("kubeflow", "pipeline-runner"),
    }


def test_the_notes_say_how_to_go_on() -> None:
    """What NOTES.txt names is there."""
    notes = (charts.CHART / "templates" / "NOTES.txt").read_text()
    assert "/predict" in notes
    for name in re.findall(r"svc/\{\{ .Release.Name \}\}-([a-z-]+)", notes):
        get(rendered(), "Service", name)
    for name in re.findall(r"job/\{\{ .Release.Name \}\}-([a-z-]+)", notes):
        get(rendered(), "Job", name)


def test_every_values_file_is_used() -> None:
    """Each file in ci/ says what it is for, and the two ends of the scale are among them."""
    assert {"default", "off"} <= set(charts.VALUES)
    for values in charts.VALUES:
        text = Path(charts.CHART / "ci" / f"{values}.yaml").read_text()
        assert text.startswith("# "), values
