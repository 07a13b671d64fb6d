"""The committed YAML of the pipelines: it is what the code compiles to, and fit for a cluster."""

import ast
import difflib
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parivision.kubeflow.compiled import FOLDER, Compiled, compiled_file
from parivision.models import families

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "kubeflow.md").read_text()
PIPELINES = ("etl", "training", "monitoring")
MODELS = {
    "logistic_regression",
    "random_forest",
    "gradient_boosting",
    "xgboost",
    "lightgbm",
    "lightgbm_classic",
}
IMAGE = "registry.example/parivision@sha256:0123"


def spec(pipeline: str) -> dict[str, Any]:
    """The specification of a committed pipeline."""
    return Compiled.read(compiled_file(pipeline)).spec


def platform(pipeline: str) -> dict[str, Any]:
    """What Kubernetes is told of each executor."""
    kubernetes = Compiled.read(compiled_file(pipeline)).documents[1]["platforms"]["kubernetes"]
    return dict(kubernetes["deploymentSpec"]["executors"])


def containers(pipeline: str) -> dict[str, Any]:
    """The container of each executor."""
    executors = spec(pipeline)["deploymentSpec"]["executors"]
    return {name: executor["container"] for name, executor in executors.items()}


def task_specs(pipeline: str) -> dict[str, Any]:
    """Every task that is a process, by its title."""
    whole = spec(pipeline)
    dags = [whole["root"], *whole["components"].values()]
    tasks = [task for dag in dags for task in dag.get("dag", {}).get("tasks", {}).values()]
    return {
        task["taskInfo"]["name"]: task
        for task in tasks
        if "executorLabel" in whole["components"][task["componentRef"]["name"]]
    }


