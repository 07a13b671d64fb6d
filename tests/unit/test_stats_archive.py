"""What the stats API replays and how it keeps its place, without HTTP."""

import json
import threading
import zipfile
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import SourceError, StoreError
from parivision.lake.files import FilesLake
from parivision.sources import FORMATS, feed22
from parivision.sources.synthetic import Drift, SyntheticConfig, generate
from parivision.stats_api.app import Feed, as_json
from parivision.stats_api.archive import GROUP_ROWS, Archive, Position, open_archive
from parivision.stats_api.origins import Origin, file_origin, lake_origin, synthetic_origin

LEAGUE = SyntheticConfig(seasons=(2022, 2023), games_a_season=3)


@pytest.fixture(scope="module")
def shots() -> pl.DataFrame:
    """About a thousand canonical shots."""
    return generate(LEAGUE).drop("p_true")


@pytest.fixture(scope="module")
def records(shots: pl.DataFrame) -> pl.DataFrame:
    """The same as feed records."""
    return feed22.records_from_shots(shots)


@pytest.fixture(scope="module")
def long_archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of more than two row groups."""
    origin = synthetic_origin(SyntheticConfig(seasons=(2023,), games_a_season=70))
    return open_archive(origin, tmp_path_factory.mktemp("long"))


def everything(archive: Archive) -> pl.DataFrame:
    """All records of an archive."""
    return archive.records(0, archive.size)


class TestOrigins:
    """Every kind of archive becomes the same records."""

    def test_synthetic(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """The default kind; its size is known beforehand, and progress is told."""
        seen: list[tuple[int, int]] = []
        origin = synthetic_origin(LEAGUE)
        archive = open_archive(origin, tmp_path, lambda *step: seen.append(step))
        assert_frame_equal(everything(archive), records)
        assert seen[-1] == (records.height, origin.rows) == (archive.size, archive.size)

    def test_feed_csv(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """A CSV file in the 22 columns."""
        records.write_csv(tmp_path / "feed.csv")
        archive = open_archive(file_origin(tmp_path / "feed.csv"), tmp_path)
        assert_frame_equal(everything(archive), records)

    def test_parquet_of_shots(
        self, tmp_path: Path, shots: pl.DataFrame, records: pl.DataFrame
    ) -> None:
        """A Parquet file of canonical shots; further columns do not matter."""
        shots.with_columns(more=1).write_parquet(tmp_path / "shots.parquet")
        archive = open_archive(file_origin(tmp_path / "shots.parquet"), tmp_path)
        assert_frame_equal(everything(archive), records)

    def test_lake(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """The silver layer of a lake, in the order of play."""
        lake = FilesLake(tmp_path / "lake")
        layout = FORMATS["feed22"]
        lake.append_bronze(records, layout.keys(records), source="test", layout="feed22")
        for pending in lake.pending():
            lake.write_refined(pending, layout.to_shots(pending.records).shots, _nothing())
        archive = open_archive(lake_origin(lake), tmp_path)
        assert_frame_equal(everything(archive), records)

    def test_an_empty_lake_is_refused(self, tmp_path: Path) -> None:
        """There is nothing to replay."""
        with pytest.raises(SourceError, match="holds no shots"):
            open_archive(lake_origin(FilesLake(tmp_path / "lake")), tmp_path)

    def test_season_zips(self, tmp_path: Path, shots: pl.DataFrame, records: pl.DataFrame) -> None:
        """A folder of season zips; event numbers are made from the content."""
        one = shots.filter(pl.col("season") == 2023)
        with zipfile.ZipFile(tmp_path / "2023.zip", "w") as packed:
            packed.writestr("2023.csv", _season_file(one).write_csv())
        archive = open_archive(file_origin(tmp_path), tmp_path)
        other = ["Game Event ID", "Season Type"]
        expected = records.filter(pl.col("Game ID").str.starts_with("222")).drop(other)
        assert_frame_equal(everything(archive).drop(other), expected, check_row_order=False)

    def test_content_names_the_archive(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """Equal content has one identity, wherever it lies; other content another."""
        for name, table in (("a", records), ("b", records), ("c", records.head(50))):
            (tmp_path / name).mkdir()
            table.write_csv(tmp_path / name / "feed.csv")
        first, second, third = (
            open_archive(file_origin(tmp_path / name / "feed.csv"), tmp_path).identity
            for name in "abc"
        )
        assert first == second != third

    def test_a_changed_file_is_converted_again(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """An archive is kept until its file changes."""
        path = tmp_path / "feed.csv"
        records.write_csv(path)
        assert open_archive(file_origin(path), tmp_path).size == records.height
        records.head(7).write_csv(path)
        assert open_archive(file_origin(path), tmp_path).size == 7

    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            (None, b"", "no archive"),
            ("notes.txt", b"hello", "holds no archive"),
            ("shots.parquet", b"PAR1 not really", "no whole Parquet file"),
            ("empty.csv", ",".join(feed22.COLUMNS).encode() + b"\n", "holds no"),
            ("other.csv", b"a,b\n1,2\n", "lacks the columns"),
        ],
    )
    def test_what_is_no_archive_is_refused(
        self, tmp_path: Path, name: str | None, content: bytes, said: str
    ) -> None:
        """The message says what was expected, and nothing is left behind."""
        path = tmp_path / (name or "missing.csv")
        if name:
            path.write_bytes(content)
        with pytest.raises(SourceError, match=said):
            open_archive(file_origin(path), tmp_path / "state")
        assert not list((tmp_path / "state").glob("*archive-*"))

    def test_a_table_without_the_columns_is_refused(self, tmp_path: Path) -> None:
        """A Parquet file of something else names what it lacks."""
        pl.DataFrame({"x_ft": [1.0]}).write_parquet(tmp_path / "t.parquet")
        with pytest.raises(SourceError, match=r"lacks the columns \['game_id'"):
            open_archive(file_origin(tmp_path / "t.parquet"), tmp_path)

    def test_a_damaged_archive_is_an_error(self, tmp_path: Path) -> None:
        """The message says what to delete."""
        (tmp_path / "archive.parquet").write_bytes(b"PAR1")
        with pytest.raises(StoreError, match="delete it"):
            Archive(tmp_path / "archive.parquet")

    def test_a_foreign_table_is_no_archive(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """A Parquet file that the API did not write is not taken for its archive."""
        records.write_parquet(tmp_path / "archive.parquet")
        with pytest.raises(StoreError, match="delete it"):
            Archive(tmp_path / "archive.parquet")


class TestArchive:
    """Slices of an archive."""

    def test_slices_across_groups(self, long_archive: Archive) -> None:
        """A page over a group's border is the same as a cut of the whole."""
        whole = everything(long_archive)
        assert long_archive.size > 2 * GROUP_ROWS
        for start, count in ((GROUP_ROWS - 3, 7), (0, 1), (GROUP_ROWS, GROUP_ROWS + 1)):
            assert_frame_equal(long_archive.records(start, count), whole.slice(start, count))
        assert long_archive.records(long_archive.size, 5).is_empty()
        assert long_archive.records(long_archive.size - 2, 5).height == 2

    def test_memory_stays_bounded(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """Only so many groups are held, whatever is read."""
        many = pl.concat([records] * 90)
        archive = open_archive(Origin("test", "many", lambda: iter([many])), tmp_path)
        for start in range(0, archive.size, 1000):
            archive.records(start, 1000)
        assert archive.size > 17 * GROUP_ROWS
        assert len(archive._groups) == 16

    def test_any_batches_give_the_same_archive(self, tmp_path: Path, records: pl.DataFrame) -> None:
        """How an origin cuts its records changes nothing."""
        many = pl.concat([records] * 12)
        identities = set()
        for size in (700, GROUP_ROWS, 10**6):
            parts = [many.slice(start, size) for start in range(0, many.height, size)]
            archive = open_archive(Origin("test", f"by{size}", partial(iter, parts)), tmp_path)
            assert_frame_equal(everything(archive), many)
            identities.add(archive.identity)
        assert len(identities) == 1


class TestPosition:
    """The one place of those who share /getdata."""

    def test_lasts(self, tmp_path: Path) -> None:
        """A new object at the same file goes on where the old one was."""
        assert Position(tmp_path / "p.json", "a").take(5, 100) == 0
        assert Position(tmp_path / "p.json", "a").take(5, 100) == 5
        assert Position(tmp_path / "p.json", "a").value() == 10

    def test_stops_at_the_end(self, tmp_path: Path) -> None:
        """Nothing is counted beyond the archive's size."""
        position = Position(tmp_path / "p.json", "a")
        assert [position.take(60, 100) for _ in range(3)] == [0, 60, 100]
        assert position.value() == 100

    @settings(max_examples=12, deadline=None)
    @given(counts=st.lists(st.integers(1, 50), max_size=8), size=st.integers(0, 120))
    def test_any_takes_tile_the_archive(
        self, tmp_path_factory: pytest.TempPathFactory, counts: list[int], size: int
    ) -> None:
        """Whatever is asked for, pieces follow each other without gap or overlap."""
        position = Position(tmp_path_factory.mktemp("p") / "p.json", "a")
        expected = 0
        for count in counts:
            assert position.take(count, size) == expected
            expected = min(expected + count, size)

    def test_threads_and_objects_share_it(self, tmp_path: Path) -> None:
        """Eight threads on two objects, as two processes would, never get the same place."""
        places = [Position(tmp_path / "p.json", "a") for _ in range(2)]
        starts: list[int] = []

        def take(number: int) -> None:
            starts.extend(places[number % 2].take(3, 10_000) for _ in range(5))

        threads = [threading.Thread(target=take, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(starts) == list(range(0, 120, 3))

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"archive": "a", "position": "x"}'])
    def test_a_damaged_file_is_an_error(self, tmp_path: Path, content: str) -> None:
        """Nothing is guessed; the message says what to do."""
        (tmp_path / "p.json").write_text(content)
        with pytest.raises(StoreError, match="delete it to start from record 0"):
            Position(tmp_path / "p.json", "a")

    def test_another_archives_file_is_an_error(self, tmp_path: Path) -> None:
        """A position is not carried over to another archive."""
        Position(tmp_path / "p.json", "a").take(5, 10)
        with pytest.raises(StoreError, match="belongs to the archive a, not b"):
            Position(tmp_path / "p.json", "b")


class TestFeed:
    """Taking and paging."""

    @settings(max_examples=12, deadline=None)
    @given(limits=st.lists(st.integers(1, 4000), min_size=1, max_size=4))
    def test_pages_tile_the_archive(
        self, long_archive: Archive, tmp_path_factory: pytest.TempPathFactory, limits: list[int]
    ) -> None:
        """Pages of any sizes, one behind the other, are the archive's beginning."""
        feed = Feed(long_archive, Position(tmp_path_factory.mktemp("p") / "p", "x"))
        cursor, parts, more = None, [], True
        for limit in limits:
            page, cursor, more = feed.page(cursor, limit)
            parts.append(page)
        read = pl.concat(parts)
        assert_frame_equal(read, everything(long_archive).head(sum(limits)))
        assert more == (read.height < long_archive.size)

    @given(cursor=st.text(max_size=40))
    def test_any_text_is_a_cursor_or_an_error(self, long_archive: Archive, cursor: str) -> None:
        """What is no cursor is a ValueError that shows one."""
        feed = Feed(long_archive, _nowhere())
        with pytest.raises(ValueError, match="expected the 'next' of an earlier answer"):
            feed.page(cursor, 1)

    def test_cursors_of_elsewhere_are_told_apart(self, long_archive: Archive) -> None:
        """Another archive's is a LookupError, one beyond the end a ValueError."""
        feed = Feed(long_archive, _nowhere())
        with pytest.raises(LookupError, match="belongs to the archive 0123456789abcdef"):
            feed.page("0123456789abcdef-5", 1)
        with pytest.raises(ValueError, match="expected at most"):
            feed.page(f"{long_archive.identity}-{long_archive.size + 1}", 1)
        page, cursor, more = feed.page(f"{long_archive.identity}-{long_archive.size}", 1)
        assert page.is_empty()
        assert (cursor, more) == (f"{long_archive.identity}-{long_archive.size}", False)

    def test_a_drift_can_set_in_midway(self, tmp_path: Path) -> None:
        """The drifted league follows the quiet one at the same place; another league cannot."""
        drifted = SyntheticConfig(seasons=(2023,), games_a_season=5, drift=Drift(2023))
        quiet = open_archive(synthetic_origin(drifted.without_drift()), tmp_path)
        changed = open_archive(synthetic_origin(drifted), tmp_path)
        assert quiet.identity == changed.identity
        assert not everything(quiet).equals(everything(changed))
        feed = Feed(quiet, Position(tmp_path / "p.json", quiet.identity))
        feed.take(100)
        _, cursor, _ = feed.page(None, 200)
        feed.switch(changed)
        assert_frame_equal(feed.take(50)[0], everything(changed).slice(100, 50))
        assert_frame_equal(feed.page(cursor, 50)[0], everything(changed).slice(200, 50))
        other = open_archive(synthetic_origin(LEAGUE), tmp_path)
        with pytest.raises(StoreError, match="cannot go on with"):
            feed.switch(other)


class TestJson:
    """How records look in an answer."""

    def test_numbers_are_numbers(self, records: pl.DataFrame) -> None:
        """Columns come in the feed's order; dates and names are text."""
        row = json.loads(as_json(records.head(1)))[0]
        assert tuple(row) == feed22.COLUMNS
        numbers = {name for name, cell in row.items() if isinstance(cell, int)}
        assert set(row) - numbers == {
            "Player Name",
            "Team Name",
            "Action Type",
            "Shot Type",
            "Shot Zone Basic",
            "Shot Zone Area",
            "Shot Zone Range",
            "Game Date",
            "Home Team",
            "Away Team",
            "Season Type",
        }

    @settings(max_examples=50, deadline=None)
    @given(
        cells=st.lists(
            st.one_of(st.none(), st.text(), st.integers().map(str), st.floats().map(str)),
            min_size=22,
            max_size=22,
        )
    )
    def test_dirty_cells_come_through_as_they_are(self, cells: list[str | None]) -> None:
        """Whatever an archive holds is valid JSON, and says the same."""
        table = pl.DataFrame(
            dict(zip(feed22.COLUMNS, [[cell] for cell in cells], strict=True)),
            schema=dict.fromkeys(feed22.COLUMNS, pl.String),
        )
        (row,) = json.loads(as_json(table))
        for name, cell in zip(feed22.COLUMNS, cells, strict=True):
            if isinstance(row[name], int | float):
                assert float(cell or "nan") == pytest.approx(row[name])
            else:
                assert (row[name] or "") == (cell or "")


def _nothing() -> pl.DataFrame:
    from parivision.lake.base import QUARANTINE_SCHEMA

    return pl.DataFrame(schema=QUARANTINE_SCHEMA)


def _nowhere() -> Position:
    """A position that no test writes."""
    return Position(Path("/nonexistent-position.json"), "x")


def _season_file(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots in the layout of the league's season files."""
    return shots.select(
        pl.col("season").alias("SEASON_1"),
        pl.lit("2022-23").alias("SEASON_2"),
        pl.col("team_id").alias("TEAM_ID"),
        pl.col("team_name").alias("TEAM_NAME"),
        pl.col("player_id").alias("PLAYER_ID"),
        pl.col("player_name").alias("PLAYER_NAME"),
        pl.lit("G").alias("POSITION_GROUP"),
        pl.lit("SG").alias("POSITION"),
        pl.col("game_date").dt.strftime("%m-%d-%Y").alias("GAME_DATE"),
        pl.col("game_id").alias("GAME_ID"),
        pl.col("home_team").alias("HOME_TEAM"),
        pl.col("away_team").alias("AWAY_TEAM"),
        pl.when(pl.col("made") == 1)
        .then(pl.lit("Made Shot"))
        .otherwise(pl.lit("Missed Shot"))
        .alias("EVENT_TYPE"),
        pl.when(pl.col("made") == 1)
        .then(pl.lit("TRUE"))
        .otherwise(pl.lit("FALSE"))
        .alias("SHOT_MADE"),
        pl.col("action_type").alias("ACTION_TYPE"),
        pl.format("{}PT Field Goal", "shot_value").alias("SHOT_TYPE"),
        pl.col("zone_basic").alias("BASIC_ZONE"),
        pl.col("zone_area").alias("ZONE_NAME"),
        pl.lit("C").alias("ZONE_ABB"),
        pl.col("zone_range").alias("ZONE_RANGE"),
        pl.col("x_ft").alias("LOC_X"),
        (pl.col("y_ft") + 5.25).round(2).alias("LOC_Y"),
        pl.col("distance_ft").alias("SHOT_DISTANCE"),
        pl.col("period").alias("QUARTER"),
        (pl.col("clock_s") // 60).alias("MINS_LEFT"),
        (pl.col("clock_s") % 60).alias("SECS_LEFT"),
    )
