"""The errors this project raises.

    PariVisionError
    ├── DataError            what came in is not what a stage can use
    │   ├── SourceError      a source could not be read or reached
    │   │   └── FilesError   some of a source's files cannot be used; the others were read
    │   └── SchemaError      a table breaks its declared columns, types or ranges
    ├── StoreError           the lake could not be read or written
    ├── RegistryError        the model registry could not be read or written
    ├── ModelError           a model could not be fitted, loaded or applied
    ├── ServiceError         the prediction service could not be built, started or asked
    ├── PipelineError        a pipeline run failed, or Kubeflow Pipelines could not be asked
    └── SettingsError        a setting is missing or wrong

Messages say what was expected, what came and what to do.
"""

import collections.abc


class PariVisionError(Exception):
    """Base of every error that a user may see; the CLI prints it and exits with 1."""


class DataError(PariVisionError):
    """What came in is not what a stage can use."""


class SourceError(DataError):
    """A source could not be read or reached."""


class FilesError(SourceError):
    """Some of a source's files cannot be used; it is raised when the others are read.

    `files` has the reason of each by its name.
    """

    def __init__(self, message: str, files: collections.abc.Mapping[str, str]) -> None:
        """`message` tells of the files in words."""
        super().__init__(message)
        self.files = files


class SchemaError(DataError):
    """A table breaks its declared columns, types or ranges."""


class StoreError(PariVisionError):
    """The lake could not be read or written."""


class RegistryError(PariVisionError):
    """The model registry could not be read or written."""


class ModelError(PariVisionError):
    """A model could not be fitted, loaded or applied."""


class ServiceError(PariVisionError):
    """The prediction service could not be built, started or asked."""


class PipelineError(PariVisionError):
    """A pipeline run failed, or Kubeflow Pipelines could not be asked."""


class SettingsError(PariVisionError):
    """A setting is missing or wrong."""
