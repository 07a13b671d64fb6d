"""The users of an MLflow server with basic authentication.

Every user may read everything (`default_permission` of the server) and change what it made; the
administrator is used for nothing but this. That is MLflow's REST API of users, spoken directly:
its client reads the administrator's password from the environment, where it would stay.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from parivision.errors import RegistryError
from parivision.settings.logins import Login

WAIT_S: Final = 300.0
"""How long a server that was just started may take to answer."""
_API: Final = "/api/2.0/mlflow/users"
_ALREADY_EXISTS: Final = "RESOURCE_ALREADY_EXISTS"
_PAUSE_S: Final = 1.0


@dataclass(frozen=True)
class MlflowUsers:
    """The names of the users made and of those that were there already."""

    created: tuple[str, ...]
    updated: tuple[str, ...]


def ensure_users(client: httpx.Client, admin: Login, users: Iterable[Login]) -> MlflowUsers:
    """Make the users, or give those that are there their password; raises RegistryError.

    `client` has the server's address as its base. Running it again changes nothing.
    """
    created: list[str] = []
    updated: list[str] = []
    client.auth = httpx.BasicAuth(admin.name, admin.password)
    for user in users:
        body = {"username": user.name, "password": user.password}
        answer = _ask(client, "POST", "create", body)
        if answer.is_success:
            created.append(user.name)
            continue
        # Made first and not looked for: so two Jobs at the same time do no harm.
        if _code(answer) != _ALREADY_EXISTS:
            raise _refused(client, answer)
        answer = _ask(client, "PATCH", "update-password", body)
        if not answer.is_success:
            raise _refused(client, answer)
        updated.append(user.name)
    return MlflowUsers(tuple(created), tuple(updated))


def wait_until_healthy(
    client: httpx.Client,
    wait_s: float = WAIT_S,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return as soon as the server answers; raises RegistryError when it did not in that time."""
    deadline = clock() + wait_s
    while True:
        try:
            with _reaching(client):
                if client.get("/health").is_success:
                    return
                problem = "the server is not healthy"
        except RegistryError as error:
            problem = str(error)
        if clock() >= deadline:
            raise RegistryError(f"no MLflow server after {wait_s:g} s: {problem}")
        sleep(_PAUSE_S)


def _ask(client: httpx.Client, method: str, call: str, body: dict[str, str]) -> httpx.Response:
    with _reaching(client):
        return client.request(method, f"{_API}/{call}", json=body)


@contextmanager
def _reaching(client: httpx.Client) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise RegistryError(
            f"{client.base_url} could not be reached ({type(error).__name__}): check that the "
            "MLflow server runs there."
        ) from error


def _code(answer: httpx.Response) -> str:
    """MLflow's name of an error; its message is left alone, for it quotes what was sent."""
    try:
        body: Any = answer.json()
    except ValueError:
        return ""
    return str(body.get("error_code", "")) if isinstance(body, dict) else ""


def _refused(client: httpx.Client, answer: httpx.Response) -> RegistryError:
    return RegistryError(
        f"{client.base_url} refused to set up a user: {answer.status_code} {_code(answer)}".rstrip()
        + ". Expected the administrator's name and password, and passwords of 12 characters."
    )
