"""The MongoDB store's own promises: who may use it, what it says, what a killed writer leaves."""

import json
import traceback
from collections.abc import Iterator

import polars as pl
import pymongo
import pytest
from mongo_server import Server
from pymongo.errors import OperationFailure

from parivision import schema
from parivision.errors import StoreError
from parivision.lake import Appended, Counts, mongo, open_lake
from parivision.lake.mongo import MongoLake
from parivision.refine import refine
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2023,), games_a_season=1)).select(schema.NAMES)
RECORDS = feed22.records_from_shots(SHOTS)[:60]
WRONG = "wrong-word"


def append(lake: MongoLake, records: pl.DataFrame) -> Appended:
    """Append feed records to bronze."""
    return lake.append_bronze(records, feed22.FORMAT.keys(records), source="test", layout="feed22")


@pytest.fixture
def url(mongo_server: Server, request: pytest.FixtureRequest) -> str:
    """The URL of a database of this test's own."""
    return mongo_server.url(f"mongo_{abs(hash(request.node.name)) % 10**8}")


@pytest.fixture
def lake(url: str) -> Iterator[MongoLake]:
    """An empty lake."""
    opened = MongoLake.connect(url)
    yield opened
    opened.close()


@pytest.fixture
def database(url: str, lake: MongoLake) -> Iterator["pymongo.database.Database[mongo.Document]"]:
    """The lake's database, as another program sees it."""
    with pymongo.MongoClient[mongo.Document](url) as client:
        yield client.get_default_database()


def test_a_wrong_password_is_told_without_it(mongo_server: Server) -> None:
    """The message names the server and the way out, neither user nor password."""
    with pytest.raises(StoreError, match="refused the user or password") as caught:
        open_lake(mongo_server.url("x", password=WRONG))
    assert WRONG not in "".join(traceback.format_exception(caught.value))


def test_a_missing_password_is_told(mongo_server: Server) -> None:
    """Without credentials nothing can be read."""
    lake = open_lake(f"mongodb://{mongo_server.host}/x")
    with pytest.raises(StoreError, match="refused the user or password"):
        lake.counts()
    lake.close()


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://user:s3cr:et@/?x@localhost/x",
        "mongodb://user:s3cret@localhost:nine/x",
        "mongodb://user:s3cret@[::1/x",
        "mongodb://user:s3cret@localhost/a$b",
        "mongodb://",
    ],
)
def test_a_malformed_url_is_told_without_its_secrets(url: str) -> None:
    """Not even the error's causes say the password."""
    with pytest.raises(StoreError) as caught:
        open_lake(url)
    said = "".join(traceback.format_exception(caught.value, chain=True)).replace(__file__, "")
    assert "s3cr" not in str(caught.value)
    assert "During handling" not in said


def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which, and to check that it runs."""
    monkeypatch.setattr(mongo, "SERVER_WAIT_MS", 50)
    with pytest.raises(StoreError, match=r"mongodb://127.0.0.1:1/x could not be used") as caught:
        open_lake("mongodb://user:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)


def test_what_is_shown_of_a_url_has_no_credentials(lake: MongoLake, mongo_server: Server) -> None:
    """The lake's own URL may be printed and logged."""
    assert lake.url.startswith(f"mongodb://{mongo_server.host}/mongo_")
    assert mongo_server.password not in lake.url


def test_the_key_is_the_id(
    lake: MongoLake, database: "pymongo.database.Database[mongo.Document]"
) -> None:
    """Other programs find a record and a shot by game and event, with the day as a date."""
    append(lake, RECORDS)
    refine(lake)
    shot = SHOTS.row(0, named=True)
    identifier = f"{shot['game_id']}:{shot['event_id']}"
    record = database.bronze.find_one({"_id": identifier})
    assert record is not None
    assert json.loads(record["record"]) == RECORDS.row(0, named=True)
    stored = database.silver.find_one({"_id": identifier})
    assert stored is not None
    assert stored["game_date"].date() == shot["game_date"]
    assert {name: stored[name] for name in shot if name != "game_date"} == {
        name: value for name, value in shot.items() if name != "game_date"
    }


def test_a_batch_left_open_is_refined_and_finished_later(
    lake: MongoLake, database: "pymongo.database.Database[mongo.Document]"
) -> None:
    """What a killed writer wrote is refined; the run that repeats it closes the batch."""
    append(lake, RECORDS)
    database.batches.update_many({}, {"$set": {"state": "open"}})
    lost = [document["_id"] for document in database.bronze.find().limit(20)]
    database.bronze.delete_many({"_id": {"$in": lost}})
    assert refine(lake).silver == 40
    assert refine(lake).duplicates == 40
    assert append(lake, RECORDS) == Appended(20, 40, 0)
    assert refine(lake).silver == 20
    assert lake.counts() == Counts(60, 0, 60, 0)


def test_long_batches_are_read_in_parts(lake: MongoLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the last part of a batch marks it as refined."""
    monkeypatch.setattr(mongo, "READ_ROWS", 25)
    append(lake, RECORDS)
    pending = lake.pending()
    converted = feed22.FORMAT.to_shots(next(pending).records)
    assert converted.shots.height == 25
    pending.close()
    assert lake.counts().pending == 60
    assert refine(lake).silver == 60
    assert lake.counts().pending == 0


def test_other_refusals_of_the_server_are_told() -> None:
    """A command that the server refuses is a StoreError that quotes it."""
    refused = pytest.raises(StoreError, match="mongodb://h refused a command: no such thing")
    with refused, mongo.asking("mongodb://h"):
        raise OperationFailure("no such thing", code=59)
