"""The lake and the registry of a stage, as the settings name them."""

from typing import TYPE_CHECKING

from parivision.errors import SettingsError
from parivision.settings import Settings
from parivision.settings.retry import Retry

if TYPE_CHECKING:
    from parivision.lake import Lake
    from parivision.registry import Registry


def lake(settings: Settings) -> "Lake":
    """The lake; raises SettingsError where a task's pod was not told of one."""
    from parivision.lake import open_lake

    url = _named(settings.lake, "PARIVISION_LAKE", "parivision-lake")
    return open_lake(url, retry(settings))


def retry(settings: Settings) -> Retry:
    """How long a stage asks a server that is away."""
    return Retry(within_s=settings.patience_s)


def registry(settings: Settings) -> "Registry":
    """The registry; raises SettingsError where a task's pod was not told of one.

    It is asked nothing yet. The home folder, where a local one keeps its files, exists afterwards.
    """
    _named(settings.tracking_uri, "MLFLOW_TRACKING_URI", "parivision-mlflow")
    # Imported here, since MLflow takes seconds to import and `ingest` and `refine` do without it.
    from parivision.registry import Registry, quiet, steady

    quiet()
    # Elsewhere the command has asked MLflow already, and has said how long it is asked later.
    if settings.pod:
        steady(settings.patience_s)
    settings.home.mkdir(parents=True, exist_ok=True)
    return Registry(settings.tracking_uri, settings.artifacts, settings.tracking_login)


def _named(value: str, name: str, secret: str) -> str:
    if not value:
        raise SettingsError(
            f"{name} is not set in this pod: expected the key `uri` of the Secret {secret} in the "
            "namespace of the runs (docs/kubeflow.md says how to make it)"
        )
    return value