@pytest.fixture(scope="module")
def recompiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pipelines compiled anew, for another image."""
    folder = tmp_path_factory.mktemp("compiled")
    command = [sys.executable, "-m", "pipelines.compile", "--to", str(folder), "--image", IMAGE]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.mark.xdist_group("compile")
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_committed_file_is_what_the_code_compiles_to(pipeline: str, recompiled: Path) -> None:
    """Whoever changes a component or a pipeline commits what it compiles to; only images differ."""
    image = next(iter(containers(pipeline).values()))["image"]
    now = (recompiled / f"{pipeline}.yaml").read_text().replace(IMAGE, image).splitlines()
    committed = compiled_file(pipeline).read_text().splitlines()
    difference = "\n".join(difflib.unified_diff(committed, now, "committed", "compiled", n=1))
    assert not difference, f"run `make compile`:\n{difference}"


@pytest.mark.xdist_group("compile")
def test_all_components_are_compiled_for_the_image_that_is_given(recompiled: Path) -> None:
    """`--image` names the image of every component, such as one by its digest."""
    for pipeline in PIPELINES:
        executors = Compiled.read(recompiled / f"{pipeline}.yaml").spec["deploymentSpec"]
        images = {executor["container"]["image"] for executor in executors["executors"].values()}
        assert images == {IMAGE}


def test_only_known_pipelines_are_committed() -> None:
    """No compiled file is left over from a pipeline that is gone."""
    assert {path.stem for path in FOLDER.iterdir()} == set(PIPELINES)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_component_runs_on_the_projects_image_and_installs_nothing(pipeline: str) -> None:
    """A pod needs no network but its services: no pip at run time, one image with a version."""
    for name, container in containers(pipeline).items():
        assert container["image"].startswith("parivision/components-python:"), name
        assert ":latest" not in container["image"], name
        words = " ".join(container["command"] + container["args"])
        assert "pip" not in words.replace("pipeline", ""), name
        assert "env" not in container, f"{name}: credentials come from Secrets only"


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_component_has_requests_limits_and_a_deadline(pipeline: str) -> None:
    """A pod is scheduled by what it needs, cannot take the node, and does not hang for ever."""
    deadlines = platform(pipeline)
    for name, container in containers(pipeline).items():
        resources = container["resources"]
        for key in ("resourceCpuRequest", "resourceCpuLimit"):
            assert resources[key], f"{name} lacks {key}"
        for key in ("resourceMemoryRequest", "resourceMemoryLimit"):
            assert resources[key], f"{name} lacks {key}"
        assert 0 < int(deadlines[name]["activeDeadlineSeconds"]) <= 43200, name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_component_runs_as_an_ordinary_user(pipeline: str) -> None:
    """The Pod Security Standard `restricted` takes the pods."""
    for name, settings in platform(pipeline).items():
        assert settings["securityContext"] == {
            "runAsUser": "1000",
            "runAsGroup": "1000",
            "runAsNonRoot": True,
        }, name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_stages_are_retried_but_a_rollout_is_not_and_nothing_is_cached(pipeline: str) -> None:
    """A pod that was lost is made anew; a champion that failed its rollout gets no second one."""
    for name, task in task_specs(pipeline).items():
        if name == "deploy":
            assert "retryPolicy" not in task
        else:
            assert task["retryPolicy"]["maxRetryCount"] >= 2, name
        assert not task.get("cachingOptions", {}).get("enableCache", False), name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_retry_is_cut_off_by_the_longest_backoff(pipeline: str) -> None:
    """Argo counts the longest backoff from the first attempt's begin: all attempts fit into it."""
    deadlines = platform(pipeline)
    components = spec(pipeline)["components"]
    for name, task in task_specs(pipeline).items():
        if "retryPolicy" not in task:
            continue
        retry = task["retryPolicy"]
        executor = components[task["componentRef"]["name"]]["executorLabel"]
        attempts = retry["maxRetryCount"] + 1
        longest_s = attempts * int(deadlines[executor]["activeDeadlineSeconds"])
        assert int(retry["backoffMaxDuration"].removesuffix("s")) >= longest_s, name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pod_is_known_by_its_labels_and_knows_its_own_name(pipeline: str) -> None:
    """Network policies find the pods; a stage in a pod knows that nothing may be kept there."""
    for name, settings in platform(pipeline).items():
        stage = name.removeprefix("exec-").split("-")[0]
        assert settings["podMetadata"]["labels"] == {
            "app.kubernetes.io/part-of": "parivision",
            "app.kubernetes.io/component": stage,
        }, name
        names = {env["name"]: env["fieldPath"] for env in settings["fieldPathAsEnv"]}
        assert names == {"PARIVISION_POD": "metadata.name"}, name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_images_come_from_the_node_and_scratch_files_have_a_bounded_place(pipeline: str) -> None:
    """An image loaded into the node is enough; no stage fills the node's disk from /tmp."""
    for name, settings in platform(pipeline).items():
        assert settings["imagePullPolicy"] == "IfNotPresent", name
        (scratch,) = settings["emptyDirMounts"]
        assert (scratch["mountPath"], scratch["sizeLimit"]) == ("/tmp", "8Gi"), name  # noqa: S108


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_missing_secret_does_not_keep_a_pod_waiting(pipeline: str) -> None:
    """The pod starts, and the stage fails at once with the Secret's name."""
    for name, settings in platform(pipeline).items():
        for secret in settings.get("secretAsEnv", []):
            assert secret["optional"] is True, name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_no_code_reads_like_a_placeholder_of_kfp_or_argo(pipeline: str) -> None:
    """Both replace what stands in double braces: it is the executor input and nothing else."""
    for name, container in containers(pipeline).items():
        for word in container["command"] + container["args"]:
            assert "{{" not in word.replace("{{$}}", ""), name


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_stage_gets_only_the_credentials_it_needs(pipeline: str) -> None:
    """The lake, MLflow and the images' registry are each for the stages that use them."""
    for name, settings in platform(pipeline).items():
        stage = name.removeprefix("exec-").split("-")[0]
        secrets = {secret["secretName"] for secret in settings.get("secretAsEnv", [])}
        expected = {
            "ingest": {"parivision-lake"},
            "refine": {"parivision-lake", "parivision-prediction-log"},
            "package": {"parivision-images"},
            "deploy": set(),
        }
        assert secrets == expected.get(stage, {"parivision-mlflow"}), name


def test_the_docs_say_what_a_pod_gets() -> None:
    """docs/kubeflow.md has a row with each stage's resources, deadline and retries."""
    rows = [line for line in DOCS.splitlines() if line.startswith("| `")]
    for pipeline in PIPELINES:
        for title, task in task_specs(pipeline).items():
            executor = spec(pipeline)["components"][task["componentRef"]["name"]]["executorLabel"]
            needs = containers(pipeline)[executor]["resources"]
            deadline = platform(pipeline)[executor]["activeDeadlineSeconds"]
            row = (
                f"| `{title.split()[0]}` "
                f"| {needs['resourceCpuRequest']}, {needs['resourceCpuLimit']} "
                f"| {needs['resourceMemoryRequest']}, {needs['resourceMemoryLimit']} "
                f"| {deadline} s | {task.get('retryPolicy', {}).get('maxRetryCount', 'none')} |"
            )
            assert row in rows


def test_the_docs_say_what_a_secret_holds() -> None:
    """docs/kubeflow.md has a row with each Secret and all its keys."""
    for pipeline in PIPELINES:
        for settings in platform(pipeline).values():
            for secret in settings.get("secretAsEnv", []):
                (row,) = [r for r in DOCS.splitlines() if f"`{secret['secretName']}` |" in r]
                for key in secret["keyToEnv"]:
                    assert f"`{key['secretKey']}`" in row
                    assert key["envVar"].rpartition("_")[2] in row


