"""The scripts of manifests/, as far as they go without a cluster."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MIRROR = "mirror.test/copies"
DEFINITION = "kind: CustomResourceDefinition\n"
SERVER = "kind: Deployment\nimage: registry.test/kubeflow/api-server:2.17.3\n"


def run(script: str, *arguments: str, given: str = "", **environment: str) -> str:
    """What a script of manifests/ prints; it must do well."""
    done = start(script, *arguments, given=given, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def start(
    script: str, *arguments: str, given: str = "", **environment: str
) -> "subprocess.CompletedProcess[str]":
    """A script of manifests/ in an environment of ours."""
    return subprocess.run(
        [str(ROOT / "manifests" / script), *arguments],
        input=given,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "copied"),
    [
        ("image: quay.test/a/b:v1", f"image: {MIRROR}/quay.test/a/b:v1"),
        ('- image: "quay.test:5000/a:v1"', f'- image: "{MIRROR}/quay.test:5000/a:v1"'),
        ("- --executor-image=quay.test/a/b:v1", f"- --executor-image={MIRROR}/quay.test/a/b:v1"),
        ("value: ghcr.test/a/b@sha256:0a", f"value: {MIRROR}/ghcr.test/a/b@sha256:0a"),
        ("image: mysql:8.4", f"image: {MIRROR}/docker.io/library/mysql:8.4"),
    ],
)
def test_images_come_from_the_mirror(line: str, copied: str) -> None:
    """Whether they are a container's or are named in an argument or a variable."""
    assert run("mirror", given=f"{line}\n", IMAGE_MIRROR=MIRROR) == f"{copied}\n"


@pytest.mark.parametrize(
    "line",
    [
        "apiVersion: argoproj.io/v1alpha1",
        "app.kubernetes.io/name: mysql",
        "url: http://quay.test/a/b:8080",
        "image: parivision/serving:0.1.0",
        "host: mysql.kubeflow.svc",
    ],
)
def test_what_is_no_image_of_a_registry_stays(line: str) -> None:
    """Names with dots and slashes are everywhere in a manifest; and our images are built here."""
    assert run("mirror", given=f"{line}\n", IMAGE_MIRROR=MIRROR) == f"{line}\n"


def test_without_a_mirror_nothing_changes() -> None:
    """The usual case."""
    assert run("mirror", given=SERVER) == SERVER


def test_kubeflows_manifests_may_be_a_folder_or_a_file(tmp_path: Path) -> None:
    """Plain ones, as a machine without internet has them, with images of its mirror."""
    (tmp_path / "a.yaml").write_text(DEFINITION)
    (tmp_path / "b.yaml").write_text(SERVER)
    for place in (tmp_path, tmp_path / "b.yaml"):
        shown = run("install", "kubeflow-show", KUBEFLOW_MANIFESTS=str(place), IMAGE_MIRROR=MIRROR)
        found = [one for one in yaml.safe_load_all(shown) if one]
        assert {"Deployment"} <= {one["kind"] for one in found}
        assert f"{MIRROR}/registry.test/kubeflow/api-server:2.17.3" in shown


KUBECTL = r"""#!/bin/sh
echo "$*" >>"$CALLS"
case $1 in
  apply) cat >/dev/null
    case "$*" in *--server-side*)
      echo x >>"$CALLS.applied"
      [ "$(wc -l <"$CALLS.applied")" -gt 1 ] ;;
    esac ;;
  get) echo 2 ;;
  create) echo '{}' ;;
  patch) cat >/dev/null ;; # who writes to it would end by SIGPIPE otherwise, now and then
esac
"""


def test_definitions_and_what_they_define_may_be_in_one_file(tmp_path: Path) -> None:
    """Kubernetes refuses what is not defined yet: it is asked once more, and then strictly."""
    kubectl = tmp_path / "bin" / "kubectl"
    kubectl.parent.mkdir()
    kubectl.write_text(KUBECTL)
    kubectl.chmod(0o755)
    (tmp_path / "all.yaml").write_text(f"{DEFINITION}---\n{SERVER}")
    path = f"{kubectl.parent}:{os.environ['PATH']}"
    calls = tmp_path / "calls"
    manifests = {"KUBEFLOW_MANIFESTS": str(tmp_path / "all.yaml"), "CALLS": str(calls)}
    run("install", "kubeflow", **manifests, PATH=path)
    done = calls.read_text().splitlines()
    first, second = [n for n, call in enumerate(done) if "--server-side" in call]
    (waited,) = [n for n, call in enumerate(done) if call.startswith("wait crd/")]
    assert first < waited < second
    assert "--for=condition=Available" in done[-1]


def test_a_values_file_that_is_not_there_is_told_at_once() -> None:
    """Not after the ten minutes that a cluster takes."""
    done = start("cluster", "up", VALUES="helm/parivision/ci/alone.yaml no/such.yaml")
    assert done.returncode == 1
    assert "VALUES names no/such.yaml, and there is no such file" in done.stderr


@pytest.mark.parametrize("script", ["cluster", "install"])
def test_an_unknown_word_is_answered_with_the_usage(script: str) -> None:
    """Which is the comment at the script's top, whole."""
    done = start(script, "nonsense")
    assert done.returncode == 2
    assert "safe to run again" in done.stderr.lower()
    assert f"{script} " in done.stderr
