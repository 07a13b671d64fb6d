"""The embedded lake's own promises: commits, locks, merges, and damage that is told."""

import fcntl
import json
import os
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.errors import StoreError
from parivision.lake import LayerCounts, open_lake, transaction
from parivision.lake.base import KEYS, in_order_taken
from parivision.lake.deduplication import deduplicate
from parivision.lake.files import LOCK_NAME, FilesLake
from parivision.lake.manifest import FILE_NAME
from parivision.lake.refine import refine
from parivision.shots import schema
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2022, 2023), games_a_season=1)).select(schema.NAMES)
RECORDS = feed22.records_from_shots(SHOTS)


def append(lake: FilesLake, records: pl.DataFrame) -> None:
    """Append feed records to bronze."""
    lake.append_bronze(records, feed22.FORMAT.keys(records), source="test", layout="feed22")


@pytest.fixture
def lake(tmp_path: Path) -> FilesLake:
    """An empty lake."""
    return FilesLake(tmp_path / "lake", wait_s=0.1)


def files(lake: FilesLake, layer: str = "*") -> set[Path]:
    """The data files that are there."""
    return set(Path(lake.url).glob(f"data/{layer}/*/*.parquet"))


def test_many_small_batches_make_few_files(lake: FilesLake) -> None:
    """Files are merged as they gather, and rows keep the order in which they came."""
    for start in range(32):
        append(lake, RECORDS[start : start + 1])
    named = {segment.path for segment in transaction.Transaction(Path(lake.url)).manifest.segments}
    assert len(named) == 1
    refine(lake)
    assert lake.counts() == LayerCounts(32, 0, 32, 0)


def test_a_small_batch_leaves_large_files_alone(lake: FilesLake) -> None:
    """Neither the other partitions' nor a larger file of its own is written again."""
    append(lake, RECORDS[:-3])
    before = files(lake)
    append(lake, RECORDS[-3:])
    assert before < files(lake)
    assert len(files(lake) - before) == 1


def test_merging_stops_at_the_limit(lake: FilesLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file grows beyond what a step may hold in memory."""
    monkeypatch.setattr(transaction, "MAX_MERGED_ROWS", 20)
    for start in range(0, 60, 10):
        append(lake, RECORDS[start : start + 10])
    manifest = transaction.Transaction(Path(lake.url)).manifest
    assert [segment.rows for segment in manifest.segments] == [20, 20, 20]
    assert refine(lake).silver == 60


def test_replaced_files_go_when_no_reader_can_need_them(lake: FilesLake) -> None:
    """They stay for a while, for readers of the old manifest, and so do a killed writer's."""
    append(lake, RECORDS[:1])
    (old,) = files(lake)
    append(lake, RECORDS[1:2])
    left = old.with_name("left-behind.parquet")
    left.write_bytes(b"half a file")
    temporary = Path(lake.url) / f".{FILE_NAME}.0123"
    temporary.touch()
    append(lake, RECORDS[2:3])
    assert {old, left} < files(lake)
    long_ago = time.time() - transaction.READERS_GRACE_S - 1
    for path in (old, left, temporary):
        os.utime(path, (long_ago, long_ago))
    append(lake, RECORDS[3:4])
    assert not files(lake) & {old, left}
    assert not temporary.exists()
    assert lake.counts().bronze == 4


def test_numbers_beyond_the_leagues_share_a_partition(lake: FilesLake) -> None:
    """Garbage game numbers cannot make a file each."""
    games = pl.int_range(1, pl.len() + 1) * 10**15
    append(lake, RECORDS.with_columns(games.cast(pl.String).alias("Game ID")))
    assert len(files(lake)) == 1
    assert refine(lake).records == RECORDS.height


def test_a_writer_waits_for_another_and_then_says_so(lake: FilesLake) -> None:
    """The message names the process that holds the lock; readers are not held up."""
    append(lake, RECORDS[:5])
    with (Path(lake.url) / LOCK_NAME).open() as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match=f"another process \\(number {os.getpid()}\\)"):
            append(lake, RECORDS[5:9])
        assert lake.counts().bronze == 5
    append(lake, RECORDS[5:9])
    assert lake.counts().bronze == 9


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is damaged"),
        (b"{", "is damaged"),
        (b"[]", "is damaged"),
        (b'{"version": 1}', "is damaged"),
        (b'{"version": 1, "commit": "x"}', "is damaged"),
        (
            b'{"version":1,"commit":1,"segments":[],"cursors":{},"refined":{},"ingested_at":"x"}',
            "is damaged",
        ),
        (b'{"version": 99}', "has version 99, this program writes 1"),
        (b"\xff", "is damaged"),
    ],
)
def test_a_damaged_manifest_is_told(lake: FilesLake, content: bytes, says: str) -> None:
    """Neither a reader nor a writer takes the lake for an empty one."""
    append(lake, RECORDS[:5])
    (Path(lake.url) / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreError, match=says):
        lake.counts()
    with pytest.raises(StoreError, match=says):
        append(lake, RECORDS[:5])


