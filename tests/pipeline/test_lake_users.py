"""The users of a lake on a real server: made once, let in, and held to their roles."""

from itertools import count

import pymongo
import pytest
from pymongo.errors import OperationFailure

from parivision.errors import StoreError
from parivision.lake import open_lake
from parivision.lake.users import DatabaseUsers, LakeUser, ensure_users
from parivision.settings.logins import Login
from pipeline.mongo_server import Server

WORD = "p:@/%word"
_databases = count()


@pytest.fixture
def database() -> str:
    """The name of a database of this test's own."""
    return f"users_{next(_databases)}"


def ensure(server: Server, database: str, word: str = WORD) -> DatabaseUsers:
    """Make the users, as the server's root."""
    root = Login(server.user, server.password)
    place = server.options.partition("authSource=")[2]
    return ensure_users(server.host, root, users(word), database=database, root_database=place)


def users(word: str = WORD) -> list[LakeUser]:
    """One who fills the lake and one who watches it."""
    return [
        LakeUser(Login("lake", word), "readWrite"),
        LakeUser(Login("lake-reader", word), "read"),
    ]


def client(server: Server, database: str, name: str, word: str = WORD):
    """The server as one of the users sees it."""
    return pymongo.MongoClient(
        f"mongodb://{server.host}", username=name, password=word, authSource=database
    )


def test_users_are_made_once(mongo_server: Server, database: str) -> None:
    """The second time they are only updated, and their URL opens the lake without more."""
    made = ensure(mongo_server, database)
    assert (made.created, made.updated) == (("lake", "lake-reader"), ())
    again = ensure(mongo_server, database)
    assert again == DatabaseUsers((), ("lake", "lake-reader"), made.with_roles)
    lake = open_lake(f"mongodb://lake:p%3A%40%2F%25word@{mongo_server.host}/{database}")
    assert lake.counts().bronze == 0
    lake.close()


def test_a_user_gets_the_password_of_the_secret(mongo_server: Server, database: str) -> None:
    """After the Secret was changed only the new password lets in."""
    ensure(mongo_server, database, "old-word")
    ensure(mongo_server, database, "new-word")
    with client(mongo_server, database, "lake", "new-word") as opened:
        assert opened[database].cursors.find_one() is None
    with (
        client(mongo_server, database, "lake", "old-word") as opened,
        pytest.raises(OperationFailure),
    ):
        opened[database].cursors.find_one()


def test_the_reader_may_not_write(mongo_server: Server, database: str) -> None:
    """Where the server knows roles, it holds the users to them."""
    made = ensure(mongo_server, database)
    if not made.with_roles:
        pytest.skip("FerretDB knows no roles")
    with client(mongo_server, database, "lake") as opened:
        opened[database].cursors.insert_one({"_id": 1})
        with pytest.raises(OperationFailure):
            opened.admin.command({"createUser": "x", "pwd": "y", "roles": []})
    with client(mongo_server, database, "lake-reader") as opened:
        assert opened[database].cursors.find_one() == {"_id": 1}
        with pytest.raises(OperationFailure):
            opened[database].cursors.insert_one({"_id": 2})


def test_a_wrong_root_is_told_without_its_password(mongo_server: Server) -> None:
    """The message names the server and what to check."""
    with pytest.raises(StoreError, match="refused the user or password") as caught:
        ensure_users(mongo_server.host, Login(mongo_server.user, "wrong-word"), users())
    assert "wrong-word" not in str(caught.value)


def test_a_server_that_is_not_there_is_told() -> None:
    """After the time that it was given to start."""
    with pytest.raises(StoreError, match=r"mongodb://127\.0\.0\.1:1 could not be used"):
        ensure_users("127.0.0.1:1", Login("root", "x"), users(), wait_s=0.1)
