"""The commands that Jobs in the cluster run, in process, against imitations of the servers."""

import time

import httpx
import pytest

from parivision.cli import context
from parivision.errors import StoreError
from parivision.lake import users as lake_users
from parivision.settings.logins import Login


@pytest.fixture
def secret(tmp_path):
    """Makes the folder of a mounted Secret."""

    def make(name, word="a-long-password", prefix=""):
        folder = tmp_path / name
        folder.mkdir()
        (folder / f"{prefix}username").write_text(name)
        (folder / f"{prefix}password").write_text(word)
        return folder

    return make


@pytest.mark.parametrize("with_roles", [True, False])
def test_the_users_of_the_lake_are_made(run, secret, monkeypatch, with_roles):
    """Each gets its role; where there are no roles, the command says what that means."""
    asked = []

    def ensure(server, root, users, *, database, wait_s):
        asked.append((server, root, list(users), database, wait_s))
        return lake_users.DatabaseUsers(("writer",), ("reader",), with_roles)

    monkeypatch.setattr(lake_users, "ensure_users", ensure)
    folders = [f"--{name}={secret(name)}" for name in ("root", "writer", "reader")]
    code, out, err = run("lake-users", "--server", "mongodb:27017", *folders)
    ((server, root, users, database, wait_s),) = asked
    assert (code, server, database, wait_s) == (0, "mongodb:27017", "parivision", 300.0)
    assert root == Login("root", "a-long-password")
    assert [(user.login.name, user.role) for user in users] == [
        ("writer", "readWrite"),
        ("reader", "read"),
    ]
    assert out == "created: writer\nwere there: reader\n"
    assert ("knows no roles" in err) is not with_roles


def test_who_logs_predictions_gets_a_database_of_its_own(run, secret, monkeypatch):
    """And no right on the lake."""
    asked = []

    def ensure(_server, _root, users, *, database, wait_s):
        asked.append((database, [(user.login.name, user.role) for user in users], wait_s))
        return lake_users.DatabaseUsers((), (), with_roles=True)

    monkeypatch.setattr(lake_users, "ensure_users", ensure)
    folders = [f"--{name}={secret(name)}" for name in ("root", "writer", "reader", "log")]
    assert run("lake-users", "--server", "mongodb:27017", "--wait=9", *folders)[0] == 0
    assert asked[1] == ("predictions", [("log", "readWrite")], 9.0)
    assert "log" not in dict(asked[0][1])


def test_who_watches_the_server_reads_no_data(run, secret, monkeypatch):
    """The role is the server's own, whichever database the user lives in."""
    asked = []

    def ensure(_server, _root, users, **_):
        asked.extend(users)
        return lake_users.DatabaseUsers((), (), with_roles=True)

    monkeypatch.setattr(lake_users, "ensure_users", ensure)
    folders = [f"--{name}={secret(name)}" for name in ("root", "writer", "reader", "monitor")]
    assert run("lake-users", "--server", "mongodb:27017", *folders)[0] == 0
    roles = {user.login.name: user.roles("parivision") for user in asked}
    assert roles["monitor"] == [{"role": "clusterMonitor", "db": "admin"}]
    assert roles["reader"] == [{"role": "read", "db": "parivision"}]


def test_the_users_of_mlflow_are_made(run, secret, monkeypatch):
    """After the server is healthy, with the administrator's login."""
    asked = []

    def answer(request):
        asked.append(request.url.path)
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    client = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **rest: client(transport=transport, **rest))
    users = [f"--user={secret(name)}" for name in ("pipelines", "reader")]
    admin = secret("admin", prefix="admin-")
    code, out, _ = run("mlflow-users", "--url", "http://mlflow:5000", f"--admin={admin}", *users)
    assert (code, out) == (0, "created: pipelines, reader\n")
    assert asked == ["/health", *["/api/2.0/mlflow/users/create"] * 2]


def test_a_missing_secret_is_one_line(run, tmp_path):
    """The command ends with 1 and names the file."""
    folders = [f"--{name}={tmp_path}" for name in ("root", "writer", "reader")]
    code, _, err = run("lake-users", "--server", "mongodb:27017", *folders)
    assert code == 1
    assert "username could not be read" in err


class Late:
    """Something that answers when it was asked a number of times."""

    def __init__(self, refusals):
        self.refusals = refusals

    def __call__(self, *_):
        """The thing itself, or a refusal."""
        self.refusals -= 1
        if self.refusals >= 0:
            raise StoreError("mongodb://h refused the user or password")
        return self

    last_ingest = champion = lambda self: None


def test_servers_are_waited_for(run, monkeypatch):
    """Each refusal is told; the command ends well as soon as both let it in."""
    monkeypatch.setattr(context, "lake", Late(2))
    monkeypatch.setattr(context, "registry", Late(1))
    monkeypatch.setattr(time, "sleep", lambda _: None)
    code, out, err = run("wait")
    assert (code, out) == (0, "the lake answers\nthe registry answers\n")
    assert err.count("refused the user or password") == 3


def test_waiting_ends(run, monkeypatch):
    """With the last refusal, when the time is over; what is not asked for is not waited for."""
    monkeypatch.setattr(context, "lake", Late(10**6))
    monkeypatch.setattr(context, "registry", Late(10**6))
    code, _, err = run("wait", "--for", "0", "--no-registry")
    assert code == 1
    assert "error: mongodb://h refused" in err
    assert run("wait", "--for", "0", "--no-registry", "--no-lake")[0] == 0


@pytest.mark.parametrize("there", [True, False])
def test_the_runtime_image_is_waited_for(run, monkeypatch, there):
    """It is looked for in the registry that champions are pushed to."""
    asked = []

    def answer(request):
        asked.append(str(request.url))
        return httpx.Response(200, json={"mediaType": "x"}) if there else httpx.Response(404)

    monkeypatch.setattr(httpx, "HTTPTransport", lambda **_: httpx.MockTransport(answer))
    monkeypatch.setenv("PARIVISION_IMAGES_PUSH", "http://images:5000/shots")
    monkeypatch.setenv("PARIVISION_RUNTIME_IMAGE", "serving:1")
    code, _, err = run("wait", "--for", "0", "--no-registry", "--no-lake", "--runtime")
    assert code == (0 if there else 1)
    assert ("has no serving:1 yet" in err) is not there
    assert asked[-1] == "http://images:5000/v2/serving/manifests/1"
