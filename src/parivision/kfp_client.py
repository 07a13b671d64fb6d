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
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from parivision import strict_json
from parivision.compiled import Compiled
from parivision.errors import PipelineError, SettingsError
from parivision.kfp_answers import existing, is_object, refusal, run_state, said, silence
from parivision.kfp_runs import Finished, RunState
from parivision.kfp_schedule import Existing, Recurring

if TYPE_CHECKING:
    import kfp
    import kfp_server_api

EXPERIMENT: Final = "parivision"
PREFIX: Final = "parivision-"
"""Before the names of our pipelines: a KFP may hold somebody else's `training` too."""
NEWEST_RUNS: Final = 500
_PAGE: Final = 100
_TIMEOUT_S: Final = 20.0
_DIGEST_CHARACTERS: Final = 12


@dataclass(frozen=True)
class KfpAccess:
    """How KFP knows who asks, all empty where nobody needs to: never shown.

    `namespace` is the user's, for a KFP of many users.
    """

    token: str = field(default="", repr=False)
    cookies: str = field(default="", repr=False)
    token_file: str = ""
    namespace: str = ""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "KfpAccess":
        """From the variables that KFP's own command line and client read, and KFP_COOKIES."""
        return cls(
            token=environment.get("KFP_EXISTING_TOKEN", ""),
            cookies=environment.get("KFP_COOKIES", ""),
            token_file=environment.get("KF_PIPELINES_SA_TOKEN_PATH", ""),
            namespace=environment.get("KFP_NAMESPACE", ""),
        )

    def refresh_api_key_hook(self, configuration: Any) -> None:
        """Put the token of today into KFP's configuration; KFP calls this before every request."""
        configuration.api_key["authorization"] = Path(self.token_file).read_text().strip()


