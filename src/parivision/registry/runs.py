"""Runs in MLflow: keeping one, adding to it, and the bundles that trainings left."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
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
from parivision.errors import PariVisionError, RegistryError
from parivision.models.bundle import Bundle
from parivision.registry.pages import paged
from parivision.settings.logins import Login

EXPERIMENT: Final = "parivision"
TRAINING: Final = "train"
"""Value of the tag `kind` of training runs."""
_MOST_SHOWN: Final = 600
PAGE: Final = 500


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
            experiment = self._client.get_experiment_by_name(EXPERIMENT)
            if experiment is not None:
                return str(experiment.experiment_id)
            folder = self._artifacts.resolve().as_uri() if self._artifacts else None
            try:
                return str(self._client.create_experiment(EXPERIMENT, artifact_location=folder))
            except MlflowException as error:
                # Somebody else may have been quicker.
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
                experiment = self._client.get_experiment_by_name(EXPERIMENT)
                if experiment is None:
                    raise
                return str(experiment.experiment_id)

    def log(
        self,
        name: str,
        *,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float | int | None] | None = None,
        tags: Mapping[str, str] | None = None,
        artifacts: Mapping[str, Path | Sequence[Path]] | None = None,
    ) -> str:
        """Keep one finished run; `artifacts` maps a folder inside the run to files or folders.

        Returns the run's id.
        """
        with self._translated(f"log the run {name!r}"):
            run = self._client.create_run(self.prepare(), run_name=name, tags=dict(tags or {}))
            run_id = str(run.info.run_id)
            for key, value in (params or {}).items():
                self._client.log_param(run_id, key, value)
            self.extend(run_id, metrics=metrics, artifacts=artifacts)
            # Last: only finished runs are looked at, so one that was cut off does not count.
            self._client.set_terminated(run_id, RunStatus.to_string(RunStatus.FINISHED))
            return run_id

    def extend(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float | int | None] | None = None,
        artifacts: Mapping[str, Path | Sequence[Path]] | None = None,
    ) -> None:
        """Add metrics and artifacts to a run."""
        with self._translated(f"extend the run {run_id}"):
            for key, value in strict_json.finite(metrics or {}).items():
                self._client.log_metric(run_id, key, value)
            for folder, paths in (artifacts or {}).items():
                for path in [paths] if isinstance(paths, Path) else paths:
                    log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
                    log(run_id, str(path), folder or None)

    def trained(self, folder: Path) -> dict[str, Bundle]:
        """The newest bundle of every model that was trained, by its name."""
        newest: dict[str, str] = {}
        # Of finished runs: a training that died left a run without its bundle.
        for run in self._finished(TRAINING):
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
            _take_place(Path(local), target)
        return target

    def _finished(self, kind: str) -> Iterator[Run]:
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
        """Raise what goes wrong in the block as a RegistryError that says what was being done."""
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


def _take_place(fetched: Path, target: Path) -> None:
    """Make a folder the one at `target`, unless another process was quicker: its copy stays."""
    try:
        # A rename, and no move: that would put the folder into the one that is there by now.
        fetched.rename(target)
    except OSError:
        # A run's bundle never changes, so the other's is the same.
        if not target.is_dir():
            raise


def _short(error: Exception) -> str:
    """What is wrong, in a line: a server may answer with a page, and the client quotes a lot."""
    text = " ".join(str(error).split())
    address, _, cause = text.partition("(Caused by ")
    if cause and "failed with exception" in address:
        server = address.partition("API request to ")[2].partition("/api/")[0]
        text = f"no answer from {server} ({cause.removesuffix(')')})"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."


def moment(milliseconds: int) -> datetime:
    """MLflow's moments as ours."""
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
