"""From sources to silver, through both stores."""

import random
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from parivision.errors import SchemaError, SourceError
from parivision.lake import Lake, LayerCounts
from parivision.lake.ingest import IngestReport, ingest
from parivision.lake.refine import RefineReport, refine
from parivision.shots import schema
from parivision.sources import UNCONVERTED, feed22, season_csv
from parivision.sources.base import Batch
from parivision.sources.csv_files import FeedCsv, SeasonZips
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2022, 2023), games_a_season=1)).select(schema.NAMES)
SHOTS = pl.concat([SHOTS.head(60), SHOTS.tail(60)])
RECORDS = feed22.records_from_shots(SHOTS)
ORDER = ("game_date", "game_id", "period", "clock_s", "event_id")
GARBAGE = ("", "?", "-1", "99", "1e9", "NaN", "NA", "0", "1", "20240230", "ñ", "a\nb", "9" * 30)


@dataclass(frozen=True)
class Records:
    """Records in batches of `size`; the cursor is the number of records before it."""

    records: pl.DataFrame
    size: int = 50
    name: str = "records"
    format: str = "feed22"

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches from the cursor on."""
        for start in range(int(after or 0), self.records.height, self.size):
            part = self.records.slice(start, self.size)
            yield Batch(part, str(start + part.height))


def in_order(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots in the order taken."""
    return shots.sort(ORDER, descending=[name == "clock_s" for name in ORDER])


def test_shots_come_through_as_they_were(lake: Lake) -> None:
    """Records in, the shots that they mean out; a second run finds nothing to do."""
    assert ingest(Records(RECORDS), lake) == IngestReport("records", 120, 120, 0, 0)
    assert refine(lake) == RefineReport(120, 120, 0, 0, {})
    assert_frame_equal(lake.silver(), in_order(SHOTS), check_exact=True)
    assert ingest(Records(RECORDS), lake).records == 0
    assert refine(lake) == RefineReport()


def test_a_source_that_grows_is_read_on(lake: Lake) -> None:
    """The cursor says where; what comes again without one is a duplicate."""
    assert ingest(Records(RECORDS[:70]), lake).new == 70
    assert ingest(Records(RECORDS), lake) == IngestReport("records", 50, 50, 0, 0)
    assert ingest(Records(RECORDS, name="other"), lake).duplicates == 120


def test_reading_a_source_without_news_is_ingestion_too(lake: Lake) -> None:
    """A feed in the summer is no feed that nobody reads; one that cannot be read is."""

    class Broken(Records):
        def batches(self, after: str | None = None) -> Iterator[Batch]:
            raise SourceError("gone")

    ingest(Records(RECORDS), lake)
    first = lake.last_ingest()
    time.sleep(0.002)  # MongoDB keeps milliseconds
    ingest(Records(RECORDS), lake)
    second = lake.last_ingest()
    assert first is not None
    assert second is not None
    assert first < second
    assert lake.cursor("records") == "120"
    with pytest.raises(SourceError):
        ingest(Broken(RECORDS), lake)
    assert lake.last_ingest() == second


def test_a_limit_counts_records(lake: Lake) -> None:
    """A batch that it cuts is read again, so nothing is left out between runs."""
    seen: list[tuple[int, int]] = []
    report = ingest(
        Records(RECORDS), lake, limit=70, progress=lambda done, total: seen.append((done, total))
    )
    assert (report.records, lake.cursor("records")) == (70, "50")
    assert seen == [(50, 70), (70, 70)]
    assert ingest(Records(RECORDS), lake) == IngestReport("records", 70, 50, 20, 0)
    assert ingest(Records(RECORDS, name="other"), lake, limit=50).records == 50
    assert lake.cursor("other") == "50"


def test_refine_tells_progress_and_reasons(lake: Lake) -> None:
    """The report counts bad records by reason, and progress ends at the whole."""
    bad = RECORDS.with_columns(
        pl.when(pl.int_range(pl.len()) < 7).then(pl.lit("99")).otherwise("Period").alias("Period")
    )
    ingest(Records(bad), lake)
    seen: list[tuple[int, int]] = []
    report = refine(lake, progress=lambda done, total: seen.append((done, total)))
    assert report == RefineReport(120, 113, 7, 0, {"period is above 14": 7})
    assert seen[-1] == (120, 120)
    assert lake.quarantine()["reason"].to_list() == ["period is above 14"] * 7


@pytest.mark.parametrize(("empty", "cursor"), [(True, "end"), (False, None)])
def test_a_pass_may_end_in_any_way(lake: Lake, empty: bool, cursor: str | None) -> None:
    """An empty batch moves the cursor, and a cursor of None starts the next pass anew."""

    class Ending(Records):
        def batches(self, after: str | None = None) -> Iterator[Batch]:
            yield Batch(self.records.clear() if empty else self.records, cursor)

    ingest(Ending(RECORDS[:5]), lake)
    assert lake.cursor("records") == cursor


