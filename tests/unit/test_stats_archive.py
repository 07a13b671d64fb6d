"""What the stats API replays and how it keeps its place, without HTTP."""

import json
import threading
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from archived_league import LEAGUE, everything, league_shots
from parivision.errors import StoreError
from parivision.sources import feed22
from parivision.sources.synthetic import Drift, SyntheticConfig
from parivision.stats_api.app import Feed, as_json
from parivision.stats_api.archive import GROUP_ROWS, Archive, Position, open_archive
from parivision.stats_api.origins import Origin, synthetic_origin


@pytest.fixture(scope="module")
def records() -> pl.DataFrame:
    """About a thousand feed records."""
    return feed22.records_from_shots(league_shots())


@pytest.fixture(scope="module")
def long_archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of more than two row groups."""
    origin = synthetic_origin(SyntheticConfig(seasons=(2023,), games_a_season=70))
    return open_archive(origin, tmp_path_factory.mktemp("long"))


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

    @pytest.mark.parametrize(
        ("odd", "written"),
        [
            ("7.5", 7.5),
            ("8.0", 8.0),
            ("9" * 20, int("9" * 20)),
            ("9" * 5000, "9" * 5000),
            ("far", "far"),
            ("1\N{ARABIC-INDIC DIGIT THREE}", "1\N{ARABIC-INDIC DIGIT THREE}"),
        ],
    )
    def test_a_record_is_written_alike_whatever_its_neighbours_are(
        self, odd: str, written: object, records: pl.DataFrame
    ) -> None:
        """One odd cell changes neither the other records of its page nor its own other cells."""
        usual = records.head(2).with_columns(
            pl.concat_str(pl.lit("00"), "Game ID").alias("Game ID"), pl.lit("05").alias("Period")
        )
        distance = pl.Series("Shot Distance", [odd, *usual["Shot Distance"].tail(1)])
        expected = json.loads(as_json(usual))
        assert expected[0]["Period"] == 5
        expected[0]["Shot Distance"] = written
        assert json.loads(as_json(usual.with_columns(distance))) == expected


def _nowhere() -> Position:
    """A position that no test writes."""
    return Position(Path("/nonexistent-position.json"), "x")