def test_a_manifest_of_before_the_moment_was_kept_is_read(lake: FilesLake) -> None:
    """Such a lake does not know when it was filled, until it is filled again."""
    lake.commit_cursor("test", "1")
    path = Path(lake.url) / FILE_NAME
    content = json.loads(path.read_text())
    del content["ingested_at"]
    path.write_text(json.dumps(content))
    assert lake.last_ingest() is None
    assert lake.cursor("test") == "1"
    lake.commit_cursor("test", "1")
    assert lake.last_ingest() is not None


def test_lost_and_damaged_data_files_are_told(lake: FilesLake) -> None:
    """The message says what to do."""
    append(lake, RECORDS[:50])
    refine(lake)
    (path,) = files(lake, "silver")
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(StoreError, match="the lake cannot be read"):
        lake.silver()
    path.unlink()
    with pytest.raises(StoreError, match="a file of the lake is gone"):
        lake.silver()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A file in the lake's place, and a path that cannot be exported to, are errors."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot be read or written"):
        append(FilesLake(tmp_path / "file"), RECORDS[:1])
    with pytest.raises(StoreError, match="cannot be written"):
        FilesLake(tmp_path / "lake").export_silver(tmp_path / "file" / "shots.csv")


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_lake_is_opened_by_path_or_url(tmp_path: Path, form: str) -> None:
    """Both name the same folder; blanks in a URL are written as %20."""
    folder = tmp_path / "my lake"
    address = str(folder) if form == "{}" else str(folder).replace(" ", "%20")
    opened = open_lake(form.format(address))
    opened.commit_cursor("a", "1")
    assert opened.url == str(folder)
    assert FilesLake(folder).cursor("a") == "1"
    opened.close()


@pytest.mark.parametrize("url", ["redis://x/1", "file://host/x", "http://x", "://", "file://"])
def test_another_kind_of_lake_is_refused(url: str) -> None:
    """The message says which kinds there are."""
    with pytest.raises(StoreError, match="give a folder, file:///folder or mongodb://"):
        open_lake(url)


NUMBERS = st.one_of(st.none(), st.integers(1, 3))
KEY_ROWS = st.lists(st.tuples(NUMBERS, NUMBERS, st.integers(0, 3)), max_size=12)


@settings(deadline=None, max_examples=50)
@given(KEY_ROWS, KEY_ROWS)
def test_deduplication_agrees_with_its_definition(
    incoming: list[tuple[int | None, int | None, int]],
    earlier: list[tuple[int | None, int | None, int]],
) -> None:
    """New: the first of its key. Duplicate: same content as the first. Conflict: other content."""
    first: dict[object, int] = {}
    known = []
    for game, event, digest in earlier:
        identity = (game, event) if game and event else digest
        if identity not in first:
            first[identity] = digest
            known.append((game, event, digest))
    new, conflicts = [], []
    for row, (game, event, digest) in enumerate(incoming):
        identity = (game, event) if game and event else digest
        if identity not in first:
            first[identity] = digest
            new.append(row)
        elif first[identity] != digest:
            conflicts.append(row)
    unique = deduplicate(_keys(incoming), _keys(known))
    assert unique.new.to_list() == new
    assert unique.conflicts.to_list() == conflicts
    assert unique.duplicates == len(incoming) - len(new) - len(conflicts)


def _keys(rows: list[tuple[int | None, int | None, int]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(KEYS, pl.Int64), orient="row")


def test_shots_are_in_the_order_taken() -> None:
    """The clock runs down within a period; simultaneous events keep their numbers' order."""
    shots = in_order_taken(SHOTS.sample(fraction=1, shuffle=True, seed=1), schema.NAMES)
    clocks = shots.filter(pl.col("game_id") == shots["game_id"][0], pl.col("period") == 1)[
        "clock_s"
    ]
    assert clocks.is_sorted(descending=True)
    assert shots["game_date"].is_sorted()
