"""Kubeflow Pipelines: upload compiled pipelines, start runs, see how they stand, and repeat them.

The only module that speaks KFP's API. What changes something there goes through `kfp.Client`;
what only looks goes through the client that KFP generates for its API, because that one can stop
waiting, and because the exporter's image has no other.
"""

import io
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parivision import strict_json
from parivision.credentials.redaction import Redactor
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow.access import KfpAccess, checked_endpoint, configure
from parivision.kubeflow.compiled import Compiled
from parivision.kubeflow.pages import all_pages
from parivision.kubeflow.responses import (
    existing,
    is_object,
    refusal,
    run_state,
    said,
    silence,
    spoken,
)
from parivision.kubeflow.runs import SUCCEEDED, Finished, RunState
from parivision.kubeflow.schedule import Existing, Recurring

if TYPE_CHECKING:
    import kfp
    import kfp_server_api

__all__ = ["KfpAccess", "Kubeflow", "PipelineVersion", "connect"]

EXPERIMENT: Final = "parivision"
PREFIX: Final = "parivision-"
"""Before the names of our pipelines: a KFP may hold somebody else's `training` too."""
NEWEST_RUNS: Final = 500
_PAGE: Final = 100
_TIMEOUT_S: Final = 10.0
_DIGEST_CHARACTERS: Final = 12


@dataclass(frozen=True)
class PipelineVersion:
    """A version of a pipeline at KFP; `is_new` if it was not there before."""

    pipeline_id: str
    version_id: str
    name: str
    is_new: bool


