"""Tasks of a compiled pipeline as Kubeflow Pipelines' driver and launcher run them, without pods.

Each task is the very process that its pod would run: the compiled command and arguments, an
executor input, an environment that holds what the image and the Secrets give and nothing else. Its
artifacts come from a store and go to it as to S3: files and their bytes, no empty folders, no
permissions.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parivision.kubeflow.compiled import Compiled

Json = dict[str, Any]
TIMEOUT_S = 600
# As strconv.ParseBool of Go, which the launcher reads booleans with.
BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
READ: dict[str, Callable[[str], Any]] = {
    "STRING": str,
    "NUMBER_INTEGER": lambda text: int(text.strip()),
    "NUMBER_DOUBLE": lambda text: float(text.strip()),
    "BOOLEAN": lambda text: BOOLEANS[text.strip()],
    "LIST": json.loads,
    "STRUCT": json.loads,
}
IMAGE_ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "DO_NOT_TRACK": "true",
    "BENTOML_DO_NOT_TRACK": "True",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


class TaskFailedError(Exception):
    """A task's process ended with another code than 0, or without what it must give."""


@dataclass(frozen=True)
class Kept:
    """An artifact in the store; `there` if the task wrote anything."""

    name: str
    kind: Json
    metadata: Json
    files: Path
    there: bool


