"""The chart as Helm renders it: switches, schemas, and what holds for every pod."""

import difflib
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import charts
import pytest
import yaml

from parivision import __version__
from parivision.verdict import Rules

Object = dict[str, Any]

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")

HOOKS = (
    "confirm-rollout",
    "confirm-traffic-increase",
    "confirm-promotion",
    "rollback",
    "post-rollout",
    "event",
)
ON = [values for values in charts.VALUES if values != "off"]
# What `make secrets` makes, read off the script by name: the standard library has a `secrets` too.
MADE = runpy.run_path(str(charts.CHART.parents[1] / "manifests" / "secrets.py"))["MAKERS"]
SECRETS = {name for together in MADE for name in together}


@cache
def rendered(*arguments: str) -> tuple[Object, ...]:
    """The objects that the chart renders to with helm's arguments."""
    done = charts.template(*arguments)
    assert done.returncode == 0, done.stderr
    return tuple(charts.objects(done.stdout))


def of_values(values: str) -> tuple[Object, ...]:
    """The objects of a values file of ci/."""
    return rendered("--values", str(charts.CHART / "ci" / f"{values}.yaml"))


def find(objects: tuple[Object, ...], kind: str, name: str) -> Object | None:
    """The object of that kind and name; the release's name may be left out."""
    names = {name, f"parivision-{name}"}
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] in names]
    return found[0] if found else None


def get(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """The same; it must be there."""
    found = find(objects, kind, name)
    assert found is not None, f"no {kind} {name}"
    return found


def templates(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object, Object]]:
    """Every pod: its owner's kind and name, labels, and spec."""
    for one in objects:
        kind, spec = one["kind"], one.get("spec", {})
        if kind == "Pod":
            yield f"Pod {one['metadata']['name']}", one["metadata"]["labels"], spec
            continue
        if kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if kind in {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}:
            template = spec["template"]
            name = f"{kind} {one['metadata']['name']}"
            yield name, template["metadata"]["labels"], template["spec"]


def pods(values: str) -> list[tuple[str, Object, Object]]:
    """The same, of a values file."""
    return list(templates(of_values(values)))


def containers(spec: Object) -> list[Object]:
    """Every container of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def walk(thing: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a tree, by its path."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from walk(value, f"{path}.{key}")
    elif isinstance(thing, list):
        for value in thing:
            yield from walk(value, path)
    else:
        yield path, thing


def test_the_rendered_charts_are_those_that_are_committed() -> None:
    """Whoever changes a chart sees, and lets others see, what comes of it: `make charts`."""
    expected = charts.expected()
    present = {path.relative_to(charts.RENDERED) for path in charts.RENDERED.rglob("*.yaml")}
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


def test_retraining_is_there_with_kubeflow_unless_it_is_not_wanted() -> None:
    """Alertmanager is told of it where it is, and of nothing where it is not."""
    usual, kubeflow = rendered(), of_values("kubeflow")
    off = charts.CHART / "ci" / "kubeflow.yaml"
    unwanted = rendered("--values", str(off), "--set", "global.kfp.retrain=false")
    for objects, receivers in (
        (usual, ["slack"]),
        (unwanted, ["slack"]),
        (kubeflow, ["retraining", "slack"]),
    ):
        spec = get(objects, "AlertmanagerConfig", "parivision")["spec"]
        assert [one["name"] for one in spec["receivers"]] == receivers
        assert (find(objects, "Deployment", "retraining") is None) == (
            "retraining" not in receivers
        )
    first, second = get(kubeflow, "AlertmanagerConfig", "parivision")["spec"]["route"]["routes"]
    assert first["continue"]  # Slack is told, too
    assert second["receiver"] == "slack"
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
        "global.images.components=parivision/components",
        "global.images.serving=parivision/serving:latest",
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
    """The chart's, its parts', the library's and that of the images."""
    for path in [charts.CHART, *(charts.CHART / "charts").iterdir()]:
        chart = yaml.safe_load((path / "Chart.yaml").read_text())
        assert (chart["version"], chart["appVersion"]) == (__version__, __version__), path
    images = yaml.safe_load((charts.CHART / "values.yaml").read_text())["global"]["images"]
    assert images == {
        "components": f"parivision/components:{__version__}-python3.11",
        "mlflow": f"parivision/mlflow:{__version__}",
        "app": f"parivision/app:{__version__}",
        "serving": f"parivision/serving:{__version__}",
    }


