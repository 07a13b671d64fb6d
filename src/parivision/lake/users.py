"""The users of a lake in MongoDB, each with the rights of its role and no more.

Whoever fills the lake may read and write its database, whoever watches it may read; the server's
root is used for nothing but this. FerretDB 1 knows users and no roles: there whoever may log in
may write, and `DatabaseUsers.with_roles` says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pymongo import MongoClient
from pymongo.errors import OperationFailure

from parivision.lake.mongo_client import DEFAULT_DATABASE, translating_errors
from parivision.settings.logins import Login

WAIT_S: Final = 300.0
"""How long a server that was just started may take to answer."""
# MongoDB's code for a user that is there.
_ALREADY_EXISTS: Final = 51_003


@dataclass(frozen=True)
class LakeUser:
    """Who uses the lake, and as what, in MongoDB's words.

    `clusterMonitor` may ask for the server's numbers and reads no data.
    """

    login: Login
    role: Literal["readWrite", "read", "clusterMonitor"]

    def roles(self, database: str) -> list[dict[str, str]]:
        """The role as MongoDB takes it: the server's own roles belong to `admin`."""
        return [{"role": self.role, "db": "admin" if self.role == "clusterMonitor" else database}]


@dataclass(frozen=True)
class DatabaseUsers:
    """The names of the users made and of those that were there already."""

    created: tuple[str, ...]
    updated: tuple[str, ...]
    with_roles: bool


def ensure_users(
    server: str,
    root: Login,
    users: Iterable[LakeUser],
    *,
    database: str = DEFAULT_DATABASE,
    root_database: str = "admin",
    wait_s: float = WAIT_S,
) -> DatabaseUsers:
    """Make the users, or give those that are there their password and role; raises StoreError.

    `server` is host:port. The users live in the lake's own database, so that its URL needs no
    `authSource`; root lives in `root_database`. Running it again changes nothing.
    """
    created: list[str] = []
    updated: list[str] = []
    options = {
        "username": root.name,
        "password": root.password,
        "authSource": root_database,
        "serverSelectionTimeoutMS": int(wait_s * 1000),
    }
    # Credentials as arguments need no escaping.
    with translating_errors(f"mongodb://{server}"), _connected(server, options) as client:
        with_roles = not client.admin.command("buildInfo").get("ferretdbVersion")
        for user in users:
            roles = user.roles(database) if with_roles else []
            made = _ensure(client, database, user.login, roles)
            (created if made else updated).append(user.login.name)
    return DatabaseUsers(tuple(created), tuple(updated), with_roles)


def _connected(server: str, options: Mapping[str, Any]) -> "MongoClient[Mapping[str, Any]]":
    return MongoClient(f"mongodb://{server}", appname="parivision-users", **options)


def _ensure(
    client: "MongoClient[Mapping[str, Any]]",
    database: str,
    login: Login,
    roles: list[dict[str, str]],
) -> bool:
    """Make a user or update it; returns whether it was made."""
    values = {"pwd": login.password, "roles": roles}
    try:
        client[database].command({"createUser": login.name, **values})
    except OperationFailure as error:
        if error.code != _ALREADY_EXISTS:
            raise
        client[database].command({"updateUser": login.name, **values})
        return False
    return True
