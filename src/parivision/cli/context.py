"""The edges that commands open, from the settings in the environment."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from parivision import settings
from parivision.lake import Lake, open_lake
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kfp_client import Kubeflow
    from parivision.registry import Registry


def current() -> Settings:
    """Settings of this process; the home folder exists afterwards."""
    found = settings.read(os.environ)
    found.home.mkdir(parents=True, exist_ok=True)
    return found


def lake(chosen: Settings) -> Lake:
    """The lake that the settings name."""
    return open_lake(chosen.lake)


def registry(chosen: Settings) -> "Registry":
    """The registry that the settings name; importing MLflow takes seconds, so only here."""
    warnings.filterwarnings("ignore", module="mlflow")
    from parivision.registry import Registry, quiet

    quiet()
    return Registry(chosen.tracking_uri, chosen.artifacts)


def kubeflow(chosen: Settings, endpoint: str = "") -> "Kubeflow":
    """Kubeflow Pipelines at an endpoint, or at the one that the settings name."""
    from parivision.kfp_client import KfpAccess, connect

    return connect(endpoint or chosen.kfp, KfpAccess.read(os.environ))


def models(chosen: Settings, names: list[str]) -> dict[str, Path]:
    """Folders of trained bundles by name."""
    return {name: chosen.models / name for name in names}