class Kubeflow:
    """A Kubeflow Pipelines that answers; made by `connect`."""

    def __init__(self, endpoint: str, access: KfpAccess, api: "kfp_server_api.ApiClient") -> None:
        self.endpoint = endpoint
        self._access = access
        self._api = api
        self._clear = Redactor(access.secrets())

    def check(self) -> None:
        """Raise a PipelineError that says what is wrong, unless KFP answers here and lets us in."""
        status, body = self._health()
        if status in (401, 403):
            raise self._refused(status, body)
        if status != 200 or not is_object(body):
            raise PipelineError(
                f"{self.endpoint} is not Kubeflow Pipelines, or asks to log in first: "
                f"{status}, {self._clear(said(body))[:80]!r} where its health was expected"
                f"{spoken(said(body))}"
            )

    def upload(self, compiled: Compiled) -> PipelineVersion:
        """Have the pipeline there as a version named by its content; uploading again is as once."""
        text = compiled.text()
        digest = sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        name = f"{PREFIX}{compiled.name}-{digest}"
        pipeline_id = self._pipeline_id(compiled) or self._new_pipeline(compiled)
        there = self._version_id(pipeline_id, name)
        if there:
            return PipelineVersion(pipeline_id, there, name, is_new=False)
        try:
            made = self._upload(text, name, pipeline_id)
        except PipelineError:
            # Somebody else may have been quicker.
            made = self._version_id(pipeline_id, name)
            if not made:
                raise
        return PipelineVersion(pipeline_id, made, name, is_new=True)

    def start(self, version: PipelineVersion, arguments: Mapping[str, Any], why: str = "") -> str:
        """Start a run in the project's experiment; returns its id. `why` is put into its name."""
        began = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{version.name}-{began}" + (f" for {why}" if why else "")
        with self._changing() as client:
            started = client.run_pipeline(
                experiment_id=self._experiment(client),
                job_name=name,
                params=dict(arguments),
                pipeline_id=version.pipeline_id,
                version_id=version.version_id,
            )
        return str(started.run_id)

    def run(self, run_id: str) -> RunState:
        """How a run stands."""
        with self._asking() as api:
            found = api.RunServiceApi(self._api).run_service_get_run(
                run_id, _request_timeout=_TIMEOUT_S
            )
        return run_state(found)

    def recent(self, newest: int = NEWEST_RUNS) -> list[RunState]:
        """The project's newest runs, the newest first, without their nodes."""
        return list(islice(self._newest_runs(), newest))

    def past(self, pipeline: str) -> list[RunState]:
        """A pipeline's runs, the newest first, back to the last that succeeded or further.

        `NEWEST_RUNS` runs of all pipelines are looked at in any case: runs may overtake each other.
        """
        ours = {id_ for id_, name in self.pipelines().items() if name == pipeline}
        found: list[RunState] = []
        for number, run in enumerate(self._newest_runs(), 1):
            if run.pipeline_id in ours:
                found.append(run)
            if number >= NEWEST_RUNS and any(each.state == SUCCEEDED for each in found):
                break
        return found

    def _newest_runs(self) -> Iterator[RunState]:
        """Runs of the project, newest first, as pages are asked for."""
        experiment_id = self._experiment_id()
        if experiment_id is None:
            return
        yield from map(
            run_state,
            self._pages(
                "RunServiceApi",
                "run_service_list_runs",
                "runs",
                experiment_id=experiment_id,
                sort_by="created_at desc",
            ),
        )

    def runs(self, newest: int = NEWEST_RUNS) -> list[Finished]:
        """The project's newest runs in short: pipeline, state as KFP names it, when it ended."""
        names = self.pipelines()
        return [
            Finished(names.get(run.pipeline_id, run.name), run.state, run.finished_at)
            for run in self.recent(newest)
        ]

    def pipelines(self) -> dict[str, str]:
        """Names of the project's pipelines there, by id."""
        return {
            item.pipeline_id: item.display_name.removeprefix(PREFIX)
            for item in self._list_pipelines(_named(PREFIX, "IS_SUBSTRING"))
            if item.display_name.startswith(PREFIX)
        }

    def recurring(self) -> list[Existing]:
        """The project's recurring runs."""
        experiment_id = self._experiment_id()
        if experiment_id is None:
            return []
        found = self._pages(
            "RecurringRunServiceApi",
            "recurring_run_service_list_recurring_runs",
            "recurring_runs",
            experiment_id=experiment_id,
        )
        return [existing(run) for run in found]

    def repeat(self, recurring: Recurring) -> None:
        """Make a recurring run: one at a time, and none for what was missed."""
        with self._changing() as client:
            client.create_recurring_run(
                experiment_id=self._experiment(client),
                job_name=recurring.name,
                params=dict(recurring.arguments),
                pipeline_id=recurring.pipeline_id,
                version_id=recurring.version_id,
                cron_expression=recurring.trigger.cron or None,
                interval_second=recurring.trigger.interval_s or None,
                max_concurrency=1,
                no_catchup=True,
            )

    def drop(self, recurring_id: str) -> None:
        """Remove a recurring run; its past runs stay."""
        with self._changing() as client:
            client.delete_recurring_run(recurring_id)

    def page(self, run_id: str) -> str:
        """Address of a run in KFP's user interface."""
        return f"{self.endpoint}/#/runs/details/{run_id}"

    def _health(self) -> tuple[int, Any]:
        """Status and body of the answer, whatever they are."""
        with self._asking() as api:
            try:
                answer = api.HealthzServiceApi(self._api).healthz_service_get_healthz(
                    _preload_content=False, _request_timeout=_TIMEOUT_S
                )
            except api.ApiException as error:
                return error.status, error.body
            return answer.status, answer.data

    def _pages(self, service: str, call: str, name: str, *ids: str, **asked: Any) -> Iterator[Any]:
        """All items of a list of KFP's, page by page."""

        def page(token: str) -> tuple[list[Any], str]:
            with self._asking() as api:
                found = getattr(getattr(api, service)(self._api), call)(
                    *ids, **asked, page_size=_PAGE, page_token=token, _request_timeout=_TIMEOUT_S
                )
            return getattr(found, name) or [], found.next_page_token or ""

        return all_pages(page, f"{self.endpoint} ({name})")

    def _list_pipelines(self, condition: str) -> Iterator[Any]:
        call = "pipeline_service_list_pipelines"
        return self._pages("PipelineServiceApi", call, "pipelines", filter=condition)

    def _pipeline_id(self, compiled: Compiled) -> str | None:
        name = PREFIX + compiled.name
        found = (each for each in self._list_pipelines(_named(name)) if each.display_name == name)
        return next((str(each.pipeline_id) for each in found), None)

    def _new_pipeline(self, compiled: Compiled) -> str:
        """A pipeline without versions: `kfp.Client` can only make one with an unnamed version."""
        about = compiled.spec["pipelineInfo"].get("description", "")
        name = PREFIX + compiled.name
        with self._asking() as api:
            made = api.PipelineServiceApi(self._api).pipeline_service_create_pipeline(
                api.V2beta1Pipeline(name=name, display_name=name, description=about),
                _request_timeout=_TIMEOUT_S,
            )
        return str(made.pipeline_id)

    def _version_id(self, pipeline_id: str, name: str) -> str:
        found = self._pages(
            "PipelineServiceApi",
            "pipeline_service_list_pipeline_versions",
            "pipeline_versions",
            pipeline_id,
            filter=_named(name),
        )
        mine = (version for version in found if version.display_name == name)
        return next((str(version.pipeline_version_id) for version in mine), "")

    def _upload(self, text: str, name: str, pipeline_id: str) -> str:
        with tempfile.TemporaryDirectory() as folder, self._changing() as client:
            file = Path(folder) / f"{name}.yaml"
            file.write_text(text)
            made = client.upload_pipeline_version(
                str(file), pipeline_version_name=name, pipeline_id=pipeline_id
            )
        return str(made.pipeline_version_id)

    def _experiment(self, client: "kfp.Client") -> str:
        there = self._experiment_id()
        if there is not None:
            return there
        made = client.create_experiment(EXPERIMENT, namespace=self._access.namespace or None)
        return str(made.experiment_id)

    def _experiment_id(self) -> str | None:
        found = self._pages(
            "ExperimentServiceApi",
            "experiment_service_list_experiments",
            "experiments",
            filter=_named(EXPERIMENT),
            namespace=self._access.namespace,
        )
        mine = (each for each in found if each.display_name == EXPERIMENT)
        return next((str(each.experiment_id) for each in mine), None)

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The generated client's module; its errors become a PipelineError."""
        import kfp_server_api
        import urllib3

        try:
            yield kfp_server_api
        except kfp_server_api.ApiException as error:
            if not error.status:  # the encryption failed
                raise PipelineError(silence(self.endpoint, str(error.reason))) from error
            raise self._refused(error.status, error.body) from error
        except urllib3.exceptions.HTTPError as error:
            raise PipelineError(silence(self.endpoint, str(error))) from error
        except AttributeError as error:
            # KFP's client stumbles over its own error when the encryption fails.
            cause = error.__context__
            if not isinstance(cause, kfp_server_api.ApiException):
                raise
            raise PipelineError(silence(self.endpoint, str(cause.reason))) from error

    def _refused(self, status: int | None, body: object) -> PipelineError:
        # Servers quote what they were sent.
        return PipelineError(self._clear(refusal(self.endpoint, status, body)))

    @contextmanager
    def _changing(self) -> Iterator["kfp.Client"]:
        """KFP's client; what it prints is for notebooks."""
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), self._asking():
            warnings.simplefilter("ignore", FutureWarning)
            import kfp

            yield kfp.Client(
                host=self.endpoint,
                existing_token=self._access.token or None,
                cookies=self._access.cookies or None,
                credentials=self._access if self._access.token_file else None,
                ssl_ca_cert=self._access.ca_file or None,
                **({"namespace": self._access.namespace} if self._access.namespace else {}),
            )


def connect(endpoint: str, access: KfpAccess = KfpAccess()) -> Kubeflow:  # noqa: B008 - frozen
    """Kubeflow Pipelines at an endpoint; raises a PipelineError that says why it cannot be used."""
    host = checked_endpoint(endpoint)
    if access.token_file and not access.token:
        access.token_of_today()
    try:
        import kfp_server_api
    except ImportError as error:
        raise SettingsError(
            "the client of Kubeflow Pipelines is not installed here: "
            "pip install 'parivision[kubeflow]'"
        ) from error
    configuration = configure(kfp_server_api.Configuration(host=host), access)
    api = kfp_server_api.ApiClient(configuration, cookie=access.cookies or None)
    kubeflow = Kubeflow(host, access, api)
    kubeflow.check()
    return kubeflow


def _named(name: str, operation: str = "EQUALS") -> str:
    """KFP's filter for what has a name, or a part of it with IS_SUBSTRING."""
    return strict_json.text(
        {"predicates": [{"operation": operation, "key": "display_name", "stringValue": name}]}
    )
