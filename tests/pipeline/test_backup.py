"""A backup brings a database to an empty server as it was, and says when it was cut off."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.database import Database
from typer.testing import CliRunner

from parivision.cli.app import app
from parivision.errors import SettingsError, StoreError
from parivision.lake import Lake, LayerCounts, backup, open_lake
from parivision.lake.refine import refine
from parivision.shots import schema
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate
from pipeline.mongo_server import Server

_databases = count()
URLS = ("PARIVISION_LAKE", "PARIVISION_PREDICTION_LOG")
# More than a batch, and of every kind that the lake and the log keep.
SHOTS = [{"_id": f"1:{n}", "x": n / 3, "at": datetime(2024, 1, 1, tzinfo=UTC)} for n in range(2345)]
CURSORS = [{"_id": "a source", "cursor": None, "nested": {"lines": "{}\n", "games": [1, 2]}}]


@pytest.fixture
def databases(
    mongo_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Database[dict[str, Any]]]]:
    """Two with something in them, which the settings name, and two without."""
    names = [f"backup_{next(_databases)}" for _ in range(4)]
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        mongo_server.url("admin"), tz_aware=True
    )
    with client:
        client[names[0]].silver.insert_many(SHOTS)
        client[names[0]].cursors.insert_many(CURSORS)
        client[names[1]].predictions.insert_many(CURSORS)
        choose(mongo_server, monkeypatch, names[:2])
        yield [client[name] for name in names]


def choose(server: Server, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """Name databases as the lake and the log."""
    for variable, name in zip(URLS, names, strict=True):
        monkeypatch.setenv(variable, server.url(name))


def test_what_was_backed_up_comes_back(
    databases: list[Database[dict[str, Any]]],
    mongo_server: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path,
) -> None:
    """Every document as it was; again changes nothing, and what was there stays."""
    monkeypatch.setenv("PARIVISION_HOME", str(tmp_path))
    file = str(tmp_path / "backup.tar")
    ran = CliRunner().invoke(app, ["backup", file], catch_exceptions=False)
    assert "2,345 documents of lake/silver" in ran.stderr
    choose(mongo_server, monkeypatch, [each.name for each in databases[2:]])
    databases[2].silver.insert_one({"_id": "1:0", "x": "kept"})
    for new in ("2,344", "0"):
        ran = CliRunner().invoke(app, ["restore", file], catch_exceptions=False)
        assert f"{new} documents of lake/silver were not there" in ran.stderr
    found = {one["_id"]: one for one in databases[2].silver.find()}
    assert found == {one["_id"]: one for one in SHOTS} | {"1:0": {"_id": "1:0", "x": "kept"}}
    assert list(databases[2].cursors.find()) == CURSORS
    assert list(databases[3].predictions.find()) == CURSORS


def test_a_backup_that_was_cut_off_is_no_success(
    databases: list[Database[dict[str, Any]]], mongo_server: Server
) -> None:
    """Wherever it ends, or if it is something else."""
    stream = io.BytesIO()
    source, target = ({"lake": mongo_server.url(databases[n].name)} for n in (0, 2))
    backup.dump(source, stream, lambda *_: None)
    whole = stream.getvalue()
    members = [whole.index(name) for name in (b"lake/silver/000001", b"counts.json")]
    for end in (0, 100, 2_000, *members, members[-1] + 5):
        with pytest.raises(StoreError, match="cut off"):
            backup.load(target, io.BytesIO(whole[:end]), lambda *_: None)
    with pytest.raises(StoreError, match="no backup"):
        backup.load(target, io.BytesIO(b"something else" * 100), lambda *_: None)
    with pytest.raises(StoreError, match="no URL is set"):
        backup.load({}, io.BytesIO(whole), lambda *_: None)


def test_a_backup_is_the_lake_of_a_moment(mongo_server: Server, tmp_path: Path) -> None:
    """What comes while it is taken is left out, and the next run brings it again."""
    shots = generate(SyntheticConfig(seasons=(2023,), games_a_season=2)).select(schema.NAMES)
    records = feed22.records_from_shots(shots)[:200]
    source, target = (mongo_server.url(f"backup_{next(_databases)}") for _ in range(2))
    lake = open_lake(source)

    def bring(lake: Lake, until: int) -> None:
        """As a run does: from the cursor on."""
        start = int(lake.cursor("test") or "0")
        found = records[start:until]
        lake.append_bronze(found, feed22.FORMAT.keys(found), source="test", layout="feed22")
        lake.commit_cursor("test", str(until))
        refine(lake)

    bring(lake, 80)
    stream = io.BytesIO()
    later = iter([120, 160])

    def meanwhile(_done: int, _total: int) -> None:
        """Between one collection and the next."""
        if (until := next(later, None)) is not None:
            bring(lake, until)

    backup.dump({"lake": source}, stream, meanwhile)
    stream.seek(0)
    backup.load({"lake": target}, stream, lambda *_: None)
    restored = open_lake(target)
    assert restored.cursor("test") == "80"
    # The cursors were read before the first batch came, the batches before the second.
    assert restored.counts() == LayerCounts(120, 0, 120, 0)
    for each in (lake, restored):
        bring(each, 200)
        assert each.counts() == LayerCounts(200, 0, 200, 0)
        each.export_silver(tmp_path / f"{each is lake}.csv")
        each.close()
    assert (tmp_path / "True.csv").read_bytes() == (tmp_path / "False.csv").read_bytes()


def test_a_folder_is_not_backed_up(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """It is copied, and the command says so."""
    monkeypatch.setenv("PARIVISION_HOME", str(tmp_path))
    for variable in URLS:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(SettingsError, match="a folder is copied"):
        CliRunner().invoke(app, ["backup", "-"], catch_exceptions=False)
    monkeypatch.setenv("PARIVISION_LAKE", "mongodb://localhost/lake")
    with pytest.raises(SettingsError, match="could not be opened"):
        CliRunner().invoke(app, ["restore", str(tmp_path / "none")], catch_exceptions=False)
