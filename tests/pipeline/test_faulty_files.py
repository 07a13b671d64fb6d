"""Folders with files and lines that cannot be used, through the command line and both stores."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from parivision import settings
from parivision.errors import SourceError
from parivision.lake import Lake
from parivision.lake.ingest import UnreadFilesError, ingest
from parivision.lake.refine import refine
from parivision.shots import schema
from parivision.sources import feed22, season_csv
from parivision.sources.csv_files import open_files
from parivision.sources.open import open_source
from parivision.sources.read import read_shots
from parivision.sources.synthetic import SyntheticConfig, generate
from parivision.stages import ingest as stage

SHOTS = generate(SyntheticConfig(seasons=(2022, 2023), games_a_season=1)).select(schema.NAMES)
SHOTS = SHOTS.unique(["game_id", "player_id", "period", "clock_s", "x_ft", "y_ft", "made"])
SEASON, FEED = SHOTS.filter(season=2022), SHOTS.filter(season=2023)
CONTENT = [name for name in schema.NAMES if name != "event_id"]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A season file and a feed file with a totals line; beside them three that cannot be used."""
    data = tmp_path / "data"
    data.mkdir()
    feed = feed22.records_from_shots(FEED).write_csv()
    (data / "a.csv").write_text("x,y\n1,2\n")
    (data / "b.csv").write_text(season_csv.records_from_shots(SEASON).write_csv())
    (data / "c.csv").write_text(feed + f"Total,{FEED.height}\n")
    (data / "d.csv.gz").write_bytes(gzip.compress(feed.encode())[:-20])
    (data / "e.zip").write_bytes(b"no zip")
    return data


def mend(folder: Path) -> None:
    """Mend one of the files and remove the others."""
    (folder / "a.csv").write_text(feed22.records_from_shots(FEED[:5]).write_csv())
    (folder / "d.csv.gz").unlink()
    (folder / "e.zip").unlink()


def test_ingest_reads_what_it_can_and_ends_with_a_list(run: Run, folder: Path) -> None:
    """Exit code 1 and each file with its reason; all else is in the lake, and a rerun goes on."""
    code, out, err = run("ingest", folder)
    assert code == 1
    assert out.startswith(f"{SHOTS.height} records read: {SHOTS.height} new")
    assert "1 more in quarantine: lines of files that are no records" in out
    assert "3 of 5 files cannot be used, the others were read" in err
    assert "a.csv lacks the columns" in err
    assert "d.csv.gz cannot be read" in err
    assert "e.zip cannot be read" in err
    code, out, err = run("ingest", folder, "--json")
    report = json.loads(out)
    assert (code, report["records"], report["faulty"]) == (1, 0, 0)
    assert sorted(report["unread"]) == ["a.csv", "d.csv.gz", "e.zip"]
    assert run("refine")[0] == 0
    code, out, _ = run("quarantine")
    assert out.startswith("1 records in quarantine")
    assert "the line has 2 cells, the header has 22" in out
    assert f'{{"file":"c.csv","line":{FEED.height + 2},"text":"Total,{FEED.height}"}}' in out
    mend(folder)
    code, out, err = run("ingest", folder)
    assert (code, err.strip()) == (0, "")
    assert out.startswith("5 records read: 0 new, 5 there already, 0 in conflict")


def test_a_single_file_that_cannot_be_used_is_told_alone(run: Run, folder: Path) -> None:
    """Its message is the error."""
    code, _, err = run("ingest", folder / "a.csv")
    assert code == 1
    assert err.strip().startswith("error: a.csv lacks the columns")


def test_reports_are_written_of_what_could_be_read(run: Run, folder: Path, tmp_path: Path) -> None:
    """`eda --data` ends with the list and exit code 1."""
    code, _, err = run("eda", "--data", folder, "--to", tmp_path / "eda.html")
    assert code == 1
    assert "3 of 5 files cannot be used" in err
    assert "<html" in (tmp_path / "eda.html").read_text()
    with pytest.raises(SourceError, match="3 of 5 files"):
        read_shots(open_source(str(folder)))