@dataclass(frozen=True)
class Given:
    """What a task gave: parameters, artifacts by name, and its output."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Kept] = field(default_factory=dict)
    log: str = ""


@dataclass
class Launcher:
    """Where pods and the store would be, and the Secrets of the namespace by name."""

    folder: Path
    secrets: Mapping[str, Mapping[str, str]]
    environment: Mapping[str, str] = field(default_factory=dict)
    # Tasks that are not run: each is given what another task gave, under a name of its own.
    copies: Mapping[str, str] = field(default_factory=dict)

    def run(self, compiled: Compiled, arguments: Mapping[str, Any]) -> dict[str, Given]:
        """Run a whole pipeline; what its tasks gave, by their titles."""
        root = compiled.spec["root"]
        parameters = _with_defaults(root, arguments)
        return dict(self._dag(compiled, root, Given(parameters)))

    def launch(self, compiled: Compiled, component: str, inputs: Given, title: str = "") -> Given:
        """Run one component's process and collect what it gave."""
        spec = compiled.spec["components"][component]
        executor = spec["executorLabel"]
        container = compiled.spec["deploymentSpec"]["executors"][executor]["container"]
        pod = self.folder / "pods" / f"{len(list(self.folder.glob('pods/*'))):02}-{component}"
        scratch = pod / "tmp"
        scratch.mkdir(parents=True)
        given = self._executor_input(spec, inputs, pod)
        done = subprocess.run(
            _words([*container["command"], *container["args"]], given),
            cwd=scratch,
            env=self._environment(compiled, executor, pod),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        log = done.stdout + done.stderr
        if done.returncode != 0:
            raise TaskFailedError(f"{title or component} ended with {done.returncode}:\n{log}")
        return self._collect(spec, given, pod, log)

    def _dag(self, compiled: Compiled, dag: Json, inputs: Given) -> Iterator[tuple[str, Given]]:
        """Run the tasks of a DAG in an order in which each finds what it needs."""
        tasks, done = dict(dag["dag"]["tasks"]), dict[str, Given]()
        while tasks:
            name = next(n for n, task in tasks.items() if self._needs(n, task) <= set(done))
            task = tasks.pop(name)
            component = compiled.spec["components"][task["componentRef"]["name"]]
            found = _resolved(task, inputs, done)
            done[name] = Given()
            if not _is_triggered(task, found.parameters):
                continue
            if "dag" in component:
                yield from self._dag(compiled, component, found)
                continue
            title = task["taskInfo"]["name"]
            if name in self.copies:
                done[name] = _renamed(done[self.copies[name]], title)
            else:
                done[name] = self.launch(compiled, task["componentRef"]["name"], found, title)
            yield title, done[name]

    def _needs(self, name: str, task: Json) -> set[str]:
        """The tasks that have to be done before."""
        copied = {self.copies[name]} if name in self.copies else set()
        return set(task.get("dependentTasks", [])) | copied

    def _environment(self, compiled: Compiled, executor: str, pod: Path) -> dict[str, str]:
        """The pod's environment: the image's, the Secrets' and the pod's own name."""
        platform = compiled.documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        settings = platform[executor]
        home = str(pod / "tmp")
        found = {
            **IMAGE_ENVIRONMENT,
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": home,
            "TMPDIR": home,
            "PARIVISION_HOME": f"{home}/parivision",
            "MPLCONFIGDIR": f"{home}/matplotlib",
            **self.environment,
        }
        for secret in settings.get("secretAsEnv", []):
            values = self.secrets.get(secret["secretName"], {})
            for key in secret["keyToEnv"]:
                if key["secretKey"] in values:
                    found[key["envVar"]] = values[key["secretKey"]]
                elif not secret["optional"]:
                    raise TaskFailedError(f"the pod waits for the Secret {secret['secretName']}")
        for own in settings.get("fieldPathAsEnv", []):
            found[own["name"]] = {"metadata.name": pod.name}[own["fieldPath"]]
        return found

    def _executor_input(self, spec: Json, inputs: Given, pod: Path) -> Json:
        """What the driver tells the executor, with the inputs already downloaded."""
        declared = spec.get("inputDefinitions", {})
        artifacts = {}
        for name in declared.get("artifacts", {}):
            if name in inputs.artifacts:
                artifacts[name] = {"artifacts": [_downloaded(inputs.artifacts[name], pod / "s3")]}
        outputs = spec.get("outputDefinitions", {})
        made = {
            name: {"artifacts": [_provisioned(name, kind["artifactType"], pod / "out")]}
            for name, kind in outputs.get("artifacts", {}).items()
        }
        return {
            "inputs": {"parameterValues": _with_defaults(spec, inputs.parameters)}
            | ({"artifacts": artifacts} if artifacts else {}),
            "outputs": {
                "artifacts": made,
                "parameters": {
                    name: {"outputFile": str(pod / "tmp/kfp/outputs" / name)}
                    for name in outputs.get("parameters", {})
                },
                "outputFile": str(pod / "tmp/kfp_outputs/output_metadata.json"),
            },
        }

    def _collect(self, spec: Json, given: Json, pod: Path, log: str) -> Given:
        """Read parameters and upload artifacts as the launcher does."""
        told = _strict(Path(given["outputs"]["outputFile"]).read_text())
        outputs = spec.get("outputDefinitions", {})
        parameters = {}
        for name, kind in outputs.get("parameters", {}).items():
            file = Path(given["outputs"]["parameters"][name]["outputFile"])
            if name in told.get("parameterValues", {}):
                parameters[name] = told["parameterValues"][name]
            elif file.is_file():
                parameters[name] = READ[kind["parameterType"]](file.read_text())
            else:
                raise TaskFailedError(f"failed to read output parameter {name}: {file} is missing")
        artifacts = {}
        for name, listed in given["outputs"]["artifacts"].items():
            (artifact,) = listed["artifacts"]
            (said,) = told.get("artifacts", {}).get(name, listed)["artifacts"]
            source = Path(artifact["uri"])
            kept = self.folder / "store" / pod.name / name
            _copy(source, kept)
            artifacts[name] = Kept(
                name, artifact["type"], said.get("metadata", {}), kept, source.exists()
            )
        return Given(parameters, artifacts, log)


def _strict(text: str) -> Json:
    """JSON as Protobuf reads it, which knows neither NaN nor infinity."""

    def refuse(constant: str) -> None:
        raise TaskFailedError(f"failed to unmarshal the executor's output: {constant} in {text}")

    return dict(json.loads(text, parse_constant=refuse))


def _words(words: list[str], given: Json) -> list[str]:
    """Command and arguments with KFP's placeholders filled in."""
    filled = {"{{$}}": json.dumps(given)}
    for name, value in given["inputs"]["parameterValues"].items():
        text = value if isinstance(value, str) else json.dumps(value)
        filled[f"{{{{$.inputs.parameters['{name}']}}}}"] = text
    for word in range(len(words)):
        for placeholder, text in filled.items():
            words[word] = words[word].replace(placeholder, text)
    return words


def _with_defaults(spec: Json, given: Mapping[str, Any]) -> Json:
    """Parameters with the defaults of those that are not given and have one."""
    declared = spec.get("inputDefinitions", {}).get("parameters", {})
    defaults = {n: p["defaultValue"] for n, p in declared.items() if "defaultValue" in p}
    return {name: _as_go_writes(value) for name, value in {**defaults, **given}.items()}


def _as_go_writes(value: Any) -> Any:
    """Every number of Protobuf's is a double; Go writes a whole one without a point."""
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e21
    return int(value) if is_whole else value


def _resolved(task: Json, inputs: Given, done: Mapping[str, Given]) -> Given:
    """A task's inputs: from other tasks, from the DAG's inputs, or constant."""
    parameters, artifacts = {}, {}
    for name, source in task.get("inputs", {}).get("parameters", {}).items():
        if output := source.get("taskOutputParameter"):
            parameters[name] = done[output["producerTask"]].parameters[output["outputParameterKey"]]
        elif component_input := source.get("componentInputParameter"):
            parameters[name] = inputs.parameters[component_input]
        else:
            parameters[name] = source["runtimeValue"]["constant"]
    for name, source in task.get("inputs", {}).get("artifacts", {}).items():
        if output := source.get("taskOutputArtifact"):
            artifacts[name] = done[output["producerTask"]].artifacts[output["outputArtifactKey"]]
        else:
            artifacts[name] = inputs.artifacts[source["componentInputArtifact"]]
    return Given(parameters, artifacts)


def _is_triggered(task: Json, parameters: Mapping[str, Any]) -> bool:
    """Whether the task's condition holds; only comparisons with true or false are known here."""
    condition = task.get("triggerPolicy", {}).get("condition")
    if condition is None:
        return True
    found = re.fullmatch(r"inputs\.parameter_values\['([^']+)'\] == (true|false)", condition)
    if found is None:
        raise ValueError(f"the condition {condition!r} is not known here")
    return bool(parameters[found[1]] is (found[2] == "true"))


def _renamed(given: Given, title: str) -> Given:
    """What a training gave, as if it were that of another model."""
    name = title.removeprefix("train ")
    artifacts = {
        key: Kept(a.name, a.kind, {**a.metadata, "name": name}, a.files, a.there)
        for key, a in given.artifacts.items()
    }
    return Given({**given.parameters, "Output": name}, artifacts, given.log)


def _provisioned(name: str, kind: Json, place: Path) -> Json:
    """An output artifact: its folder is there, the artifact itself not yet."""
    place.mkdir(parents=True, exist_ok=True)
    return {"name": name, "type": kind, "uri": str(place / name), "metadata": {}}


def _downloaded(kept: Kept, place: Path) -> Json:
    """An input artifact at a place of its own; one that was never written cannot be had."""
    if not kept.there:
        raise TaskFailedError(f"failed to download input artifact {kept.name}")
    place = place / f"{len(list(place.glob('*')))}-{kept.name}"
    _copy(kept.files, place)
    return {"name": kept.name, "type": kept.kind, "uri": str(place), "metadata": kept.metadata}


def _copy(source: Path, target: Path) -> None:
    """Files and their bytes: an object store knows no empty folders, permissions or times."""
    files = [source] if source.is_file() else [f for f in source.rglob("*") if f.is_file()]
    for file in files:
        place = target if source.is_file() else target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
