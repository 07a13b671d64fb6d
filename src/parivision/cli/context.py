"""The edges that commands open, from the settings in the environment."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parivision import settings
from parivision.errors import SettingsError
from parivision.lake import Lake, open_lake
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kubeflow.access import KfpAccess
    from parivision.kubeflow.client import Kubeflow
    from parivision.prediction_log import Store
    from parivision.registry import Registry


ANSWER_S: Final = 10
"""How long a command waits for the registry's first answer."""
LONG_S: Final = 300
"""How long work that takes minutes asks for later ones."""


def current() -> Settings:
    """Settings of this process; the home folder exists afterwards."""
    chosen = settings.read(os.environ)
    chosen.home.mkdir(parents=True, exist_ok=True)
    return chosen


def lake(chosen: Settings) -> Lake:
    """The lake that the settings name."""
    return open_lake(chosen.lake)


def served(chosen: Settings) -> "Store":
    """The store of served predictions that the settings name."""
    from parivision.prediction_log import open_store

    if not chosen.prediction_log:
        raise SettingsError(
            "PARIVISION_PREDICTION_LOG is not set: expected a folder or mongodb://..., the same "
            "as the prediction service has"
        )
    return open_store(chosen.prediction_log)


def registry(chosen: Settings, *, is_long: bool = False) -> "Registry":
    """The registry that the settings name, once it has answered; raises RegistryError if not.

    Nobody waits for long in front of a screen. Work that takes minutes (`is_long`) asks again for
    some minutes when the server goes away meanwhile.
    """
    opened = unasked_registry(chosen)
    from parivision.registry import impatient, steady

    impatient(ANSWER_S)
    opened.require(ANSWER_S)
    if is_long:
        steady(LONG_S)
    return opened


def unasked_registry(chosen: Settings) -> "Registry":
    """The registry that the settings name; importing MLflow takes seconds, so only here."""
    warnings.filterwarnings("ignore", module="mlflow")
    from parivision.registry import Registry, quiet

    quiet()
    return Registry(chosen.tracking_uri, chosen.artifacts, chosen.tracking_login)


def kubeflow(chosen: Settings, endpoint: str = "") -> "Kubeflow":
    """Kubeflow Pipelines at an endpoint, or at the one that the settings name."""
    from parivision.kubeflow.client import connect

    return connect(endpoint or chosen.kfp, kfp_access(chosen), chosen.kfp_ui)


def kfp_access(chosen: Settings) -> "KfpAccess":
    """How Kubeflow Pipelines is to know who asks; raises SettingsError for what cannot be used."""
    from parivision.kubeflow.access import KfpAccess

    return KfpAccess.read(os.environ, chosen.kfp_ca_file)


def models(chosen: Settings) -> dict[str, Path]:
    """Folders of the bundles of the last training, by name."""
    return {folder.name: folder for folder in sorted(chosen.models.glob("*")) if folder.is_dir()}
