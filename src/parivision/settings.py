"""Settings: one table of names, defaults and help, read once from the environment.

Library functions take plain values; only `cli` and the components' entry points read this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parivision.errors import SettingsError


@dataclass(frozen=True)
class Setting:
    """A setting: its name in the environment, its default and one line of help."""

    name: str
    default: str
    help: str


TABLE: Final = (
    Setting("PARIVISION_HOME", ".parivision", "folder for everything a run leaves behind"),
    Setting("PARIVISION_LAKE", "", "lake: a folder, or mongodb://...; default HOME/lake"),
    Setting("MLFLOW_TRACKING_URI", "", "MLflow server; default a SQLite file in HOME"),
    Setting("PARIVISION_PORT", "3000", "port of the prediction service on 127.0.0.1"),
    Setting("PARIVISION_SEED", "0", "seed of every random choice"),
)


@dataclass(frozen=True)
class Settings:
    """Values read from the environment."""

    home: Path
    lake: str
    tracking_uri: str
    port: int
    seed: int

    @property
    def artifacts(self) -> Path | None:
        """Where a local MLflow store keeps files; None when a server decides."""
        return self.home / "mlartifacts" if self.tracking_uri.startswith("sqlite:") else None

    @property
    def cache(self) -> Path:
        """Bundles fetched from the registry."""
        return self.home / "registry-cache"

    @property
    def models(self) -> Path:
        """The bundles of the last training, by name."""
        return self.home / "models"

    @property
    def pipeline_runs(self) -> Path:
        """What the tasks of local pipeline runs wrote."""
        return self.home / "pipeline-runs"

    @property
    def reports(self) -> Path:
        """HTML and JSON reports."""
        return self.home / "reports"

    @property
    def bentos(self) -> Path:
        """Built Bentos: BentoML's home."""
        return self.home / "bentoml"

    @property
    def serving(self) -> Path:
        """Process number and log of the local service."""
        return self.home / "serve"

    @property
    def shots(self) -> Path:
        """The silver table as `refine` last wrote it for training."""
        return self.home / "shots.parquet"


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment; raises SettingsError for a value that is not of its kind."""
    value = {item.name: environment.get(item.name) or item.default for item in TABLE}
    home = _folder(value, "PARIVISION_HOME")
    return Settings(
        home=home,
        lake=value["PARIVISION_LAKE"] or str(home / "lake"),
        tracking_uri=value["MLFLOW_TRACKING_URI"] or f"sqlite:///{home / 'mlflow.db'}",
        port=_whole(value, "PARIVISION_PORT", 1, 65535),
        seed=_whole(value, "PARIVISION_SEED", 0, 2**31 - 1),
    )


def _folder(value: Mapping[str, str], name: str) -> Path:
    try:
        return Path(value[name]).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"{name} is {value[name]!r}: expected a folder ({error})") from error


def _whole(value: Mapping[str, str], name: str, low: int, high: int) -> int:
    text = value[name]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(f"{name} is {text!r}: expected a whole number from {low} to {high}")
    return int(text)


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment that `read` would give these settings from, for child processes."""
    return {
        "PARIVISION_HOME": str(settings.home),
        "PARIVISION_LAKE": settings.lake,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "PARIVISION_PORT": str(settings.port),
        "PARIVISION_SEED": str(settings.seed),
    }
