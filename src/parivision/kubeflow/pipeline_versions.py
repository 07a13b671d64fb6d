"""The project's pipelines on Kubeflow Pipelines, and their versions, each named by its content."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Compiled
from parivision.kubeflow.connection import TIMEOUT_S, KfpConnection, name_filter

PREFIX: Final = "parivision-"
"""Before the names of our pipelines: a KFP may hold somebody else's `training` too."""
_DIGEST_CHARACTERS: Final = 12


@dataclass(frozen=True)
class PipelineVersion:
    """A version of a pipeline at KFP; `is_new` if it was not there before."""

    pipeline_id: str
    version_id: str
    name: str
    is_new: bool


class PipelineVersions:
    """Uploads and lists pipelines; all methods raise PipelineError."""

    def __init__(self, connection: KfpConnection) -> None:
        self._connection = connection

    def names(self) -> dict[str, str]:
        """Names of the project's pipelines by id."""
        return {
            pipeline.pipeline_id: pipeline.display_name.removeprefix(PREFIX)
            for pipeline in self._list(name_filter(PREFIX, "IS_SUBSTRING"))
            if pipeline.display_name.startswith(PREFIX)
        }

    def upload(self, compiled: Compiled) -> PipelineVersion:
        """Upload the pipeline as a version named by its content, unless that version is there."""
        text = compiled.text()
        digest = sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        name = f"{PREFIX}{compiled.name}-{digest}"
        pipeline_id = self._pipeline_id(compiled) or self._create_pipeline(compiled)
        existing = self._version_id(pipeline_id, name)
        if existing:
            return PipelineVersion(pipeline_id, existing, name, is_new=False)
        try:
            version_id = self._create_version(text, name, pipeline_id)
        except PipelineError:
            # Another process may have uploaded the same version in the meantime.
            version_id = self._version_id(pipeline_id, name)
            if not version_id:
                raise
        return PipelineVersion(pipeline_id, version_id, name, is_new=True)

    def _list(self, condition: str) -> Iterator[Any]:
        return self._connection.all_items(
            "PipelineServiceApi", "pipeline_service_list_pipelines", "pipelines", filter=condition
        )

    def _pipeline_id(self, compiled: Compiled) -> str | None:
        name = PREFIX + compiled.name
        same_name = (each for each in self._list(name_filter(name)) if each.display_name == name)
        return next((str(each.pipeline_id) for each in same_name), None)

    def _create_pipeline(self, compiled: Compiled) -> str:
        """A pipeline without versions: `kfp.Client` can only make one with an unnamed version."""
        description = compiled.spec["pipelineInfo"].get("description", "")
        name = PREFIX + compiled.name
        with self._connection.reading() as api:
            service = api.PipelineServiceApi(self._connection.api)
            created = service.pipeline_service_create_pipeline(
                api.V2beta1Pipeline(name=name, display_name=name, description=description),
                _request_timeout=TIMEOUT_S,
            )
        return str(created.pipeline_id)

    def _version_id(self, pipeline_id: str, name: str) -> str:
        """The id of the version of that name; empty where there is none."""
        versions = self._connection.all_items(
            "PipelineServiceApi",
            "pipeline_service_list_pipeline_versions",
            "pipeline_versions",
            pipeline_id,
            filter=name_filter(name),
        )
        same_name = (version for version in versions if version.display_name == name)
        return next((str(version.pipeline_version_id) for version in same_name), "")

    def _create_version(self, text: str, name: str, pipeline_id: str) -> str:
        with tempfile.TemporaryDirectory() as folder, self._connection.changing() as client:
            # KFP's client uploads files only.
            file = Path(folder) / f"{name}.yaml"
            file.write_text(text)
            created = client.upload_pipeline_version(
                str(file), pipeline_version_name=name, pipeline_id=pipeline_id
            )
        return str(created.pipeline_version_id)