def test_a_wrong_source_changes_nothing(lake: Lake) -> None:
    """An unknown format and missing columns are errors before anything is written."""
    with pytest.raises(SchemaError, match="the format 'feed99' are not known"):
        ingest(Records(RECORDS, format="feed99"), lake)
    with pytest.raises(SchemaError, match=r"records: the records lack the columns \['Period'\]"):
        ingest(Records(RECORDS.drop("Period")), lake)
    assert lake.counts() == LayerCounts(0, 0, 0, 0)
    assert lake.cursor("records") is None


def test_records_of_an_unknown_format_stay_in_bronze(lake: Lake) -> None:
    """A lake written by a newer program is not emptied by an older one."""
    keys = feed22.FORMAT.keys(RECORDS[:3])
    lake.append_bronze(RECORDS[:3], keys, source="new", layout="feed99")
    with pytest.raises(SchemaError, match="use the program's version that wrote them"):
        refine(lake)
    assert lake.counts() == LayerCounts(3, 3, 0, 0)


def test_a_source_that_breaks_keeps_what_came(lake: Lake) -> None:
    """The error is the source's own; the next run goes on from there."""

    class Breaking(Records):
        def batches(self, after: str | None = None) -> Iterator[Batch]:
            yield next(super().batches(after))
            raise SourceError("the line is dead")

    with pytest.raises(SourceError, match="the line is dead"):
        ingest(Breaking(RECORDS), lake)
    assert ingest(Records(RECORDS), lake).records == 70


@pytest.fixture
def season_zips(tmp_path: Path) -> Path:
    """Two seasons in different frames, one with rows that are there twice."""
    folder = tmp_path / "seasons"
    folder.mkdir()
    for season, frame in ((2022, "normal"), (2023, "scaled")):
        records = season_csv.records_from_shots(SHOTS.filter(season=season), frame)
        with zipfile.ZipFile(folder / f"NBA_{season}_Shots.csv.zip", "w") as archive:
            archive.writestr(
                f"NBA_{season}_Shots.csv", pl.concat([records, records[:4]]).write_csv()
            )
            archive.writestr(f"__MACOSX/._NBA_{season}_Shots.csv", b"\0")
    return folder


def test_season_zips_become_shots(lake: Lake, season_zips: Path) -> None:
    """Both frames give the same feet, equal rows are one shot, and part of a file is enough."""
    cut = ingest(SeasonZips(season_zips / "NBA_2022_Shots.csv.zip"), lake, limit=20)
    assert (cut.new, refine(lake).silver) == (20, 20)
    report = ingest(SeasonZips(season_zips), lake)
    assert (report.records, report.new, report.duplicates) == (128, 100, 28)
    assert refine(lake).silver == 100
    columns = [name for name in schema.NAMES if name != "event_id"]
    by_content = lake.silver(columns).sort(columns)
    assert_frame_equal(by_content, SHOTS.select(columns).sort(columns), check_exact=True)


def test_a_season_can_be_refined_unconverted(lake: Lake, season_zips: Path) -> None:
    """The drift monitors can be shown what a forgotten conversion looks like."""
    ingest(SeasonZips(season_zips), lake)
    assert refine(lake, check_geometry=False, formats=UNCONVERTED).silver == 120
    widths = lake.silver().group_by("season").agg(pl.col("x_ft").abs().max())
    assert dict(widths.iter_rows())[2023] < 3 < dict(widths.iter_rows())[2022]


@pytest.mark.parametrize("seed", [1, 2])
def test_garbage_by_the_thousand_is_accounted_for(
    lake: Lake, lake_url: str, tmp_path: Path, seed: int
) -> None:
    """Records in = silver + quarantine + duplicates, whatever the cells hold."""
    rng = random.Random(seed)
    repeats = 2 if "://" in lake_url else 40
    rows = [list(row) for _ in range(repeats) for row in RECORDS.iter_rows()]
    for row in rows:
        for _ in range(rng.choice([0, 1, 1, 2, 9])):
            row[rng.randrange(len(row))] = rng.choice(GARBAGE)
    records = pl.DataFrame(rows, schema=RECORDS.schema, orient="row")
    records.write_csv(tmp_path / "garbage.csv")
    ingested = ingest(FeedCsv(tmp_path / "garbage.csv", 500), lake)
    refined = refine(lake)
    counts = lake.counts()
    assert ingested.records == records.height
    assert ingested.new == refined.records == counts.bronze == refined.silver + refined.quarantined
    assert counts.silver + counts.quarantine + ingested.duplicates == records.height
    assert counts.quarantine == refined.quarantined + ingested.conflicts
    assert schema.split_valid(lake.silver(), "test").bad.height == 0
    assert min(counts.silver, counts.quarantine, 20 * ingested.duplicates) > 20
