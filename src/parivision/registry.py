"""The model registry: runs, versions and the alias `champion`. The only module that knows MLflow.

A run is kept for every training, evaluation, promotion, drift report and pipeline. A version is
made only of a bundle that takes the alias; its tags say why.
"""

import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import mlflow
from mlflow.entities import Run, RunStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_TRACKING_PASSWORD,
    MLFLOW_TRACKING_URI,
    MLFLOW_TRACKING_USERNAME,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from parivision.errors import PariVisionError, RegistryError
from parivision.logins import Login
from parivision.models.bundle import Bundle
from parivision.promotion import Decision
from parivision.registered import FAILED, SUCCEEDED, DriftReport, PipelineRun, Version

__all__ = ["DriftReport", "PipelineRun", "Registry", "Version", "impatient", "quiet"]

ALIAS: Final = "champion"
MODEL_NAME: Final = "shots"
EXPERIMENT: Final = "parivision"
TRAINING: Final = "train"
"""Value of the tag `kind` of training runs."""
DRIFT: Final = "drift"
"""The same of drift reports."""
ROLLOUT: Final = "rollout"
"""The same of rollouts that came out."""
PIPELINE: Final = "pipeline"
"""The same of whole pipelines."""
SEVERITY: Final = "severity."
"""What the metrics of a drift report that tell of a column begin with."""
KNOWN_RUNS: Final = 500
"""How many pipeline runs are looked at; they are counted by those who watch, not archived."""
_PYFUNC_CODE: Final = Path(__file__).with_name("mlflow_model.py")
# Said explicitly: MLflow would take seconds to infer them, and finds xgboost twice.
_REQUIREMENTS: Final = ("parivision",)


