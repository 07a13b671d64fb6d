"""The users of an MLflow server, against a small imitation of its REST API."""

import base64
import json
import traceback

import httpx
import pytest

from parivision.errors import RegistryError
from parivision.registry.users import MlflowUsers, ensure_users, wait_until_healthy
from parivision.settings.logins import Login

ADMIN = Login("admin", "admin-password")
PIPELINES = Login("pipelines", "long-enough-1")
READER = Login("reader", "long-enough-2")


class Server:
    """What MLflow 3.17 answers when users are made or get a new password."""

    def __init__(self):
        self.passwords = {ADMIN.name: ADMIN.password}
        self.refusals = 0

    def __call__(self, request):
        """The answer to a request."""
        if request.url.path == "/health":
            self.refusals -= 1
            return httpx.Response(503 if self.refusals >= 0 else 200)
        kind, _, credentials = request.headers["authorization"].partition(" ")
        name, _, password = base64.b64decode(credentials).decode().partition(":")
        if kind != "Basic" or (name, password) != (ADMIN.name, self.passwords[ADMIN.name]):
            return httpx.Response(401, text="You are not authenticated.")
        body = json.loads(request.content)
        if len(body["password"]) < 12:
            return _error(400, "INVALID_PARAMETER_VALUE")
        if (request.method, request.url.path.rpartition("/")[2]) == ("POST", "create"):
            if body["username"] in self.passwords:
                return _error(400, "RESOURCE_ALREADY_EXISTS", f"hash of {body['password']}")
        elif request.method != "PATCH":
            return httpx.Response(405)
        self.passwords[body["username"]] = body["password"]
        return httpx.Response(200, json={})


def _error(status, code, message=""):
    return httpx.Response(status, json={"error_code": code, "message": message})


@pytest.fixture
def server():
    """A server with its administrator only."""
    return Server()


@pytest.fixture
def client(server):
    """A client of it."""
    with httpx.Client(base_url="http://mlflow", transport=httpx.MockTransport(server)) as opened:
        yield opened


def test_users_are_made_once(client, server):
    """The second time nothing is made, and everybody still gets in."""
    users = [PIPELINES, READER]
    assert ensure_users(client, ADMIN, users) == MlflowUsers(("pipelines", "reader"), ())
    passwords = dict(server.passwords)
    assert ensure_users(client, ADMIN, users) == MlflowUsers((), ("pipelines", "reader"))
    assert server.passwords == passwords


def test_a_user_gets_the_password_of_the_secret(client, server):
    """After the Secret was changed, the server knows the new password."""
    ensure_users(client, ADMIN, [READER])
    ensure_users(client, ADMIN, [Login("reader", "another-password")])
    assert server.passwords["reader"] == "another-password"


@pytest.mark.parametrize(
    ("admin", "user", "said"),
    [
        (Login("admin", "wrong-word-x"), READER, "401"),
        (ADMIN, Login("reader", "short-word"), "400 INVALID_PARAMETER_VALUE"),
    ],
)
def test_a_refusal_is_told_without_passwords(client, admin, user, said):
    """The message has the status and MLflow's name of the error, nothing that was sent."""
    with pytest.raises(RegistryError, match=said) as caught:
        ensure_users(client, admin, [user])
    told = "".join(traceback.format_exception(caught.value)).partition("Error: ")[2]
    assert admin.password not in told
    assert user.password not in told


def test_a_user_that_cannot_be_updated_is_told(client, server):
    """An answer that is not MLflow's is refused too."""
    server.passwords[READER.name] = READER.password

    def odd(request):
        return server(request) if request.method == "POST" else httpx.Response(502, text="[]")

    client = httpx.Client(base_url="http://mlflow", transport=httpx.MockTransport(odd))
    with pytest.raises(RegistryError, match=r"502\. Expected"):
        ensure_users(client, ADMIN, [READER])


def test_an_unreachable_server_is_told():
    """The message says where it was looked for."""

    def refuse(request):
        raise httpx.ConnectError("refused")

    slept: list[float] = []
    client = httpx.Client(base_url="http://mlflow", transport=httpx.MockTransport(refuse))
    with pytest.raises(RegistryError, match="http://mlflow could not be reached"):
        ensure_users(client, ADMIN, [READER])
    with pytest.raises(RegistryError, match=r"no MLflow server after 0 s: http://mlflow"):
        wait_until_healthy(client, 0, sleep=slept.append)
    assert slept == []


def test_a_server_that_starts_is_waited_for(client, server):
    """It is asked again until it is healthy, and no longer than that."""
    server.refusals = 2
    slept: list[float] = []
    wait_until_healthy(client, sleep=slept.append)
    assert len(slept) == 2
    server.refusals = 100
    times = iter(range(100))
    with pytest.raises(RegistryError, match="after 5 s: the server is not healthy"):
        wait_until_healthy(client, 5, clock=lambda: next(times), sleep=slept.append)
    assert len(slept) == 6