@dataclass(frozen=True)
class Version:
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

    def check(self) -> None:
        """Raise a PipelineError that says what is wrong, unless KFP answers here and lets us in."""
        status, body = self._health()
        if status in (401, 403):
            raise PipelineError(refusal(self.endpoint, status, body))
        if status != 200 or not is_object(body):
            raise PipelineError(
                f"{self.endpoint} is not Kubeflow Pipelines, or asks to log in first: "
                f"{status}, {said(body)[:80]!r} where its health was expected"
            )

    def upload(self, compiled: Compiled) -> Version:
        """Have the pipeline there as a version named by its content; uploading again is as once."""
        text = compiled.text()
        digest = sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
        name = f"{PREFIX}{compiled.name}-{digest}"
        pipeline_id = self._pipeline_id(compiled) or self._new_pipeline(compiled)
        there = self._version_id(pipeline_id, name)
        if there:
            return Version(pipeline_id, there, name, is_new=False)
        try:
            made = self._upload(text, name, pipeline_id)
        except PipelineError:
            # Somebody else may have been quicker.
            made = self._version_id(pipeline_id, name)
            if not made:
                raise
        return Version(pipeline_id, made, name, is_new=True)

    def start(self, version: Version, arguments: Mapping[str, Any], why: str = "") -> str:
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
        experiment_id = self._experiment_id()
        if experiment_id is None:
            return []
        found: list[RunState] = []
        token = ""
        with self._asking() as api:
            while len(found) < newest:
                page = api.RunServiceApi(self._api).run_service_list_runs(
                    experiment_id=experiment_id,
                    sort_by="created_at desc",
                    page_size=min(_PAGE, newest - len(found)),
                    page_token=token,
                    _request_timeout=_TIMEOUT_S,
                )
                found += [run_state(run) for run in page.runs or []]
                token = page.next_page_token or ""
                if not token:
                    break
        return found

    def runs(self, newest: int = NEWEST_RUNS) -> list[Finished]:
        """The project's newest runs in short: pipeline, state as KFP names it, when it ended."""
        names = self.pipelines()
        return [
            Finished(names.get(run.pipeline_id, run.name), run.state, run.finished_at)
            for run in self.recent(newest)
        ]

    def pipelines(self) -> dict[str, str]:
        """Names of the project's pipelines there, by id."""
        with self._asking() as api:
            found = api.PipelineServiceApi(self._api).pipeline_service_list_pipelines(
                filter=_named(PREFIX, "IS_SUBSTRING"),
                page_size=_PAGE,
                _request_timeout=_TIMEOUT_S,
            )
        return {
            item.pipeline_id: item.display_name.removeprefix(PREFIX)
            for item in found.pipelines or []
            if item.display_name.startswith(PREFIX)
        }

    def recurring(self) -> list[Existing]:
        """The project's recurring runs."""
        experiment_id = self._experiment_id()
        if experiment_id is None:
            return []
        with self._asking() as api:
            found = api.RecurringRunServiceApi(self._api).recurring_run_service_list_recurring_runs(
                experiment_id=experiment_id, page_size=_PAGE, _request_timeout=_TIMEOUT_S
            )
        return [existing(run) for run in found.recurring_runs or []]

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

    def _pipeline_id(self, compiled: Compiled) -> str | None:
        with self._asking() as api:
            found = api.PipelineServiceApi(self._api).pipeline_service_list_pipelines(
                filter=_named(PREFIX + compiled.name), _request_timeout=_TIMEOUT_S
            )
        return found.pipelines[0].pipeline_id if found.pipelines else None

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
        with self._asking() as api:
            found = api.PipelineServiceApi(self._api).pipeline_service_list_pipeline_versions(
                pipeline_id, filter=_named(name), _request_timeout=_TIMEOUT_S
            )
        versions = found.pipeline_versions
        return str(versions[0].pipeline_version_id) if versions else ""

    def _upload(self, text: str, name: str, pipeline_id: str) -> str:
        with tempfile.TemporaryDirectory() as folder, self._changing() as client:
            file = Path(folder) / f"{name}.yaml"
            file.write_text(text)
            made = client.upload_pipeline_version(
                str(file), pipeline_version_name=name, pipeline_id=pipeline_id
            )
        return str(made.pipeline_version_id)

    def _experiment(self, client: "kfp.Client") -> str:
        made = client.create_experiment(EXPERIMENT, namespace=self._access.namespace or None)
        return str(made.experiment_id)

    def _experiment_id(self) -> str | None:
        with self._asking() as api:
            found = api.ExperimentServiceApi(self._api).experiment_service_list_experiments(
                filter=_named(EXPERIMENT),
                namespace=self._access.namespace,
                _request_timeout=_TIMEOUT_S,
            )
        return found.experiments[0].experiment_id if found.experiments else None

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The generated client's module; its errors become a PipelineError."""
        import kfp_server_api
        import urllib3

        try:
            yield kfp_server_api
        except kfp_server_api.ApiException as error:
            raise PipelineError(refusal(self.endpoint, error.status, error.body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise PipelineError(silence(self.endpoint, str(error))) from error
        except AttributeError as error:
            # KFP's client stumbles over its own error when the encryption fails.
            cause = error.__context__
            if not isinstance(cause, kfp_server_api.ApiException):
                raise
            raise PipelineError(silence(self.endpoint, str(cause.reason))) from error

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
                **({"namespace": self._access.namespace} if self._access.namespace else {}),
            )


def connect(endpoint: str, access: KfpAccess = KfpAccess()) -> Kubeflow:  # noqa: B008 - frozen
    """Kubeflow Pipelines at an endpoint; raises a PipelineError that says why it cannot be used."""
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError(
            f"the endpoint of Kubeflow Pipelines is {endpoint!r}: expected an address such as "
            "http://localhost:8888, in --endpoint or PARIVISION_KFP"
        )
    try:
        import kfp_server_api
    except ImportError as error:
        raise SettingsError(
            "the client of Kubeflow Pipelines is not installed here: "
            "pip install 'parivision[kubeflow]'"
        ) from error
    host = endpoint.rstrip("/")
    api = kfp_server_api.ApiClient(_configuration(host, access), cookie=access.cookies or None)
    kubeflow = Kubeflow(host, access, api)
    kubeflow.check()
    return kubeflow


def _configuration(host: str, access: KfpAccess) -> "kfp_server_api.Configuration":
    import kfp_server_api

    found = kfp_server_api.Configuration(host=host)
    found.retries = False
    found.api_key_prefix["authorization"] = "Bearer"
    if access.token:
        found.api_key["authorization"] = access.token
    elif access.token_file:
        found.api_key["authorization"] = "read before each request"
        found.refresh_api_key_hook = access.refresh_api_key_hook
    return found


def _named(name: str, operation: str = "EQUALS") -> str:
    """KFP's filter for what has a name, or a part of it with IS_SUBSTRING."""
    return strict_json.text(
        {"predicates": [{"operation": operation, "key": "display_name", "stringValue": name}]}
    )
