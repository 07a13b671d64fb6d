"""Where the stats API's archive comes from: every kind becomes the same records."""

import zipfile
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from archived_league import LEAGUE, everything, league_shots
from parivision.errors import SourceError, StoreError
from parivision.lake.files import FilesLake
from parivision.sources import FORMATS, feed22
from parivision.stats_api.archive import Archive, open_archive
from parivision.stats_api.origins import file_origin, lake_origin, synthetic_origin


@pytest.fixture(scope="module")
def shots() -> pl.DataFrame:
    """About a thousand canonical shots."""
    return league_shots()


@pytest.fixture(scope="module")
def records(shots: pl.DataFrame) -> pl.DataFrame:
    """The same as feed records."""
    return feed22.records_from_shots(shots)


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


def _nothing() -> pl.DataFrame:
    from parivision.lake.base import QUARANTINE_SCHEMA

    return pl.DataFrame(schema=QUARANTINE_SCHEMA)


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
