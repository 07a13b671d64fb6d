"""One list of versions, manifests/versions.env, and everything that must agree with it."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tests/lab/tools"

MODULES = {
    "KUBERNETES": ("kubernetes", "k8s.io/kubernetes"),
    "FLAGGER": ("kubernetes", "github.com/fluxcd/flagger"),
    "KIND": ("services", "sigs.k8s.io/kind"),
    "HELM": ("services", "helm.sh/helm/v3"),
    "GATEWAY_API": ("services", "sigs.k8s.io/gateway-api"),
    "ENVOY_GATEWAY": ("services", "github.com/envoyproxy/gateway"),
    "PROMETHEUS_OPERATOR": ("services", "github.com/prometheus-operator/prometheus-operator"),
    "PROMETHEUS": ("services", "github.com/prometheus/prometheus"),
    "ALERTMANAGER": ("services", "github.com/prometheus/alertmanager"),
    "METRICS_SERVER": ("services", "sigs.k8s.io/metrics-server"),
    "REGISTRY": ("services", "github.com/distribution/distribution/v3"),
    "FERRETDB": ("ferretdb", "github.com/FerretDB/FerretDB"),
}
IMAGES = {
    "PROMETHEUS": ("monitoring", "quay.io/prometheus/prometheus"),
    "ALERTMANAGER": ("monitoring", "quay.io/prometheus/alertmanager"),
    "GRAFANA": ("monitoring", "docker.io/grafana/grafana"),
    "REGISTRY": ("registry", "registry"),
    "FERRETDB": ("mongodb", "ghcr.io/ferretdb/ferretdb"),
}


def _versions() -> dict[str, str]:
    text = (ROOT / "manifests/versions.env").read_text()
    return dict(re.findall(r"^(\w+)=(\S+)$", text, re.MULTILINE))


def _module_version(folder: str, module: str) -> str:
    text = (TOOLS / folder / "go.mod").read_text()
    found = re.search(rf"^\s+{re.escape(module)} v(\S+)", text, re.MULTILINE)
    assert found, f"tests/lab/tools/{folder}/go.mod does not name {module}"
    return found[1]


def _released_as(name: str, module_version: str) -> str:
    """Prometheus 3.13.5 is the module's version 0.313.5."""
    if name == "PROMETHEUS":
        return re.sub(r"^0\.(\d)(\d\d)\.", lambda m: f"{m[1]}.{int(m[2])}.", module_version)
    return module_version


@pytest.mark.parametrize("name", MODULES)
def test_the_lab_builds_the_versions_of_the_list(name: str) -> None:
    """What the lab's cluster runs is what every other cluster gets."""
    assert _released_as(name, _module_version(*MODULES[name])) == _versions()[name].lstrip("v")


@pytest.mark.parametrize("name", IMAGES)
def test_the_chart_names_the_images_of_the_list(name: str) -> None:
    """An image that the lab cannot have made is not what the chart asks for."""
    part, image = IMAGES[name]
    values = yaml.safe_load((ROOT / f"helm/parivision/charts/{part}/values.yaml").read_text())
    assert f"{image}:{_versions()[name]}" in _strings(values)


def test_the_lab_runs_the_envoy_of_the_list() -> None:
    """Envoy Gateway would choose an image that the lab does not have."""
    values = yaml.safe_load((ROOT / "helm/parivision/ci/lab.yaml").read_text())
    assert values["gateway"]["image"] == f"docker.io/envoyproxy/envoy:{_versions()['ENVOY']}"


def _strings(value: object) -> set[str]:
    if isinstance(value, dict):
        return set().union(*(_strings(inner) for inner in value.values()))
    return {value} if isinstance(value, str) else set()