def test_the_trainings_are_six_tasks_that_can_run_at_the_same_time() -> None:
    """Five families, and LightGBM on the classic features: none waits for another."""
    tasks = task_specs("training")
    trainings = {title: task for title, task in tasks.items() if title.startswith("train ")}
    assert set(trainings) == {f"train {name}" for name in MODELS}
    for task in trainings.values():
        assert set(task["dependentTasks"]) == {"refine", "drift"}
    judged = tasks["evaluate"]["inputs"]["artifacts"]
    assert set(judged) == {*MODELS, "shots"}
    producers = {judged[name]["taskOutputArtifact"]["producerTask"] for name in MODELS}
    assert len(producers) == len(MODELS)


@pytest.mark.parametrize("pipeline", ["training", "monitoring"])
def test_only_what_was_promoted_is_packaged_and_deployed(pipeline: str) -> None:
    """Package and deploy lie under the condition that promotion said yes."""
    whole = spec(pipeline)
    conditions = {
        task["componentRef"]["name"]: task["triggerPolicy"]["condition"]
        for component in (whole["root"], *whole["components"].values())
        for task in component.get("dag", {}).get("tasks", {}).values()
        if "condition" in task.get("triggerPolicy", {})
    }
    parents = [name for name in conditions if "deploy" in whole["components"][name]["dag"]["tasks"]]
    assert len(parents) == 1
    assert conditions[parents[0]].endswith("['pipelinechannel--promote-Output'] == true")
    assert set(whole["components"][parents[0]]["dag"]["tasks"]) == {"package", "deploy"}


def test_artifacts_are_of_the_types_that_the_pipelines_ui_draws() -> None:
    """Curves, matrices, tables and reports show in the UI without a click to download."""
    components = spec("training")["components"]
    kinds = {
        f"{name.removeprefix('comp-')}.{key}": value["artifactType"]["schemaTitle"]
        for name, component in components.items()
        for key, value in component.get("outputDefinitions", {}).get("artifacts", {}).items()
    }
    expected = {
        "refine.shots": "Dataset",
        "drift.report": "HTML",
        "drift.evidently": "HTML",
        "drift.table": "Markdown",
        "train.model": "Model",
        "train.metrics": "Metrics",
        "evaluate.report": "HTML",
        "evaluate.table": "Markdown",
        "evaluate.curves": "ClassificationMetrics",
        "promote.model": "Model",
        "package.bento": "Artifact",
    }
    assert {name: kinds[name] for name in expected} == {
        name: f"system.{kind}" for name, kind in expected.items()
    }


def test_evaluate_has_an_input_for_every_model_of_the_table() -> None:
    """One table of the library says what is trained; KFP finds it in the component's source."""
    executor = containers("training")["exec-evaluate"]
    (source,) = [word for word in executor["command"] if "def evaluate(" in word]
    (function,) = ast.parse(source).body[-1:]
    assert isinstance(function, ast.FunctionDef)
    arguments = [each.arg for each in function.args.args]
    assert arguments[: len(MODELS) + 1] == ["shots", *families.MODELS]
    assert set(families.MODELS) == MODELS
    (models,) = [node for node in ast.walk(function) if isinstance(node, ast.List)]
    assert [ast.unparse(name) for name in models.elts] == list(families.MODELS)
    train = spec("training")["components"]["comp-train"]["inputDefinitions"]["parameters"]
    assert all(name in train["family"]["description"] for name in families.LEARNERS)


def test_a_piece_that_is_not_in_a_components_source_once_is_refused() -> None:
    """A component is not compiled with a placeholder in it, or with a change in two places."""

    def twice(number: int) -> int:
        return number + number

    rewritten = runpy.run_path(str(ROOT / "components" / "source.py"))["rewritten"]
    for piece in ("PLACEHOLDER", "number"):
        with pytest.raises(ValueError, match=f"twice: expected '{piece}' once in its source"):
            rewritten({piece: "1"})(twice)


def test_components_are_thin() -> None:
    """A component declares, calls the library and writes: its body has at most 40 lines."""
    files = sorted((ROOT / "components").glob("*/component.py"))
    assert {path.parent.name for path in files} == {
        *("ingest", "refine", "drift", "train", "evaluate", "promote", "package", "deploy")
    }
    for path in files:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                first = node.body[1] if ast.get_docstring(node) else node.body[0]
                assert (node.end_lineno or 0) - first.lineno < 40, node.name
