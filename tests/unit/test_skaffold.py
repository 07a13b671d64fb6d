"""skaffold.yaml: it fits skaffold's schema, and names what there is."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from parivision import __version__
from parivision.kubeflow.compiled import Compiled

ROOT = Path(__file__).parents[2]
MODULE = "github.com/!google!container!tools/skaffold"
RENDERED = ROOT / "tests" / "pipeline" / "rendered" / "default"
HOW_TO = "no schema of skaffold: `make skaffold-schema` fetches it"


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """The file, as it is."""
    return dict(yaml.safe_load((ROOT / "skaffold.yaml").read_text()))


@pytest.fixture(scope="module")
def schema(config: dict[str, Any]) -> dict[str, Any]:
    """The schema of the file's version, from the Go module that skaffold is built from."""
    go = shutil.which("go")
    cache = os.environ.get("GOMODCACHE") or (
        subprocess.run([go, "env", "GOMODCACHE"], capture_output=True, text=True, check=True).stdout
        if go
        else ""
    )
    release = re.search(r"^SKAFFOLD := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    version = config["apiVersion"].removeprefix("skaffold/")
    module = Path(cache.strip(), MODULE, f"v2@{release[1] if release else ''}")
    file = module / "docs-v2/content/en/schemas" / f"{version}.json"
    if not file.is_file():
        pytest.skip(HOW_TO)
    return dict(json.loads(file.read_text()))


def with_profile(config: dict[str, Any], name: str) -> dict[str, Any]:
    """The configuration with a profile's patches, all of which add something."""
    patched = json.loads(json.dumps(config))
    (profile,) = [item for item in config["profiles"] if item["name"] == name]
    for patch in profile["patches"]:
        assert patch["op"] == "add"
        *path, last = patch["path"].strip("/").split("/")
        place = patched
        for step in path:
            place = place[int(step) if step.isdecimal() else step]
        assert last not in place
        place[last] = patch["value"]
    return dict(patched)


@pytest.mark.parametrize("profile", [None, "dev", "lab"])
def test_the_file_fits_skaffolds_schema(
    config: dict[str, Any], schema: dict[str, Any], profile: str | None
) -> None:
    """Skaffold takes the file as it is, and with each profile."""
    whole = with_profile(config, profile) if profile else config
    errors = list(jsonschema.Draft7Validator(schema).iter_errors(whole))
    assert not errors, [error.message[:200] for error in errors]


def test_a_slip_does_not_fit(config: dict[str, Any], schema: dict[str, Any]) -> None:
    """The check sees a field that skaffold does not know."""
    wrong = {**config, "deploi": {}}
    assert not jsonschema.Draft7Validator(schema).is_valid(wrong)


def test_every_image_is_a_target_of_the_dockerfile(config: dict[str, Any]) -> None:
    """The chart gets all the images it runs, each built from a target of its name."""
    targets = {
        line.split()[-1]
        for line in (ROOT / "components" / "Dockerfile").read_text().splitlines()
        if line.startswith("FROM ") and " AS " in line
    }
    values = yaml.safe_load((ROOT / "helm" / "parivision" / "values.yaml").read_text())
    (release,) = config["deploy"]["helm"]["releases"]
    built = {item["image"]: item["docker"] for item in config["build"]["artifacts"]}
    placeholders = release["setValueTemplates"]
    for key, image in values["global"]["images"].items():
        name = image["repository"].removeprefix("parivision/")
        docker = built.pop(f"parivision/{name}")
        assert (docker["dockerfile"], docker["target"]) == ("components/Dockerfile", name)
        assert name in targets
        # As skaffold names variables: an image's letters and digits, `_` for the rest.
        variable = f"parivision_{name}".replace("-", "_")
        for field, part in (("repository", "REPO"), ("tag", "TAG"), ("digest", "DIGEST")):
            placeholder = placeholders.pop(f"global.images.{key}.{field}")
            assert placeholder == f"{{{{.IMAGE_{part}_{variable}}}}}"
    assert not built
    assert not placeholders


def test_the_images_carry_the_projects_version(config: dict[str, Any]) -> None:
    """Skaffold asks a command; pipelines, charts and `manifests/cluster runtime` name that tag."""
    template = config["build"]["tagPolicy"]["envTemplate"]["template"]
    asked = re.fullmatch(r"\{\{cmd (.+)\}\}", template)
    assert asked
    command = shlex.split(asked[1])
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == __version__


def test_pipelines_run_on_the_image_that_is_built(config: dict[str, Any]) -> None:
    """Every task of a compiled pipeline names skaffold's image with skaffold's tag."""
    built = {item["image"] for item in config["build"]["artifacts"]}
    named = set()
    for file in (ROOT / "pipelines" / "compiled").glob("*.yaml"):
        executors = Compiled.read(file).spec["deploymentSpec"]["executors"]
        named |= {executor["container"]["image"] for executor in executors.values()}
    (image,) = named
    repository, _, tag = image.partition(":")
    assert repository in built
    assert tag == __version__


@pytest.mark.parametrize("profile", ["dev", "lab"])
def test_every_file_that_is_named_exists(config: dict[str, Any], profile: str) -> None:
    """Charts, values, manifests and scripts are where the file says."""
    helm = with_profile(config, profile)["deploy"]["helm"]
    (release,) = helm["releases"]
    hooks = [hook["host"]["command"] for when in helm["hooks"].values() for hook in when]
    named = [release["chartPath"], *release["valuesFiles"]]
    named += [word for command in hooks for word in command if word.startswith("manifests/")]
    assert len(named) == 4
    for name in named:
        assert (ROOT / name).exists(), name


def test_forwarded_ports_are_those_of_the_charts_services(config: dict[str, Any]) -> None:
    """Every Service that is forwarded is in the chart, or made by an operator or by Flagger."""
    ports = {
        document["metadata"]["name"]: {port["port"] for port in document["spec"]["ports"]}
        for file in RENDERED.glob("*.yaml")
        for document in yaml.safe_load_all(file.read_text())
        if document and document["kind"] == "Service"
    }
    operated = {"prometheus-operated": {9090}, "alertmanager-operated": {9093}}
    operated["parivision-shots"] = {3000}
    for forward in config["portForward"]:
        assert forward["port"] in (ports | operated)[forward["resourceName"]]
        assert forward.get("address", "127.0.0.1") == "127.0.0.1"
