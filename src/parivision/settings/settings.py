"""The declarations of all settings. To add one, add a field here and a row to the README."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from parivision import __version__
from parivision.errors import SettingsError
from parivision.settings.addresses import mlflow_address
from parivision.settings.kinds import (
    Address,
    DeploymentName,
    Folder,
    HeadPassword,
    HeadUsername,
    Hosts,
    LakeAddress,
    Origins,
    Password,
    PredictionLogAddress,
    RepositoryAddress,
    Track,
    Username,
    whole_number,
)
from parivision.settings.logins import Login
from parivision.settings.marker import Credential
from parivision.settings.source import EnvironmentSource, mark_of


class Settings(BaseSettings):
    """Values read from an environment.

    A field's type is the setting's kind, with its check and whether it is a credential; `alias` is
    its name in the environment. A default that hangs on other settings is made of those above it.
    """

    # A default is a value already, so it is not parsed.
    model_config = SettingsConfigDict(
        frozen=True, validate_default=False, hide_input_in_errors=True
    )

    home: Folder = Field(
        Path(".parivision"),
        alias="PARIVISION_HOME",
        description="folder for everything a run leaves behind",
        validate_default=True,
    )
    pod: str = Field(
        "",
        alias="PARIVISION_POD",
        description="pod of a pipeline's task: there lake and MLflow must be named",
    )
    patience_s: Annotated[int, whole_number(0, 86400)] = Field(
        # In front of a screen nobody waits for long.
        default_factory=lambda above: 300 if above["pod"] else 10,
        alias="PARIVISION_PATIENCE_S",
        description="for how long a stage asks a server that is away; default 10, in a pod 300",
    )
    lake: LakeAddress = Field(
        default_factory=lambda above: "" if above["pod"] else str(above["home"] / "lake"),
        alias="PARIVISION_LAKE",
        description="lake: a folder, or mongodb://...; default HOME/lake",
    )
    tracking_uri: Address = Field(
        default_factory=lambda above: (
            "" if above["pod"] else f"sqlite:///{above['home']}/mlflow.db"
        ),
        alias="MLFLOW_TRACKING_URI",
        description="MLflow server; default a SQLite file in HOME",
    )
    tracking_username: HeadUsername = Field(
        "", alias="MLFLOW_TRACKING_USERNAME", description="user of that server"
    )
    tracking_password: HeadPassword = Field(
        "", alias="MLFLOW_TRACKING_PASSWORD", description="the user's password"
    )
    port: Annotated[int, whole_number(1, 65535)] = Field(
        3000, alias="PARIVISION_PORT", description="port of the prediction service on 127.0.0.1"
    )
    seed: Annotated[int, whole_number(0, 2**31 - 1)] = Field(
        0, alias="PARIVISION_SEED", description="seed of every random choice"
    )
    prediction_log: PredictionLogAddress = Field(
        "",
        alias="PARIVISION_PREDICTION_LOG",
        description="predictions: a folder, or mongodb://...; or none",
    )
    spill: Folder = Field(
        default_factory=lambda above: above["home"] / "spill",
        alias="PARIVISION_SPILL",
        description="folder for what that store cannot take; default HOME/spill",
    )
    spill_mb: Annotated[int, whole_number(1, 1_000_000)] = Field(
        512, alias="PARIVISION_SPILL_MB", description="how much it may hold"
    )
    track: Track = Field(
        "primary",
        alias="PARIVISION_TRACK",
        description="what serves: primary, canary, shadow, or a pod's name",
    )
    images_push: RepositoryAddress = Field(
        "",
        alias="PARIVISION_IMAGES_PUSH",
        description="repository to push the champion's image to: http://...",
    )
    images_pull: str = Field(
        "",
        alias="PARIVISION_IMAGES_PULL",
        description="the same as the nodes call it; default: as pushed",
    )
    images_username: Username = Field(
        "", alias="PARIVISION_IMAGES_USERNAME", description="user of that registry"
    )
    images_password: Password = Field(
        "", alias="PARIVISION_IMAGES_PASSWORD", description="the user's password"
    )
    runtime_image: str = Field(
        f"serving:{__version__}",
        alias="PARIVISION_RUNTIME_IMAGE",
        description="base of the champion's image: repository:tag in the registry pushed to",
    )
    deployment: DeploymentName = Field(
        "parivision/parivision-shots",
        alias="PARIVISION_DEPLOYMENT",
        description="the prediction service's Deployment: namespace/name",
    )
    deploy_timeout_s: Annotated[int, whole_number(1, 86400)] = Field(
        600, alias="PARIVISION_DEPLOY_TIMEOUT_S", description="how long a rollout may take"
    )
    rollout_timeout_s: Annotated[int, whole_number(1, 30 * 86400)] = Field(
        28800,
        alias="PARIVISION_ROLLOUT_TIMEOUT_S",
        description="how long a canary may take; the verdict ends it",
    )
    prometheus: Address = Field(
        "",
        alias="PARIVISION_PROMETHEUS",
        description="Prometheus' address, for the verdict: http://...",
    )
    kfp: Address = Field(
        "", alias="PARIVISION_KFP", description="Kubeflow Pipelines' endpoint; empty for none"
    )
    kfp_ui: Address = Field(
        "",
        alias="PARIVISION_KFP_UI",
        description="address of its pages; empty: they are looked for at the endpoint",
    )
    kfp_ca_file: str = Field(
        "",
        alias="PARIVISION_KFP_CA_FILE",
        description="PEM file of the authority of its certificate",
    )
    alerts_token: HeadPassword = Field(
        "",
        alias="PARIVISION_ALERTS_TOKEN",
        description="what Alertmanager must bear to ask for a retraining",
    )
    outcomes_token: HeadPassword = Field(
        "",
        alias="PARIVISION_OUTCOMES_TOKEN",
        description="what POST /outcomes must bear; empty for anybody",
    )
    cors_origins: Origins = Field(
        (),
        alias="PARIVISION_CORS_ORIGINS",
        description="whose pages may ask: https://a.example, ...; or *",
    )
    allowed_hosts: Hosts = Field(
        (),
        alias="PARIVISION_ALLOWED_HOSTS",
        description="hosts asked for: a.example, *.b.example; empty: any",
    )
    kubernetes_host: str = Field(
        "",
        alias="KUBERNETES_SERVICE_HOST",
        description="set in every pod: the target `auto` is the cluster",
    )

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read and check all settings; raises SettingsError, or pydantic's ValidationError."""
        source = EnvironmentSource(type(self), environment)
        super().__init__(_build_sources=((source,), {}))

    @model_validator(mode="before")
    @classmethod
    def _take_login_out(cls, texts: dict[str, str]) -> dict[str, str]:
        """A login in MLflow's address is read as if it stood in the settings for it."""
        names = ("MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        uri, username, password = (texts.get(name, "") for name in names)
        uri, login = mlflow_address(uri, Login(username, password))
        given = zip(names, (uri, login.name, login.password), strict=True)
        return texts | {name: text for name, text in given if text}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """What is shown of the settings as text: nothing that may hold a password."""
        for field, value in super().__repr_args__():
            mark = mark_of(type(self).model_fields[str(field)])
            if mark is None or mark.kind == "username":
                yield field, value

    @property
    def is_in_cluster(self) -> bool:
        """Whether this process runs in a pod."""
        return bool(self.kubernetes_host)

    @property
    def artifacts(self) -> Path | None:
        """Where a local MLflow store keeps files; None when a server decides."""
        return self.home / "mlartifacts" if self.tracking_uri.startswith("sqlite:") else None

    @property
    def tracking_login(self) -> Login | None:
        """Who asks the MLflow server; None when nobody is named."""
        login = Login(self.tracking_username, self.tracking_password)
        return login if login.name else None

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


CREDENTIALS: Final[Mapping[str, Credential]] = {
    str(field.alias): mark
    for field in Settings.model_fields.values()
    if (mark := mark_of(field)) is not None
}
"""The settings that are credentials, by name."""


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment; raises SettingsError for a value that is not of its kind.

    In the pod of a pipeline's task the lake and MLflow have no default: what a task writes into
    its pod is gone with it, and nobody would notice.
    """
    try:
        return Settings(environment)
    except ValidationError as error:
        # One at a time, and pydantic's own words for what no check of ours foresaw.
        first = error.errors(include_url=False, include_input=False)[0]
        reason = first.get("ctx", {}).get("error", f"cannot be used: {first['msg']}")
        raise SettingsError(f"{first['loc'][0]} {reason}") from None


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment that `read` would give these settings from, for child processes."""
    return {
        name: ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in settings.model_dump(by_alias=True).items()
    }
