"""Settings: one table of names, defaults and help, read once from the environment.

Library functions take plain values; only `cli` and the components' entry points read this. Every
NAME may come from a file instead, whose path is in NAME_FILE: so a Secret that is mounted is in no
environment, which children inherit and many tools show.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from parivision import __version__
from parivision.credentials.addresses import is_login_without_scheme, mlflow_address
from parivision.credentials.logins import Login, credential, given, is_invisible
from parivision.credentials.names import CREDENTIALS, IN_HEAD
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
    Setting("MLFLOW_TRACKING_USERNAME", "", "user of that server"),
    Setting("MLFLOW_TRACKING_PASSWORD", "", "the user's password"),
    Setting("PARIVISION_PORT", "3000", "port of the prediction service on 127.0.0.1"),
    Setting("PARIVISION_SEED", "0", "seed of every random choice"),
    Setting("PARIVISION_PREDICTION_LOG", "", "predictions: a folder, or mongodb://...; or none"),
    Setting("PARIVISION_SPILL", "", "folder for what that store cannot take; default HOME/spill"),
    Setting("PARIVISION_SPILL_MB", "512", "how much it may hold"),
    Setting("PARIVISION_TRACK", "primary", "what serves: primary, canary, shadow, or a pod's name"),
    Setting("PARIVISION_IMAGES_PUSH", "", "repository to push the champion's image to: http://..."),
    Setting("PARIVISION_IMAGES_PULL", "", "the same as the nodes call it; default: as pushed"),
    Setting("PARIVISION_IMAGES_USERNAME", "", "user of that registry"),
    Setting("PARIVISION_IMAGES_PASSWORD", "", "the user's password"),
    Setting(
        "PARIVISION_RUNTIME_IMAGE",
        f"serving:{__version__}",
        "what the champion's image is made from: repository:tag in the registry pushed to",
    ),
    Setting(
        "PARIVISION_DEPLOYMENT",
        "parivision/parivision-shots",
        "the prediction service's Deployment: namespace/name",
    ),
    Setting("PARIVISION_DEPLOY_TIMEOUT_S", "600", "how long a rollout may take"),
    Setting(
        "PARIVISION_ROLLOUT_TIMEOUT_S", "28800", "how long a canary may take; the verdict ends it"
    ),
    Setting("PARIVISION_PROMETHEUS", "", "Prometheus' address, for the verdict: http://..."),
    Setting("PARIVISION_KFP", "", "Kubeflow Pipelines' endpoint; empty for none"),
    Setting("PARIVISION_KFP_CA_FILE", "", "PEM file of the authority of its certificate"),
    Setting("PARIVISION_ALERTS_TOKEN", "", "what Alertmanager must bear to ask for a retraining"),
    Setting("PARIVISION_OUTCOMES_TOKEN", "", "what POST /outcomes must bear; empty for anybody"),
    Setting("PARIVISION_CORS_ORIGINS", "", "whose pages may ask: https://a.example, ...; or *"),
    Setting("PARIVISION_ALLOWED_HOSTS", "", "hosts asked for: a.example, *.b.example; empty: any"),
    Setting("KUBERNETES_SERVICE_HOST", "", "set in every pod: the target `auto` is the cluster"),
    Setting("PARIVISION_POD", "", "pod of a pipeline's task: there lake and MLflow must be named"),
)
_DEPLOYMENT: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_TRACK: Final = re.compile("primary|canary|shadow")
_PUSH: Final = re.compile(r"https?://[^/@?#\s]+/[^@:?#\s]*[^@:?#\s/]")
_ADDRESS: Final = r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)"
_ORIGIN: Final = re.compile(rf"\*|https?://{_ADDRESS}(:\d{{1,5}})?")
_HOST: Final = re.compile(rf"\*|(\*\.)?{_ADDRESS}")


@dataclass(frozen=True)
class Settings:
    """Values read from the environment."""

    home: Path
    # What may hold a password is not shown.
    lake: str = field(repr=False)
    tracking_uri: str = field(repr=False)
    tracking_username: str
    tracking_password: str = field(repr=False)
    port: int
    seed: int
    prediction_log: str = field(repr=False)
    spill: Path
    spill_mb: int
    track: str
    images_push: str = field(repr=False)
    images_pull: str
    images_username: str
    images_password: str = field(repr=False)
    runtime_image: str
    deployment: str
    deploy_timeout_s: int
    rollout_timeout_s: int
    prometheus: str = field(repr=False)
    kfp: str = field(repr=False)
    kfp_ca_file: str
    alerts_token: str = field(repr=False)
    outcomes_token: str = field(repr=False)
    cors_origins: tuple[str, ...]
    allowed_hosts: tuple[str, ...]
    kubernetes_host: str
    pod: str

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


def read(environment: Mapping[str, str]) -> Settings:
    """Settings from an environment; raises SettingsError for a value that is not of its kind.

    In the pod of a pipeline's task the lake and MLflow have no default: what a task writes into
    its pod is gone with it, and nobody would notice.
    """
    value = {item.name: _value(environment, item) for item in TABLE}
    uri, login = mlflow_address(
        value["MLFLOW_TRACKING_URI"],
        Login(value["MLFLOW_TRACKING_USERNAME"], value["MLFLOW_TRACKING_PASSWORD"]),
    )
    home = _folder(value, "PARIVISION_HOME")
    pod = value["PARIVISION_POD"]
    return Settings(
        home=home,
        lake=_lake(value) or ("" if pod else str(home / "lake")),
        tracking_uri=uri or ("" if pod else f"sqlite:///{home / 'mlflow.db'}"),
        tracking_username=login.name,
        tracking_password=login.password,
        port=_whole(value, "PARIVISION_PORT", 1, 65535),
        seed=_whole(value, "PARIVISION_SEED", 0, 2**31 - 1),
        prediction_log=_place(value, "PARIVISION_PREDICTION_LOG"),
        spill=_folder(value, "PARIVISION_SPILL") if value["PARIVISION_SPILL"] else home / "spill",
        spill_mb=_whole(value, "PARIVISION_SPILL_MB", 1, 1_000_000),
        track=_track(value),
        images_push=_formed(value, "PARIVISION_IMAGES_PUSH", _PUSH, "http://HOST:PORT/REPOSITORY"),
        images_pull=value["PARIVISION_IMAGES_PULL"],
        images_username=_username(value, "PARIVISION_IMAGES_USERNAME"),
        images_password=value["PARIVISION_IMAGES_PASSWORD"],
        runtime_image=value["PARIVISION_RUNTIME_IMAGE"],
        deployment=_formed(value, "PARIVISION_DEPLOYMENT", _DEPLOYMENT, "NAMESPACE/NAME"),
        deploy_timeout_s=_whole(value, "PARIVISION_DEPLOY_TIMEOUT_S", 1, 86400),
        rollout_timeout_s=_whole(value, "PARIVISION_ROLLOUT_TIMEOUT_S", 1, 30 * 86400),
        prometheus=value["PARIVISION_PROMETHEUS"],
        kfp=value["PARIVISION_KFP"],
        kfp_ca_file=value["PARIVISION_KFP_CA_FILE"],
        alerts_token=value["PARIVISION_ALERTS_TOKEN"],
        outcomes_token=value["PARIVISION_OUTCOMES_TOKEN"],
        cors_origins=_listed(
            value, "PARIVISION_CORS_ORIGINS", _ORIGIN, "https://host[:port], ..., or *"
        ),
        allowed_hosts=_listed(
            value, "PARIVISION_ALLOWED_HOSTS", _HOST, "host, *.domain, ..., without ports"
        ),
        kubernetes_host=value["KUBERNETES_SERVICE_HOST"],
        pod=pod,
    )


def _value(environment: Mapping[str, str], item: Setting) -> str:
    """What is given for a setting, or its default; of a credential without blanks around it."""
    text = given(environment, item.name) or item.default
    if item.name not in CREDENTIALS:
        return text
    return credential(item.name, text, in_head=item.name in IN_HEAD)


def _folder(value: Mapping[str, str], name: str) -> Path:
    # Addresses are made of it, and are held to the same.
    if any(map(is_invisible, value[name])):
        raise SettingsError(
            f"{name} is {value[name]!r}: expected a folder without characters that do not show"
        )
    try:
        return Path(value[name]).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SettingsError(f"{name} is {value[name]!r}: expected a folder ({error})") from error


def _place(value: Mapping[str, str], name: str) -> str:
    """A URL or a whole path: the service works in another folder than who starts it."""
    text = value[name]
    if text and "://" not in text and not text.startswith("/"):
        raise SettingsError(f"{name} is {_shown(text)}: expected /a/whole/path or mongodb://...")
    return text


def _lake(value: Mapping[str, str]) -> str:
    text = value["PARIVISION_LAKE"]
    if is_login_without_scheme(text):
        raise SettingsError(
            "PARIVISION_LAKE looks like user:password@host without a scheme: expected a folder, or "
            "mongodb://user:password@host/database"
        )
    return text


def _username(value: Mapping[str, str], name: str) -> str:
    if ":" in value[name]:
        raise SettingsError(
            f"{name} has a colon, which ends a user's name: expected the name alone"
        )
    return value[name]


def _shown(text: str) -> str:
    """A value in a message; what looks like a login is not shown."""
    return "a text with '@', which may hold a password" if "@" in text else repr(text)


def _whole(value: Mapping[str, str], name: str, low: int, high: int) -> int:
    text = value[name]
    if not text.isdecimal() or not low <= int(text) <= high:
        raise SettingsError(f"{name} is {text!r}: expected a whole number from {low} to {high}")
    return int(text)


def _track(value: Mapping[str, str]) -> str:
    """The track, or that of a pod by its label `app.kubernetes.io/name`.

    Flagger copies the canary's pods to the primary and changes that label only: `shots` becomes
    `shots-primary`.
    """
    name = "PARIVISION_TRACK"
    known = {"shots": "canary", "shots-primary": "primary"}.get(value[name], value[name])
    return _formed({name: known}, name, _TRACK, "primary, canary or shadow, or a pod's name")


def _formed(value: Mapping[str, str], name: str, form: re.Pattern[str], shown: str) -> str:
    text = value[name]
    if text and not form.fullmatch(text):
        raise SettingsError(f"{name} is {_shown(text)}: expected {shown}")
    return text


def _listed(
    value: Mapping[str, str], name: str, form: re.Pattern[str], shown: str
) -> tuple[str, ...]:
    """Texts with commas between, in lower case."""
    texts = [each.strip().lower() for each in value[name].split(",") if each.strip()]
    for text in texts:
        _formed({name: text}, name, form, shown)
    return tuple(texts)


def as_environment(settings: Settings) -> dict[str, str]:
    """The environment that `read` would give these settings from, for child processes."""
    return {
        "PARIVISION_HOME": str(settings.home),
        "PARIVISION_LAKE": settings.lake,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "MLFLOW_TRACKING_USERNAME": settings.tracking_username,
        "MLFLOW_TRACKING_PASSWORD": settings.tracking_password,
        "PARIVISION_PORT": str(settings.port),
        "PARIVISION_SEED": str(settings.seed),
        "PARIVISION_PREDICTION_LOG": settings.prediction_log,
        "PARIVISION_SPILL": str(settings.spill),
        "PARIVISION_SPILL_MB": str(settings.spill_mb),
        "PARIVISION_TRACK": settings.track,
        "PARIVISION_IMAGES_PUSH": settings.images_push,
        "PARIVISION_IMAGES_PULL": settings.images_pull,
        "PARIVISION_IMAGES_USERNAME": settings.images_username,
        "PARIVISION_IMAGES_PASSWORD": settings.images_password,
        "PARIVISION_RUNTIME_IMAGE": settings.runtime_image,
        "PARIVISION_DEPLOYMENT": settings.deployment,
        "PARIVISION_DEPLOY_TIMEOUT_S": str(settings.deploy_timeout_s),
        "PARIVISION_ROLLOUT_TIMEOUT_S": str(settings.rollout_timeout_s),
        "PARIVISION_PROMETHEUS": settings.prometheus,
        "PARIVISION_KFP": settings.kfp,
        "PARIVISION_KFP_CA_FILE": settings.kfp_ca_file,
        "PARIVISION_ALERTS_TOKEN": settings.alerts_token,
        "PARIVISION_OUTCOMES_TOKEN": settings.outcomes_token,
        "PARIVISION_CORS_ORIGINS": ",".join(settings.cors_origins),
        "PARIVISION_ALLOWED_HOSTS": ",".join(settings.allowed_hosts),
        "KUBERNETES_SERVICE_HOST": settings.kubernetes_host,
        "PARIVISION_POD": settings.pod,
    }