def test_the_component_fails_and_bronze_has_the_rest(folder: Path, home: Path) -> None:
    """A stage that failed says so, and what could be read is kept."""
    chosen = settings.read({"PARIVISION_HOME": str(home)})
    with pytest.raises(SourceError, match=r"a\.csv lacks the columns"):
        stage.ingest(chosen, str(folder))
    mend(folder)
    assert stage.ingest(chosen, str(folder)).counts == {
        "records": 5,
        "new": 0,
        "duplicates": 5,
        "conflicts": 0,
        "faulty": 0,
        "games_without_miss": 0,
    }


def test_reading_again_doubles_nothing(lake: Lake, folder: Path) -> None:
    """Neither records nor faulty lines, with a cursor that was lost, in either store."""
    for _ in range(2):
        with pytest.raises(UnreadFilesError) as caught:
            ingest(open_files(folder), lake)
        lake.commit_cursor(open_files(folder).name, None)
    assert caught.value.report.duplicates == SHOTS.height
    assert refine(lake).silver == SHOTS.height
    counts = lake.counts()
    assert (counts.bronze, counts.silver, counts.quarantine) == (SHOTS.height, SHOTS.height, 1)
    assert_frame_equal(
        lake.silver(CONTENT).sort(CONTENT), SHOTS.select(CONTENT).sort(CONTENT), check_exact=True
    )


def test_equal_faulty_lines_are_told_one_by_one(lake: Lake, tmp_path: Path) -> None:
    """Two totals are two lines; one above them that is mended does not make them new ones."""
    lines = feed22.records_from_shots(FEED[:9]).write_csv().splitlines()
    path = tmp_path / "a.csv"
    path.write_text("\n".join([*lines[:3], "#", *lines[3:6], "Total", *lines[6:], "Total"]))
    assert ingest(open_files(path), lake).faulty == 3
    path.write_text("\n".join([*lines[:6], "Total", *lines[6:], "Total"]))
    assert ingest(open_files(path), lake).faulty == 0
    assert sorted(lake.quarantine()["reason"].unique()) == [
        "the line has 1 cells, the header has 22"
    ]
    assert lake.counts().quarantine == 3


@pytest.mark.parametrize(
    "absent", [["ZONE_ABB"], ["SEASON_2", "POSITION"], ["ACTION_TYPE", "ZONE_NAME"], ["SHOT_MADE"]]
)
@pytest.mark.parametrize("comes_first", ["whole", "partial"])
@pytest.mark.parametrize("at_once", [True, False])
def test_a_game_with_and_without_a_column_is_one_game(
    lake: Lake, tmp_path: Path, absent: list[str], comes_first: str, *, at_once: bool
) -> None:
    """Shots are not doubled, whichever file comes first, also within one run."""
    whole = season_csv.records_from_shots(SEASON)
    files = {"whole": whole, "partial": whole.drop(absent)}
    names = sorted(files, key=lambda name: name != comes_first)
    for number, name in enumerate(names):
        (tmp_path / f"{number}.csv").write_text(files[name].write_csv())
        ingest(open_files(tmp_path), lake)
        if not at_once:
            refine(lake)
    refine(lake)
    facts = ["game_id", "player_id", "period", "clock_s", "x_ft", "y_ft", "made"]
    silver = lake.silver(facts)
    assert_frame_equal(silver.sort(facts), SEASON.select(facts).sort(facts))
    read, _ = read_shots(open_source(str(tmp_path)))
    assert read.height == SEASON.height


def test_partial_records_alone_make_shots(lake: Lake, tmp_path: Path) -> None:
    """Nothing is lost of a season without actions and zones."""
    lacking = season_csv.records_from_shots(SEASON).drop(sorted(season_csv.MAY_LACK))
    (tmp_path / "a.csv").write_text(lacking.write_csv())
    assert ingest(open_files(tmp_path), lake).new == SEASON.height
    assert refine(lake).silver == SEASON.height
    silver = lake.silver()
    assert silver["season"].unique().to_list() == [2022]
    assert silver["action_type"].null_count() == SEASON.height
    assert pl.DataFrame(silver)["made"].sum() == SEASON["made"].sum()
