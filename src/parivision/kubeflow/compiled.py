"""A compiled pipeline as data: its parameters, its tasks and their outputs."""

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from parivision.errors import SettingsError

FOLDER: Final = Path(__file__).parents[3] / "pipelines" / "compiled"
"""The committed files; they come with the repository, not with the installed library."""

_COMPONENT_PREFIX: Final = "comp-"
_IMAGE: Final = re.compile(r"[\w./:-]+?(@sha256:[0-9a-f]{64}|:(?!latest$)[\w.-]+)")
_KINDS: Final[Mapping[str, type]] = {
    "STRING": str,
    "NUMBER_INTEGER": int,
    "NUMBER_DOUBLE": float,
    "BOOLEAN": bool,
}


@dataclass(frozen=True)
class Task:
    """A task: its folder's name in a local run, its title, and the types of its parameters out."""

    name: str
    title: str
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline: the documents of its YAML."""

    name: str
    documents: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, path: Path) -> "Compiled":
        """Read a compiled pipeline; raises SettingsError when there is none."""
        try:
            documents = tuple(yaml.load_all(path.read_text(), yaml.CSafeLoader))
            return cls(documents[0]["pipelineInfo"]["name"], documents)
        except (OSError, LookupError, TypeError, yaml.YAMLError) as error:
            raise SettingsError(
                f"{path} is no compiled pipeline ({error}): run `make compile` in a clone of the "
                "repository"
            ) from error

    @property
    def spec(self) -> dict[str, Any]:
        """The pipeline's specification, without what is Kubernetes' alone."""
        return self.documents[0]

    def tasks(self) -> list[Task]:
        """The tasks that are processes, those under conditions too, in no order."""
        components = self.spec["components"]
        tasks = []
        for task in self._task_specs():
            name = task["componentRef"]["name"]
            if "executorLabel" in components[name]:
                outputs = components[name].get("outputDefinitions", {}).get("parameters", {})
                kinds = {key: value["parameterType"] for key, value in outputs.items()}
                title = task["taskInfo"]["name"]
                tasks.append(Task(name.removeprefix(_COMPONENT_PREFIX), title, kinds))
        return tasks

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a run; raises SettingsError for one that is not known or not its kind.

        What is not given has the pipeline's default.
        """
        known = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        for name, value in given.items():
            if name not in known:
                raise SettingsError(
                    f"the pipeline {self.name} has no parameter {name!r}: expected some of "
                    f"{sorted(known)}"
                )
            kind = _KINDS.get(known[name]["parameterType"])
            # Not isinstance: True is an instance of int, and would pass for a whole number.
            if kind is not None and type(value) is not kind:
                raise SettingsError(f"{name} is {value!r}: expected {kind.__name__}")
        return dict(given)

    def with_image(self, image: str) -> "Compiled":
        """The same pipeline with all components on another image, such as one by its digest."""
        if not _IMAGE.fullmatch(image):
            raise SettingsError(
                f"the image is {image!r}: expected REPOSITORY@sha256:DIGEST or REPOSITORY:VERSION, "
                "and not `latest`"
            )
        documents = copy.deepcopy(self.documents)
        for executor in documents[0]["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = image
        return Compiled(self.name, documents)

    def text(self) -> str:
        """The YAML: equal pipelines give equal text."""
        return yaml.safe_dump_all(self.documents, sort_keys=True)

    def without_retries(self) -> str:
        """The YAML for a run on this machine, where no node is lost and an error should show."""
        for task in self._task_specs():
            task.pop("retryPolicy", None)
        return yaml.safe_dump_all(self.documents, sort_keys=False)

    def _task_specs(self) -> Iterator[dict[str, Any]]:
        # A condition is a component of its own, and the tasks under it stand in that one's graph.
        for component in (self.spec["root"], *self.spec["components"].values()):
            yield from component.get("dag", {}).get("tasks", {}).values()


def compiled_file(pipeline: str) -> Path:
    """The committed file of the pipeline etl, training or monitoring."""
    return FOLDER / f"{pipeline}.yaml"
