"""What holds for every pod of the chart, and for who may ask whom."""

import re
import runpy

import pytest

from pipeline import charts
from pipeline.rendering import (
    ON,
    Object,
    containers,
    get,
    of_values,
    pods,
    rendered,
    templates,
    walk,
)

pytestmark = pytest.mark.skipif(charts.helm() is None, reason="no helm: run `make helm`")

# What `make secrets` makes, read off the script by name: the standard library has a `secrets` too.
MADE = runpy.run_path(str(charts.CHART.parents[1] / "manifests" / "secrets.py"))["MAKERS"]
SECRETS = {name for together in MADE for name in together}


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
    """Every pod has an account of its own; few may ask the API.

    Those of the pipelines and of the verdict, and of retraining where trainings are Jobs.
    """
    known = {"pipelines", "verdict"} | ({"retraining"} if values != "kubeflow" else set())
    for name, labels, spec in pods(values):
        assert spec["serviceAccountName"].startswith("parivision-"), name
        asks = labels["app.kubernetes.io/component"] in known
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


def test_what_serves_comes_before_what_trains() -> None:
    """Its pods are scheduled first and evicted last, and ask for more of a busy processor."""
    objects = rendered()
    serving = get(objects, "PriorityClass", "serving")
    training = get(objects, "PriorityClass", "training")
    assert serving["value"] > 0 > training["value"]
    assert training["preemptionPolicy"] == "Never"
    classes = {name: spec.get("priorityClassName") for name, _, spec in templates(objects)}
    for name in ("Deployment parivision-shots", "Deployment parivision-verdict"):
        assert classes[name] == "parivision-serving"
    assert classes["StatefulSet parivision-mongodb"] == "parivision-serving"
    assert classes["Job parivision-first-champion"] == "parivision-training"
    proxy = get(objects, "EnvoyProxy", "parivision")["spec"]["provider"]["kubernetes"]
    assert proxy["envoyDeployment"]["pod"]["priorityClassName"] == "parivision-serving"
    for values in ("default", "lab"):
        requested = {
            name: sum(_milli(one["resources"]["requests"]["cpu"]) for one in containers(spec))
            for name, _, spec in templates(of_values(values))
        }
        train = requested["Job parivision-first-champion"]
        assert requested["Deployment parivision-shots"] > train, values


def _milli(cpu: str | float) -> int:
    text = str(cpu)
    return int(text.removesuffix("m")) if text.endswith("m") else int(float(text) * 1000)
