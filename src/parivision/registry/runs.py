"""Runs in MLflow: of every training, evaluation, promotion, drift report, rollout and pipeline."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

import mlflow
from mlflow.entities import Run, RunStatus
from mlflow.environment_variables import (
    MLFLOW_TRACKING_PASSWORD,
    MLFLOW_TRACKING_URI,
    MLFLOW_TRACKING_USERNAME,
)
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from parivision import strict_json
from parivision.credentials.logins import Login
from parivision.errors import PariVisionError, RegistryError
from parivision.models.bundle import Bundle
from parivision.registry.pages import paged
from parivision.registry.records import FAILED, SUCCEEDED, DriftReport, PipelineRun

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
_MOST_SHOWN: Final = 600
PAGE: Final = 500
KNOWN_RUNS: Final = 500
"""How many pipeline runs are looked at; they are counted by those who watch, not archived."""


class Runs:
    """Runs behind one tracking URI (`sqlite:///...` or a server's)."""

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
            try:
                return str(self._client.create_experiment(EXPERIMENT, artifact_location=place))
            except MlflowException as error:
                # Somebody else may have been quicker.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                found = self._client.get_experiment_by_name(EXPERIMENT)
                if found is None:
                    raise
                return str(found.experiment_id)

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
            for key, value in strict_json.finite(metrics or {}).items():
                self._client.log_metric(run_id, key, value)
            for folder, path in (artifacts or {}).items():
                keep = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
                keep(run_id, str(path), folder or None)

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
            strict_json.write(page, document)
            self.log(f"rollout {rollout}", metrics=metrics, tags=named, artifacts={"": page})

    def trained(self, folder: Path) -> dict[str, Bundle]:
        """The newest bundle of every model that was trained, by its name."""
        newest: dict[str, str] = {}
        # A training that died left a run without its bundle.
        for run in self._newest(TRAINING):
            newest.setdefault(run.data.tags["model"], run.info.run_id)
        return {
            name: Bundle.load(self._download(run_id, folder)) for name, run_id in newest.items()
        }

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

    def latest_drift(self) -> DriftReport | None:
        """The newest drift report, or None before the first."""
        newest = next(self._newest(DRIFT), None)
        if newest is None:
            return None
        metrics, tags = newest.data.metrics, newest.data.tags
        return DriftReport(
            at=moment(newest.info.end_time),
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
                run.data.tags["pipeline"], run.data.tags["state"], moment(run.info.end_time)
            )
            for run in islice(self._newest(PIPELINE), KNOWN_RUNS)
        ]

    def _newest(self, kind: str) -> Iterator[Run]:
        """Finished runs of a kind, newest first; reads only, so a reader's rights are enough."""
        with self._translated(f"look runs of the kind {kind!r} up"):
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is None:
                return
            yield from paged(
                lambda token: self._client.search_runs(
                    [experiment.experiment_id],
                    filter_string=f"tags.kind = '{kind}' and attributes.status = 'FINISHED'",
                    order_by=["attributes.start_time DESC"],
                    max_results=PAGE,
                    page_token=token,
                )
            )

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except PariVisionError:
            raise
        except Exception as error:  # each kind of store has its driver, and each driver its errors
            raise RegistryError(
                f"cannot {doing}: {_short(error)}. "
                "Is the MLflow store reachable, is MLFLOW_TRACKING_URI its address, and are its "
                "credentials set?"
            ) from error


def _short(error: Exception) -> str:
    """What is wrong, in a line: a server may answer with a page, and the client quotes a lot."""
    text = " ".join(str(error).split())
    address, _, cause = text.partition("(Caused by ")
    if cause and "failed with exception" in address:
        asked = address.partition("API request to ")[2].partition("/api/")[0]
        text = f"no answer from {asked} ({cause.removesuffix(')')})"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def moment(milliseconds: int) -> datetime:
    """MLflow's moments as ours."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
