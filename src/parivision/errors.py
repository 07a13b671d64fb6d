"""The errors this project raises.

    PariVisionError
    ├── DataError            what came in is not what a stage can use
    │   ├── SourceError      a source could not be read or reached
    │   └── SchemaError      a table breaks its declared columns, types or ranges
    ├── StoreError           the lake could not be read or written
    ├── RegistryError        the model registry could not be read or written
    ├── ModelError           a model could not be fitted, loaded or applied
    ├── ServiceError         the prediction service could not be built, started or asked
    ├── PipelineError        a pipeline run failed, or Kubeflow Pipelines could not be asked
    └── SettingsError        a setting is missing or wrong

Messages say what was expected, what came and what to do.
"""


class PariVisionError(Exception):
    """Base of every error that a user may see; the CLI prints it and exits with 1."""


class DataError(PariVisionError):
    """What came in is not what a stage can use."""


class SourceError(DataError):
    """A source could not be read or reached."""


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
