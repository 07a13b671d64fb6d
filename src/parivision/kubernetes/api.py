"""How the Kubernetes API is asked: refusals as errors that say what to do, lists to their end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from kubernetes import client, config

from parivision.errors import ServiceError
from parivision.paging import all_pages

# To connect, and to answer.
_REQUEST_TIMEOUT_S: Final = (3.0, 10.0)
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_MANY = 401, 403, 404, 409, 429
_SERVER_ERROR: Final = 500


class AwayError(ServiceError):
    """The API does not answer at the moment; it may the next time."""


class MissingError(ServiceError):
    """What was asked for is not there."""


class ConflictError(ServiceError):
    """What was to be made is there."""


@dataclass(frozen=True)
class KubernetesApi:
    """Asks the API; `forbidden` and `missing` say what helps who has no rights or finds nothing."""

    forbidden: str
    missing: str

    def ask(self, doing: str, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """What a call of Kubernetes' client gives; ServiceError, or a kind of it, that names it."""
        try:
            return call(*arguments, **options, _request_timeout=_REQUEST_TIMEOUT_S)
        except client.ApiException as error:
            raise self._translated(doing, error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise AwayError(
                f"cannot {doing}: the Kubernetes API does not answer ({error})"
            ) from error

    def list_all(
        self, doing: str, call: Callable[..., Any], namespace: str, **asked: str
    ) -> list[Any]:
        """All of a list; the API may give it in parts. ServiceError where they never end."""

        def fetch(token: str | None) -> tuple[list[Any], str | None]:
            further = {"_continue": token} if token else {}
            part = self.ask(doing, call, namespace, **asked, **further)
            return part.items, _further(part)

        return list(all_pages(fetch, f"cannot {doing}: Kubernetes", ServiceError))

    def _translated(self, doing: str, error: client.ApiException) -> ServiceError:
        if error.status == _NOT_FOUND:
            return MissingError(f"cannot {doing}: there is none. {self.missing}")
        if error.status == _CONFLICT:
            return ConflictError(f"cannot {doing}: there is one")
        if error.status in {_UNAUTHORIZED, _FORBIDDEN}:
            return ServiceError(
                f"cannot {doing}: Kubernetes forbids it ({error.status}). {self.forbidden}"
            )
        sentence = f"cannot {doing}: Kubernetes answered {error.status} {error.reason}"
        sentence += f": {error.body}"
        # What will pass by itself. Any other refusal is the same the next time.
        is_away = error.status == _TOO_MANY or (error.status or 0) >= _SERVER_ERROR
        return AwayError(sentence) if is_away else ServiceError(sentence)


def configure() -> None:
    """Let the client ask the cluster that this process runs in, or else that of KUBECONFIG."""
    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except (config.ConfigException, OSError) as error:
            raise ServiceError(
                f"there is no way to a Kubernetes cluster ({error}): run this in a pod, set "
                "KUBECONFIG, or deploy with target=local"
            ) from error
    # Callers retry by themselves, and know for how long.
    configuration = client.Configuration.get_default_copy()
    configuration.retries = urllib3.Retry(total=2, connect=2, read=0)
    # A service behind the API is `name:port`, and has paths of its own: both stay as they are.
    configuration.safe_chars_for_path_param = "/:"
    client.Configuration.set_default(configuration)


def selector(labels: dict[str, str]) -> str:
    """Labels as a list of objects is asked for by them."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _further(part: Any) -> str:
    """The token of a list's next part, or nothing."""
    return str(getattr(getattr(part, "metadata", None), "_continue", None) or "")