class Registry:
    """Runs and versions behind one tracking URI (`sqlite:///...` or a server's)."""

    def __init__(self, uri: str, artifacts: Path | None = None, login: Login | None = None) -> None:
        """Connect lazily; `artifacts` is where a local store keeps files, a server knows."""
        if "@" in os.environ.get(MLFLOW_TRACKING_URI.name, ""):  # MLflow quotes it in messages
            os.environ[MLFLOW_TRACKING_URI.name] = uri
        if login is not None:  # MLflow takes it from there only
            os.environ[MLFLOW_TRACKING_USERNAME.name] = login.name
            os.environ[MLFLOW_TRACKING_PASSWORD.name] = login.password
        self.uri = uri
        self._artifacts = artifacts
        with self._translated("open the registry"):
            self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)

    def prepare(self) -> str:
        """Create the experiment if it is missing; returns its id. Safe to call again."""
        with self._translated("prepare the registry"):
            found = self._client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                return str(found.experiment_id)
            place = self._artifacts.resolve().as_uri() if self._artifacts else None
            return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))

    def log(
        self,
        name: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float | int | None] | None = None,
        tags: Mapping[str, str] | None = None,
        artifacts: Mapping[str, Path] | None = None,
    ) -> str:
        """Keep one finished run; `artifacts` maps a folder inside the run to a file or folder.

        Returns the run's id.
        """
        with self._translated(f"log the run {name!r}"):
            run = self._client.create_run(self.prepare(), run_name=name, tags=dict(tags or {}))
            run_id = str(run.info.run_id)
            for key, value in (params or {}).items():
                self._client.log_param(run_id, key, value)
            self.extend(run_id, metrics=metrics, artifacts=artifacts)
            self._client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
            return run_id

    def extend(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float | int | None] | None = None,
        artifacts: Mapping[str, Path] | None = None,
    ) -> None:
        """Add metrics and artifacts to a run."""
        with self._translated(f"extend the run {run_id}"):
            for key, value in (metrics or {}).items():
                if value is not None:
                    self._client.log_metric(run_id, key, float(value))
            for folder, path in (artifacts or {}).items():
                keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
                keep(run_id, str(path), folder or None)

    def champion(self) -> Version | None:
        """The version that holds the alias, or None before the first promotion."""
        with self._translated("look the champion up"):
            try:
                found = self._client.get_model_version_by_alias(MODEL_NAME, ALIAS)
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                # A server with users forbids to ask for the alias of a model that is not there.
                if error.error_code == "PERMISSION_DENIED" and not self._has_model():
                    return None
                raise
            return _version(found)

    def version(self, number: str) -> Version | None:
        """The version of that number, or None when there is none."""
        with self._translated(f"look version {number} up"):
            try:
                return _version(self._client.get_model_version(MODEL_NAME, number))
            except MlflowException as error:
                if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                    return None
                raise

    def bundle(self, number: str, folder: Path) -> Bundle:
        """A version's bundle, fetched into `folder` once."""
        return Bundle.load(self.fetch(number, folder))

    def point_alias(self, number: str) -> None:
        """Let a version hold the alias; again changes nothing."""
        with self._translated(f"give version {number} the alias {ALIAS!r}"):
            self._client.set_registered_model_alias(MODEL_NAME, ALIAS, number)

    def tag_version(self, number: str, tags: Mapping[str, str]) -> None:
        """Add tags to a version; again changes nothing."""
        with self._translated(f"tag version {number}"):
            for key, value in tags.items():
                self._client.set_model_version_tag(MODEL_NAME, number, key, value)

    def record_rollout(
        self,
        rollout: str,
        *,
        metrics: Mapping[str, float | int | None],
        tags: Mapping[str, str],
        document: Mapping[str, Any],
    ) -> None:
        """Keep how a rollout came out as a run, once for each `rollout` and outcome.

        `tags` has `outcome`; `document` becomes verdict.json of the run.
        """
        named = {"kind": ROLLOUT, "rollout": rollout, **tags}
        same = " and ".join(f"tags.{k} = '{named[k]}'" for k in ("kind", "rollout", "outcome"))
        with self._translated(f"record the rollout {rollout}"):
            if self._client.search_runs([self.prepare()], filter_string=same, max_results=1):
                return
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(scratch) / "verdict.json"
            page.write_text(json.dumps(document, indent=1) + "\n")
            self.log(f"rollout {rollout}", metrics=metrics, tags=named, artifacts={"": page})

    def _has_model(self) -> bool:
        try:
            self._client.get_registered_model(MODEL_NAME)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def fetch(self, number: str, folder: Path) -> Path:
        """Bring a version's bundle into `folder`, once, and return its path."""
        with self._translated(f"look version {number} up"):
            found = self._client.get_model_version(MODEL_NAME, number)
        return self._download(str(found.run_id), folder)

    def _download(self, run_id: str, folder: Path) -> Path:
        """Bring a run's bundle into `folder`, whole or not at all.

        It is kept by the run's id: other stores have versions of the same number.
        """
        target = folder / f"run-{run_id}"
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            self._translated(f"fetch the bundle of run {run_id}"),
            tempfile.TemporaryDirectory(dir=target.parent) as scratch,
        ):
            local = mlflow.artifacts.download_artifacts(
                run_id=run_id, artifact_path="bundle", dst_path=scratch, tracking_uri=self.uri
            )
            shutil.move(local, target)
        return target

    def trained(self, folder: Path) -> dict[str, Bundle]:
        """The newest bundle of every model that was trained, by its name."""
        with self._translated("look trained models up"):
            runs = self._client.search_runs(
                [self.prepare()],
                # A training that died left a run without its bundle.
                filter_string=f"tags.kind = '{TRAINING}' and attributes.status = 'FINISHED'",
                order_by=["attributes.start_time DESC"],
            )
        newest: dict[str, str] = {}
        for run in runs:
            newest.setdefault(run.data.tags["model"], run.info.run_id)
        return {
            name: Bundle.load(self._download(run_id, folder)) for name, run_id in newest.items()
        }

    def champion_bundle(self, folder: Path) -> tuple[Version, Bundle] | None:
        """The champion's version and bundle, or None before the first promotion."""
        version = self.champion()
        if version is None:
            return None
        return version, Bundle.load(self.fetch(version.number, folder))

    def promised_by(self, version: Version) -> float | None:
        """The log loss of a version in the evaluation it was promoted by; None if not known."""
        if version.evaluation is None:
            return None
        with self._translated(f"read the evaluation of version {version.number}"):
            metrics = self._client.get_run(version.evaluation).data.metrics
        return metrics.get(f"{version.tags.get('winner')}.log_loss")

    def latest_drift(self) -> DriftReport | None:
        """The newest drift report, or None before the first."""
        newest = self._newest(DRIFT, 1)
        if not newest:
            return None
        metrics, tags = newest[0].data.metrics, newest[0].data.tags
        return DriftReport(
            at=_moment(newest[0].info.end_time),
            champion=tags["champion"],
            verdict=tags["verdict"],
            severities={
                name.removeprefix(SEVERITY): value
                for name, value in metrics.items()
                if name.startswith(SEVERITY)
            },
            log_loss=metrics.get("log_loss"),
            promised_log_loss=metrics.get("promised_log_loss"),
        )

    def record_pipeline(self, pipeline: str, *, seconds: float, failure: str | None = None) -> None:
        """Keep how a pipeline run ended; `failure` says why it failed."""
        tags = {"kind": PIPELINE, "pipeline": pipeline, "state": SUCCEEDED}
        if failure is not None:
            tags |= {"state": FAILED, "reason": failure[:1000]}
        self.log(f"pipeline {pipeline}", metrics={"seconds": seconds}, tags=tags)

    def pipeline_runs(self) -> list[PipelineRun]:
        """The newest pipeline runs that were recorded, newest first."""
        return [
            PipelineRun(
                run.data.tags["pipeline"], run.data.tags["state"], _moment(run.info.end_time)
            )
            for run in self._newest(PIPELINE, KNOWN_RUNS)
        ]

    def _newest(self, kind: str, count: int) -> list[Run]:
        """Finished runs of a kind, newest first; reads only, so a reader's rights are enough."""
        with self._translated(f"look runs of the kind {kind!r} up"):
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                return []
            return list(
                self._client.search_runs(
                    [experiment.experiment_id],
                    filter_string=f"tags.kind = '{kind}' and attributes.status = 'FINISHED'",
                    order_by=["attributes.start_time DESC"],
                    max_results=count,
                )
            )

    def record(
        self,
        decision: Decision,
        bundle: Path | None,
        source_run: str | None,
        extra_tags: Mapping[str, str] | None = None,
    ) -> Version | None:
        """Keep a decision as a run and, if it promotes, make `bundle` the champion.

        `extra_tags` join the tags that say what was decided and why. Returns the new version, or
        None when the champion stays. The alias moves last: whatever dies before leaves the old
        champion in place.
        """
        tags = {
            "kind": "promotion",
            "winner": str(decision.winner),
            "promoted": str(decision.promoted).lower(),
            "reason": decision.reason,
            **(extra_tags or {}),
        }
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(scratch) / "decision.json"
            page.write_text(json.dumps(decision.to_dict(), indent=1) + "\n")
            artifacts = {"": page}
            if decision.promoted and bundle is not None:
                artifacts["bundle"] = bundle
            run_id = self.log("promotion", tags=tags, artifacts=artifacts)
        if not decision.promoted or bundle is None:
            return None
        tags |= {"source_run": source_run or "", "family": str(decision.winner)}
        with self._translated("register the champion"):
            number = self._register(run_id, bundle, tags)
            self._client.set_registered_model_alias(MODEL_NAME, ALIAS, number)
        return Version(number, run_id, tags)

    def _register(self, run_id: str, bundle: Path, tags: Mapping[str, str]) -> str:
        mlflow.set_tracking_uri(self.uri)
        with warnings.catch_warnings(), mlflow.start_run(run_id=run_id):
            # It asks for type hints, which it would then take for the model's signature.
            warnings.simplefilter("ignore", UserWarning)
            info = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(_PYFUNC_CODE),
                artifacts={"bundle": str(bundle)},
                pip_requirements=list(_REQUIREMENTS),
                registered_model_name=MODEL_NAME,
            )
        number = str(info.registered_model_version)
        for key, value in tags.items():
            self._client.set_model_version_tag(MODEL_NAME, number, key, value[:4000])
        return number

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except PariVisionError:
            raise
        except Exception as error:  # each kind of store has its driver, and each driver its errors
            raise RegistryError(
                f"cannot {doing}: {error}. "
                "Is the MLflow store reachable, and are its credentials set?"
            ) from error


def _version(found: ModelVersion) -> Version:
    made = _moment(found.creation_timestamp)
    return Version(str(found.version), str(found.run_id), dict(found.tags), made)


def _moment(milliseconds: int) -> datetime:
    """MLflow's moments as ours."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)


def impatient(seconds: int) -> None:
    """Let a server answer within `seconds` or not at all, for those who will ask again anyway."""
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)  # type: ignore[no-untyped-call]


def quiet() -> None:
    """Keep MLflow's and alembic's chatter out of a command's output; warnings still show."""
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # type: ignore[no-untyped-call]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It misses pip in environments that uv made; nothing here is installed by pip.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
