"""The chart as Helm renders it: parts and switches, schemas, versions, volumes."""

import difflib
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from parivision import __version__
from parivision.cli import retraining
from pipeline import charts
from pipeline.rendering import ON, containers, get, of_values, rendered, walk

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


def test_a_window_that_the_retraining_service_refuses_is_refused_by_the_chart() -> None:
    """Its pods would end at their start, again and again."""
    path = charts.CHART / "charts" / "retraining" / "values.schema.json"
    known = yaml.safe_load(path.read_text())["properties"]
    options = {"windowH": retraining.Window, "longestH": retraining.LongestWait}
    for value, option in options.items():
        assert known[value]["minimum"] == get_args(option)[1].min
        done = charts.template("--set-json", f"retraining.{value}=0.001")
        assert "minimum: got 0.001, want 0.01" in done.stderr


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
