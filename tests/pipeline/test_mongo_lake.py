"""The MongoDB store's own promises: who may use it, what it says, what a killed writer leaves."""

import io
import re
import traceback
from collections.abc import Iterator
from datetime import datetime, time
from typing import Any

import polars as pl
import pymongo
import pytest
from polars.testing import assert_frame_equal
from pymongo.errors import OperationFailure

from docs_pages import ROOT
from parivision.errors import StoreError
from parivision.lake import Appended, LayerCounts, documents, mongo_bronze, mongo_client, open_lake
from parivision.lake.base import QUARANTINE_SCHEMA
from parivision.lake.mongo import MongoLake
from parivision.lake.refine import refine
from parivision.shots import schema
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate
from pipeline.mongo_server import Server

SHOTS = generate(SyntheticConfig(seasons=(2023,), games_a_season=1)).select(schema.NAMES)
RECORDS = feed22.records_from_shots(SHOTS)[:60]
WRONG = "wrong-word"
Database = pymongo.database.Database[documents.Document]


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
def database(url: str, lake: MongoLake) -> Iterator[Database]:
    """The lake's database, as another program sees it."""
    with pymongo.MongoClient[documents.Document](url) as client:
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
    monkeypatch.setattr(mongo_client, "SERVER_WAIT_MS", 50)
    with pytest.raises(StoreError, match=r"mongodb://127.0.0.1:1/x could not be used") as caught:
        open_lake("mongodb://user:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in str(caught.value)


def test_what_is_shown_of_a_url_has_no_credentials(lake: MongoLake, mongo_server: Server) -> None:
    """The lake's own URL may be printed and logged."""
    assert lake.url.startswith(f"mongodb://{mongo_server.host}/mongo_")
    assert mongo_server.password not in lake.url


def test_other_programs_find_games_and_records(lake: MongoLake, database: Database) -> None:
    """A game's shots by number or day, as columns; a record by its key, in a file of Parquet."""
    append(lake, RECORDS)
    refine(lake)
    day = SHOTS["game_date"][0]
    game = database.silver.find_one({"game_date": datetime.combine(day, time())})
    assert game is not None
    assert game == database.silver.find_one({"game_id": SHOTS["game_id"][0]})
    assert game["home_team"] == SHOTS["home_team"][0]
    for name in ("event_id", "player_name", "x_ft", "made"):
        assert sorted(game[name]) == sorted(SHOTS[:60][name])
    key = database.keys.find_one({"_id": f"{SHOTS['game_id'][0]}:{SHOTS['event_id'][0]}"})
    assert key is not None
    batch = database.bronze.find_one({"_id": key["batch"]})
    assert batch is not None
    table = pl.read_parquet(io.BytesIO(batch["records"]))
    assert_frame_equal(table.select(RECORDS.columns), RECORDS)
    assert table["key:digest"][0] == key["digest"]


def test_the_lake_is_read_as_the_docs_say(lake: MongoLake, url: str) -> None:
    """Shots of a day, by whoever knows Python and no PariVision."""
    append(lake, RECORDS)
    refine(lake)
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/data.md").read_text(), re.DOTALL)
    day = SHOTS["game_date"][0]
    code = re.sub(r"datetime\(.*?\)", f"datetime({day.year}, {day.month}, {day.day})", block)
    names: dict[str, Any] = {
        "MongoClient": pymongo.MongoClient,
        "datetime": datetime,
        "polars": pl,
        "url": url,
    }
    exec(code, names)  # noqa: S102 - the page's own words
    expected = lake.silver(["player_name", "x_ft", "y_ft", "made"])
    assert_frame_equal(names["shots"], expected, check_row_order=False, check_dtypes=False)


def test_rows_that_do_not_agree_on_their_game_stay_as_they_are(lake: MongoLake) -> None:
    """A game's document holds what all its rows say; other rows have one of their own."""
    other = RECORDS[10:12].with_columns(pl.lit("Playoffs").alias("Season Type"))
    records = pl.concat([RECORDS[:10], other, RECORDS[12:15]])
    append(lake, records)
    assert refine(lake).silver == 15
    shots = feed22.FORMAT.to_shots(records).shots
    assert shots["season_type"].n_unique() == 2
    assert_frame_equal(lake.silver().sort("event_id"), shots.sort("event_id"))


def leave_open(database: Database, lost: int = 0) -> None:
    """Make of the lake what a writer left that was killed while it wrote keys."""
    database.batches.update_many({}, {"$set": {"state": "open"}})
    keys = [document["_id"] for document in database.keys.find().limit(lost)]
    database.keys.delete_many({"_id": {"$in": keys}})


@pytest.mark.parametrize("lost", [20, 60])
def test_a_batch_left_open_is_closed_by_who_meets_it(
    lake: MongoLake, database: Database, lost: int
) -> None:
    """By the next refine, or by the run that repeats it; nothing is lost or there twice."""
    append(lake, RECORDS)
    leave_open(database, lost)
    assert lake.counts() == LayerCounts(60, 60, 0, 0)
    assert refine(lake).silver == 60
    assert append(lake, RECORDS) == Appended(0, 60, 0)
    leave_open(database, lost)
    assert append(lake, RECORDS) == Appended(0, 60, 0)
    assert refine(lake).duplicates == 60
    assert database.keys.count_documents({}) == 60
    assert lake.counts() == LayerCounts(60, 0, 60, 0)


@pytest.mark.parametrize("at_once", [1_000, 5])
def test_what_others_brought_first_leaves_an_open_batch(
    lake: MongoLake, database: Database, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """However many they are, and though the killed writer came first."""
    monkeypatch.setattr(mongo_bronze, "IDS_AT_ONCE", at_once)
    append(lake, RECORDS[:40])
    leave_open(database, 40)
    rival = RECORDS[30:31].with_columns(pl.lit("Another").alias("Player Name"))
    assert append(lake, pl.concat([rival, RECORDS[31:]])) == Appended(30, 0, 0)
    assert refine(lake).silver == 60
    assert lake.counts() == LayerCounts(60, 0, 60, 1)
    kept = lake.silver().filter(pl.col("event_id") == SHOTS["event_id"][30])
    assert kept["player_name"].to_list() == ["Another"]


def test_a_batch_of_which_nothing_is_new_is_done(lake: MongoLake, database: Database) -> None:
    """Also when its writer was killed."""
    append(lake, RECORDS[:40])
    refine(lake)
    assert append(lake, RECORDS[10:20]) == Appended(0, 10, 0)
    database.batches.update_many({"rows": 0}, {"$set": {"state": "open", "rows": 10}})
    assert list(lake.pending()) == []
    assert lake.counts() == LayerCounts(40, 0, 40, 0)


def test_many_records_are_kept_in_parts(
    lake: MongoLake, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of them larger than a document may be; each is refined by itself."""
    monkeypatch.setattr(documents, "BATCH_BYTES", 4_000)
    assert append(lake, pl.concat([RECORDS, RECORDS[:2]])) == Appended(60, 2, 0)
    parts = [pl.read_parquet(io.BytesIO(one["records"])) for one in database.bronze.find()]
    assert len(parts) > 2
    sizes = [len("".join(cell or "" for row in part.rows() for cell in row[:22])) for part in parts]
    assert max(sizes) < 4_000 + 500
    first = next(lake.pending())
    converted = feed22.FORMAT.to_shots(first.records)
    lake.write_refined(first, converted.shots, pl.DataFrame(schema=QUARANTINE_SCHEMA))
    assert lake.counts().pending == 60 - first.records.height
    assert refine(lake).silver == 60 - first.records.height
    assert lake.counts() == LayerCounts(60, 0, 60, 0)


def test_a_lake_that_lost_records_says_what_to_do(lake: MongoLake, database: Database) -> None:
    """A batch without its records is no crash."""
    append(lake, RECORDS)
    database.bronze.delete_many({})
    with pytest.raises(StoreError, match=r"lost the records of its batch .* restore"):
        refine(lake)


def test_other_refusals_of_the_server_are_told() -> None:
    """A command that the server refuses is a StoreError that quotes it."""
    refused = pytest.raises(StoreError, match="mongodb://h refused a command: no such thing")
    with refused, mongo_client.translating_errors("mongodb://h"):
        raise OperationFailure("no such thing", code=59)