@pytest.mark.parametrize("values", ON)
def test_no_pod_may_become_root_or_change_its_image(values: str) -> None:
    """Pod Security's profile `restricted`, and more: a numeric user and a read-only root."""
    for name, _, spec in pods(values):
        shared = spec["securityContext"]
        assert shared["runAsNonRoot"] is True, name
        assert shared["runAsUser"] > 0, name
        assert shared["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys(), name
        assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume], name
        for container in containers(spec):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False, name
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}, name
            assert not own.get("privileged"), name


@pytest.mark.parametrize("values", ON)
def test_every_container_has_requests_and_limits(values: str) -> None:
    """Of CPU and memory, so that a node can be filled and no neighbour starved."""
    for name, _, spec in pods(values):
        for container in containers(spec):
            for bound in ("requests", "limits"):
                assert container["resources"][bound].keys() >= {"cpu", "memory"}, name


@pytest.mark.parametrize("values", ON)
def test_every_server_is_probed(values: str) -> None:
    """What runs for ever says when it is ready and is restarted when it is dead."""
    servers = [pod for pod in pods(values) if pod[0].split()[0] in {"Deployment", "StatefulSet"}]
    assert servers
    for name, _, spec in servers:
        for container in spec["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= container.keys(), name


@pytest.mark.parametrize("values", ON)
def test_images_have_a_fixed_name(values: str) -> None:
    """A tag or a digest, never `latest`, and what the node has is not pulled again."""
    for name, _, spec in pods(values):
        for container in containers(spec):
            tag = re.search(r"(:[^:/]+|@sha256:[0-9a-f]{64})$", container["image"])
            assert tag, name
            assert tag[0] != ":latest", name
            assert container["imagePullPolicy"] == "IfNotPresent", name


@pytest.mark.parametrize("values", ON)
def test_only_who_needs_kubernetes_gets_a_token(values: str) -> None:
    """Every pod has an account of its own; the pipelines' and the verdict's may ask the API."""
    for name, labels, spec in pods(values):
        assert spec["serviceAccountName"].startswith("parivision-"), name
        asks = labels["app.kubernetes.io/component"] in {"pipelines", "verdict"}
        assert spec["automountServiceAccountToken"] is asks, name
        get(of_values(values), "ServiceAccount", spec["serviceAccountName"])


@pytest.mark.parametrize("values", ON)
def test_secrets_are_named_and_never_held(values: str) -> None:
    """No object is a Secret or has a password in it; every Secret is one that is made."""
    objects = of_values(values)
    assert not [one for one in objects if one["kind"] == "Secret"]
    named = set()
    for path, value in walk(list(objects)):
        if path.endswith((".secretKeyRef.name", ".secret.secretName", ".imagePullSecrets.name")):
            named.add(value)
        assert not re.search(r"://[^/\s:@]+:[^/\s@]+@", str(value)), path
    assert named <= SECRETS


@pytest.mark.parametrize("values", ON)
def test_objects_are_labelled_and_selected(values: str) -> None:
    """The standard labels on every object; selectors use the two that no upgrade changes."""
    prefix = "app.kubernetes.io/"
    for one in of_values(values):
        where = f"{one['kind']} {one['metadata']['name']}"
        labels = one["metadata"]["labels"]
        for label in ("name", "instance", "component", "part-of", "managed-by", "version"):
            assert labels.get(prefix + label), where
        assert labels[prefix + "part-of"] == "parivision", where
        if one["kind"] in {"Deployment", "StatefulSet"}:
            selector = one["spec"]["selector"]["matchLabels"]
            assert selector.keys() == {prefix + "name", prefix + "instance"}, where
            assert selector.items() <= one["spec"]["template"]["metadata"]["labels"].items(), where


@pytest.mark.parametrize("values", ON)
def test_services_lead_to_a_port_of_a_pod(values: str) -> None:
    """Every Service of the chart selects pods that have its target port."""
    for service in (one for one in of_values(values) if one["kind"] == "Service"):
        selector = service["spec"]["selector"].items()
        ports = {
            port["name"]
            for _, labels, spec in pods(values)
            if selector <= labels.items()
            for container in spec["containers"]
            for port in container.get("ports", [])
        }
        targets = {port["targetPort"] for port in service["spec"]["ports"]}
        assert targets <= ports, service["metadata"]["name"]


@pytest.mark.parametrize("values", ON)
def test_every_pod_has_its_flows(values: str) -> None:
    """A policy for each pod: where everything is denied, one without would be cut off."""
    objects = of_values(values)
    policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
    for name, labels, _ in pods(values):
        chosen = [
            policy
            for policy in policies
            if policy["podSelector"]["matchLabels"].items() <= labels.items()
        ]
        assert chosen, name
        assert all(set(policy["policyTypes"]) == {"Ingress", "Egress"} for policy in chosen), name


def test_flows_lead_both_ways() -> None:
    """Whom a pod may ask, that pod lets it in: each rule out of one has its rule into the other."""
    objects = rendered("--set", "pipelines.schedules.enabled=true,stats-api.archive=lake")
    policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
    everyone = [labels for _, labels, _ in templates(objects)]
    for policy in policies:
        askers = _selected(policy, everyone)
        for rule in policy.get("egress", []):
            for peer in rule.get("to", []):
                if "namespaceSelector" in peer:
                    continue
                for asked in _selected(peer, everyone):
                    _assert_lets_in(policies, asked, askers)


def _selected(policy: Object, labels: list[Object]) -> list[Object]:
    chosen = policy["podSelector"]["matchLabels"].items()
    return [one for one in labels if chosen <= one.items()]


def _assert_lets_in(policies: list[Object], asked: Object, askers: list[Object]) -> None:
    """Some rule of a policy of the asked pod names each of the askers, or everybody."""
    rules = [
        rule
        for policy in policies
        if policy["podSelector"]["matchLabels"].items() <= asked.items()
        for rule in policy.get("ingress", [])
    ]
    for asker in askers:
        let_in = [
            rule
            for rule in rules
            if "from" not in rule
            or any(
                "namespaceSelector" not in peer
                and peer["podSelector"]["matchLabels"].items() <= asker.items()
                for peer in rule["from"]
            )
        ]
        assert let_in, (asker, asked)


def test_volumes_go_with_the_release_or_stay() -> None:
    """`global.keepVolumes` decides it for all of them."""
    volumes = ("mlflow", "stats-api", "registry")
    for keeps, values in ((False, "default"), (True, "kubeflow")):
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
    """With its image, root's password from the Secret, and metrics where it has them."""
    objects = of_values(values)
    spec = get(objects, "StatefulSet", "mongodb")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["name"] == engine
    assert ("mongo:" in container["image"]) is (engine == "mongodb")
    (word,) = [one for one in container["env"] if "PASSWORD" in one["name"]]
    if engine == "mongodb":
        assert word["value"] == "/secrets/parivision-mongodb-root/password"
    else:
        assert word["valueFrom"]["secretKeyRef"]["name"] == "parivision-mongodb-root"
    ports = [port["name"] for port in get(objects, "Service", "mongodb")["spec"]["ports"]]
    assert ("metrics" in ports) is (engine == "ferretdb")


def test_the_prediction_service_waits_for_its_first_champion() -> None:
    """Fresh from the chart it has no pods and the bare runtime; replacing pods loses none."""
    spec = get(rendered(), "Deployment", "shots")["spec"]
    assert spec["replicas"] == 0
    assert spec["template"]["spec"]["containers"][0]["image"] == f"parivision/serving:{__version__}"
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


def test_flagger_owns_service_and_route_or_the_chart_does() -> None:
    """`global.canary.enabled`: never both, or each would undo what the other does."""
    for values, is_ours in (("default", False), ("alone", True)):
        objects = of_values(values)
        for kind in ("Service", "HTTPRoute"):
            assert (find(objects, kind, "shots") is not None) is is_ours, (values, kind)
        assert (find(objects, "Canary", "shots") is None) is is_ours
        assert (find(objects, "Deployment", "verdict") is None) is is_ours


def test_the_canary_waits_for_the_first_champion_and_asks_before_each_step() -> None:
    """Suspended while there is nothing to copy; the hooks are answered by the verdict service."""
    spec = get(rendered(), "Canary", "shots")["spec"]
    assert spec["suspend"] is True
    assert spec["analysis"]["stepWeights"] == [5, 25, 50]
    hooks = {hook["type"]: hook["url"] for hook in spec["analysis"]["webhooks"]}
    address = "http://parivision-verdict.parivision:8080"
    assert hooks == {hook: f"{address}/{hook}" for hook in HOOKS}
    service = get(rendered(), "Service", "verdict")["spec"]["ports"]
    assert [port["port"] for port in service] == [8080]


def test_a_canary_may_get_a_copy_of_the_traffic() -> None:
    """`shots.canary.shadow`: mirrored, without weights; and without an autoscaler none is named."""
    spec = get(of_values("schedules"), "Canary", "shots")["spec"]
    assert spec["analysis"]["mirror"] is True
    assert "stepWeights" not in spec["analysis"]
    assert "autoscalerRef" not in spec
    assert get(rendered(), "Canary", "shots")["spec"]["autoscalerRef"]["name"] == "parivision-shots"


def test_too_few_requests_are_no_value_for_flagger() -> None:
    """It halts where a query gives nothing: no data is never a pass."""
    for name in ("shots-success", "shots-p99"):
        query = get(rendered(), "MetricTemplate", name)["spec"]["query"]
        assert 'track="canary"' in query
        assert ">= 50)" in query
    checks = get(rendered(), "Canary", "shots")["spec"]["analysis"]["metrics"]
    assert [check["thresholdRange"] for check in checks] == [{"min": 99}, {"max": 500}]


def test_what_selects_the_serving_pods_finds_canary_and_primary() -> None:
    """Flagger renames the primary's pods: policies, monitors and spread go by another label."""
    objects = rendered()
    serves = {"parivision.dev/serves": "shots", "app.kubernetes.io/instance": "parivision"}
    template = get(objects, "Deployment", "shots")["spec"]["template"]
    assert serves.items() <= template["metadata"]["labels"].items()
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == serves
    policy = get(objects, "NetworkPolicy", "shots")["spec"]["podSelector"]["matchLabels"]
    assert policy == serves
    assert get(objects, "PodMonitor", "shots")["spec"]["selector"]["matchLabels"] == serves
    for name in ("shots", "shots-primary"):
        budget = get(objects, "PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        assert budget == serves | {"app.kubernetes.io/name": name}


def test_every_rule_of_the_verdict_can_be_set() -> None:
    """The schema knows the names of `Rules`, and the chart's values are rules."""
    folder = charts.CHART / "charts" / "verdict"
    schema = yaml.safe_load((folder / "values.schema.json").read_text())
    assert schema["properties"]["rules"]["properties"].keys() == Rules().to_dict().keys()
    rules = yaml.safe_load(get(rendered(), "ConfigMap", "verdict")["data"]["rules.json"])
    assert Rules.from_dict(rules).deadline_s == 14400


def test_a_pinned_user_stays_on_one_side() -> None:
    """By header or cookie; the route's conditions go before Flagger's, which has none."""
    rules = get(rendered(), "HTTPRoute", "shots-pinned")["spec"]["rules"]
    for rule, track in zip(rules, ("canary", "primary"), strict=True):
        assert [one["name"] for one in rule["backendRefs"]] == [f"parivision-shots-{track}"]
        header, cookie = (one["headers"][0] for one in rule["matches"])
        assert header == {"name": "x-parivision-track", "value": track}
        assert re.fullmatch(cookie["value"], f"a=b; parivision-track={track}; c=d")
        assert not re.fullmatch(cookie["value"], "x-parivision-track=other")


def test_the_prediction_service_is_scaled_or_not() -> None:
    """`shots.autoscaling.enabled`."""
    scaler = get(rendered(), "HorizontalPodAutoscaler", "shots")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    assert find(of_values("schedules"), "HorizontalPodAutoscaler", "shots") is None


def test_the_feed_may_be_the_lake() -> None:
    """`stats-api.archive`: then it has the reader's login and may ask MongoDB."""
    for values, is_lake in (("default", False), ("schedules", True)):
        spec = get(of_values(values), "Deployment", "stats-api")["spec"]["template"]["spec"]
        names = [one["name"] for one in spec["containers"][0]["env"]]
        assert ("PARIVISION_LAKE_FILE" in names) is is_lake
        egress = get(of_values(values), "NetworkPolicy", "stats-api")["spec"]["egress"]
        assert bool(egress) is is_lake


def test_the_gateway_has_a_node_port_or_a_load_balancer() -> None:
    """`gateway.service.type`."""
    for values, kind in (("default", "NodePort"), ("schedules", "LoadBalancer")):
        proxy = get(of_values(values), "EnvoyProxy", "parivision")
        service = proxy["spec"]["provider"]["kubernetes"]["envoyService"]
        assert service["type"] == kind
        assert ("patch" in service) is (kind == "NodePort")


def test_pipelines_run_as_cron_jobs_or_not() -> None:
    """`pipelines.schedules.enabled`, for clusters without Kubeflow Pipelines."""
    for values, names in (("default", []), ("schedules", ["etl", "monitoring", "training"])):
        jobs = [one for one in of_values(values) if one["kind"] == "CronJob"]
        assert [job["metadata"]["name"].removeprefix("parivision-") for job in jobs] == names


def test_the_first_champion_is_trained_or_not() -> None:
    """`pipelines.firstChampion.enabled`; its source is the values'."""
    arguments = ("--set", "pipelines.firstChampion.source=synthetic:?seed=9")
    job = get(rendered(*arguments), "Job", "first-champion")["spec"]["template"]["spec"]
    assert "synthetic:?seed=9" in job["containers"][0]["command"]
    assert find(of_values("kubeflow"), "Job", "first-champion") is None


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


@pytest.mark.parametrize(("role", "more"), [("pipelines", set()), ("verdict", {"create"})])
def test_who_rolls_out_may_change_one_deployment_and_its_canary(role: str, more: set[str]) -> None:
    """And nothing else: the Roles name both, and make nothing but events."""
    rules = get(rendered(), "Role", role)["rules"]
    verbs = {verb for rule in rules for verb in rule["verbs"]}
    assert verbs <= {"get", "list", "watch", "patch"} | more
    patching = [rule for rule in rules if "patch" in rule["verbs"]]
    assert {resource for rule in patching for resource in rule["resources"]} == {
        "deployments",
        "canaries",
    }
    assert all(rule["resourceNames"] == ["parivision-shots"] for rule in patching)
    making = [rule["resources"] for rule in rules if "create" in rule["verbs"]]
    assert making == ([["events"]] if more else [])


def test_beyond_the_namespace_nothing_may_be_changed() -> None:
    """What a part may do in the whole cluster, if anything, is to read."""
    roles = [one for one in rendered() if one["kind"] == "ClusterRole"]
    verbs = {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]}
    assert verbs <= {"get", "list", "watch"}


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
