"""A connection to Kubeflow Pipelines: requests to its API, whose errors become a PipelineError.

The only module that speaks KFP's API. What changes something there goes through `kfp.Client`;
what only looks goes through the client that KFP generates for its API, because that one can stop
waiting, and because the exporter's image has no other.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from parivision import strict_json
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow.access import KfpAccess, checked_endpoint, configure
from parivision.kubeflow.responses import (
    encryption_hint,
    error_text,
    is_object,
    no_answer_message,
    refusal_message,
)
from parivision.paging import all_pages
from parivision.settings.redaction import Redactor

if TYPE_CHECKING:
    import kfp
    import kfp_server_api

EXPERIMENT: Final = "parivision"
"""KFP's group of runs that holds all runs of this project."""
TIMEOUT_S: Final = 10.0
_PAGE_SIZE: Final = 100


class KfpConnection:
    """A Kubeflow Pipelines that answers, made by `connect`; all methods raise PipelineError."""

    def __init__(self, endpoint: str, access: KfpAccess, api: "kfp_server_api.ApiClient") -> None:
        self.endpoint = endpoint
        self.api = api
        self._access = access
        self._redact = Redactor(access.secrets())

    def check(self) -> None:
        """Raise a PipelineError that says what is wrong, unless KFP answers here and lets us in."""
        status, body = self._health()
        if status in (401, 403):
            raise self._refused(status, body)
        if status != 200 or not is_object(body):
            raise PipelineError(
                f"{self.endpoint} is not Kubeflow Pipelines, or asks to log in first: "
                f"{status}, {self._redact(error_text(body))[:80]!r} where its health was expected"
                f"{encryption_hint(error_text(body))}"
            )

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """The module of KFP's generated client; what goes wrong with it is a PipelineError."""
        # In here, and not at the top: who uses no Kubeflow need not have its client installed.
        import kfp_server_api
        import urllib3

        try:
            yield kfp_server_api
        except kfp_server_api.ApiException as error:
            if not error.status:  # the encryption failed
                raise self._no_answer(str(error.reason)) from error
            raise self._refused(error.status, error.body) from error
        except urllib3.exceptions.HTTPError as error:
            raise self._no_answer(str(error)) from error
        except AttributeError as error:
            # KFP's client stumbles over its own error when the encryption fails.
            cause = error.__context__
            if not isinstance(cause, kfp_server_api.ApiException):
                raise
            raise self._no_answer(str(cause.reason)) from error

    @contextmanager
    def changing(self) -> Iterator["kfp.Client"]:
        """KFP's own client, for requests that change something; what it prints is for notebooks."""
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), self.reading():
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

    def all_items(
        self, service: str, call: str, name: str, *ids: str, **query: Any
    ) -> Iterator[Any]:
        """All items of one of KFP's lists, page by page.

        `service` and `call` name a class of the generated client and its method, `name` the list in
        the response. `ids` and `query` are the method's arguments.
        """

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            with self.reading() as api:
                response = getattr(getattr(api, service)(self.api), call)(
                    *ids,
                    **query,
                    page_size=_PAGE_SIZE,
                    page_token=token or "",
                    _request_timeout=TIMEOUT_S,
                )
            return getattr(response, name) or [], response.next_page_token

        return all_pages(fetch, f"{self.endpoint} ({name})", PipelineError)

    def text(self, path: str, **query: str) -> str | None:
        """The text at a path; None where the endpoint has nothing there, or does not give it."""
        with self.reading() as api:
            try:
                response = self.api.call_api(
                    path,
                    "GET",
                    query_params=list(query.items()),
                    auth_settings=["Bearer"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=TIMEOUT_S,
                )
            except api.ApiException as error:
                if not error.status:
                    raise
                return None
        return str(response.data.decode(errors="replace"))

    @cached_property
    def has_pages(self) -> bool:
        """Whether the endpoint serves KFP's pages, as ml-pipeline-ui does, or its API alone."""
        return "<html" in (self.text("/") or "").lower()

    def experiment_id(self) -> str | None:
        """The id of the project's experiment; None before the first run."""
        experiments = self.all_items(
            "ExperimentServiceApi",
            "experiment_service_list_experiments",
            "experiments",
            filter=name_filter(EXPERIMENT),
            namespace=self._access.namespace,
        )
        ours = (each for each in experiments if each.display_name == EXPERIMENT)
        return next((str(each.experiment_id) for each in ours), None)

    def ensure_experiment(self, client: "kfp.Client") -> str:
        """The id of the project's experiment, which is created if it is not there yet."""
        existing = self.experiment_id()
        if existing is not None:
            return existing
        created = client.create_experiment(EXPERIMENT, namespace=self._access.namespace or None)
        return str(created.experiment_id)

    def _health(self) -> tuple[int, Any]:
        """Status and body of the health endpoint's answer, whatever they are."""
        with self.reading() as api:
            try:
                response = api.HealthzServiceApi(self.api).healthz_service_get_healthz(
                    _preload_content=False, _request_timeout=TIMEOUT_S
                )
            except api.ApiException as error:
                return error.status, error.body
            return response.status, response.data

    def _refused(self, status: int | None, body: object) -> PipelineError:
        # Servers quote what they were sent, so a secret may be in it.
        return PipelineError(self._redact(refusal_message(self.endpoint, status, body)))

    def _no_answer(self, reason: str) -> PipelineError:
        return PipelineError(no_answer_message(self.endpoint, reason))


def connect(endpoint: str, access: KfpAccess) -> KfpConnection:
    """A connection to an endpoint, checked.

    Raises SettingsError where the address, a credential or KFP's client is missing or wrong, and
    PipelineError that says why KFP cannot be used.
    """
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
    connection = KfpConnection(host, access, api)
    connection.check()
    return connection


def name_filter(name: str, operation: str = "EQUALS") -> str:
    """KFP's filter for what has a name, or a part of it with IS_SUBSTRING."""
    return strict_json.text(
        {"predicates": [{"operation": operation, "key": "display_name", "stringValue": name}]}
    )
