"""nba_api's own table: every way people keep it is the table that the live source reads."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from parivision.errors import FilesError, SourceError
from parivision.lake.files import FilesLake
from parivision.lake.ingest import ingest
from parivision.lake.refine import refine
from parivision.sources import FORMATS, live, nba_api
from parivision.sources.base import Batch
from parivision.sources.live import ShotTable
from parivision.sources.open import open_source

TEXT = (Path(__file__).parent / "recorded" / "shotchartdetail.json").read_text("utf-8")
RAW = json.loads(TEXT)
CHART = RAW["resultSets"][0]
LIVE = live.records(ShotTable(CHART["headers"], CHART["rowSet"]), "Regular Season")
FRAME = pd.DataFrame(CHART["rowSet"], columns=CHART["headers"])
AVERAGES = [{"GRID_TYPE": "League Averages", "FGA": 5000}]


def as_typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The table as pandas has it after some handling: decimals, days, flags, integers."""
    decimal = dict.fromkeys(("GAME_EVENT_ID", "PLAYER_ID", "PERIOD", "LOC_X", "LOC_Y"), float)
    typed = frame.astype(decimal | {"SHOT_MADE_FLAG": bool, "GAME_ID": int})
    typed["GAME_DATE"] = pd.to_datetime(typed["GAME_DATE"])
    return typed


def zipped(name: str, content: bytes) -> bytes:
    """A zip of one file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def as_json(**more: Any) -> bytes:
    """What pandas' `to_json` writes."""
    return str(FRAME.to_json(**more)).encode()


WAYS: dict[str, Callable[[], bytes]] = {
    "index.csv": lambda: FRAME.to_csv().encode(),
    "plain.csv": lambda: FRAME.to_csv(index=False).encode(),
    "numbers.csv": lambda: FRAME.astype({"GAME_ID": int}).to_csv().encode(),
    "typed.csv": lambda: as_typed(FRAME).to_csv().encode(),
    "lower.csv": lambda: FRAME.rename(columns=str.lower).to_csv(index=False).encode(),
    "packed.csv.gz": lambda: gzip.compress(FRAME.to_csv().encode()),
    "answer.json": TEXT.encode,
    "mark.json": lambda: b"\xef\xbb\xbf" + TEXT.encode(),
    "wide.json": lambda: TEXT.encode("utf-16"),
    "packed.json.gz": lambda: gzip.compress(TEXT.encode()),
    "packed.zip": lambda: zipped("shots/answer.json", TEXT.encode()),
    "set.json": lambda: json.dumps({**RAW, "resultSets": None, "resultSet": CHART}).encode(),
    "normalized.json": lambda: json.dumps(
        {"Shot_Chart_Detail": FRAME.to_dict("records"), "LeagueAverages": AVERAGES}
    ).encode(),
    "dict.json": lambda: json.dumps(
        {"headers": CHART["headers"], "data": CHART["rowSet"]}
    ).encode(),
    "answers.json": lambda: json.dumps([RAW, RAW]).encode(),
    "answers.jsonl": f"{json.dumps(RAW)}\n{json.dumps(RAW)}\n".encode,
    "rows.jsonl": lambda: as_json(orient="records", lines=True),
    **{
        f"{orient}.json": lambda orient=orient: as_json(orient=orient)  # type: ignore[misc]
        for orient in ("records", "columns", "index", "split", "table")
    },
    "plain.parquet": FRAME.to_parquet,
    "typed.parquet": lambda: as_typed(FRAME).to_parquet(),
    "categories.parquet": lambda: FRAME.astype(
        dict.fromkeys(("ACTION_TYPE", "HTM", "PLAYER_NAME"), "category")
    ).to_parquet(),
}


class Live:
    """The live source's records of the recorded answer."""

    name = "live:Regular Season:2023"
    format = "feed22"

    def batches(self, after: str | None = None) -> Any:
        """One batch, once."""
        if after is None:
            yield Batch(LIVE, "2023:2022-10-21")


@pytest.fixture(params=WAYS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The recorded answer in a file, in one of the ways."""
    way: str = request.param
    path = tmp_path / way
    path.write_bytes(WAYS[way]())
    return path


def shots_of(path: Path) -> pl.DataFrame:
    """The shots of a file that is good throughout."""
    lake = FilesLake(path.parent / "lake")
    ingest(open_source(str(path)), lake)
    assert refine(lake).quarantined == 0
    return lake.silver()


def test_a_file_has_the_shots_of_the_answer(kept: Path) -> None:
    """However it is kept, the file gives the shots that the live source does, to the last fact."""
    expected = FORMATS["feed22"].to_shots(LIVE).shots
    assert_frame_equal(shots_of(kept).sort("game_id", "event_id"), expected, check_exact=True)


def test_a_shot_that_came_both_ways_is_one(kept: Path) -> None:
    """Live first or file first: what comes again is a duplicate, never a conflict."""
    for number, sources in enumerate(
        ([Live(), open_source(str(kept))], [open_source(str(kept)), Live()])
    ):
        lake = FilesLake(kept.parent / f"lake{number}")
        first, second = (ingest(source, lake) for source in sources)
        assert (first.new, second.new, second.conflicts) == (5, 0, 0)
        assert second.duplicates == second.records
        assert refine(lake).silver == 5


def test_records_of_the_league_keep_their_digests() -> None:
    """What is in a lake from the live source is found again: its cells are as they were."""
    columns = [nba_api.COLUMNS[name] for name in nba_api.COLUMNS]
    cells = {
        feed: [str(row[CHART["headers"].index(name)]) for row in CHART["rowSet"]]
        for name, feed in zip(nba_api.COLUMNS, columns, strict=True)
    }
    assert_frame_equal(LIVE.select(columns), pl.DataFrame(cells).select(columns))


def test_a_bad_cell_is_told_in_the_files_own_words(tmp_path: Path) -> None:
    """One cell costs one record, which is kept as it came with the reason."""
    spoilt = FRAME.astype(object)
    spoilt.loc[0, "LOC_X"] = "left"
    spoilt.loc[1, "GAME_DATE"] = "soon"
    spoilt.loc[2, "GAME_ID"] = "1022200001"
    (tmp_path / "a.csv").write_text(spoilt.to_csv())
    lake = FilesLake(tmp_path / "lake")
    ingest(open_source(str(tmp_path / "a.csv")), lake)
    report = refine(lake)
    assert (report.silver, report.quarantined) == (2, 3)
    reasons = " ".join(report.reasons)
    assert "LOC_X is not a number" in reasons
    assert "GAME_DATE is not a date" in reasons
    assert "another league: 10 (WNBA)" in reasons
    records = [json.loads(record) for record in lake.quarantine()["record"]]
    assert {"left", "soon", "1022200001"} <= {cell for each in records for cell in each.values()}
    assert all(set(each) == set(nba_api.COLUMNS) for each in records)


def test_rows_of_another_length_are_faulty(tmp_path: Path) -> None:
    """A row that is cut short goes to quarantine with its number; the others are read."""
    answer = json.loads(TEXT)
    answer["resultSets"][0]["rowSet"][2].pop()
    (tmp_path / "a.json").write_text(json.dumps(answer))
    lake = FilesLake(tmp_path / "lake")
    report = ingest(open_source(str(tmp_path / "a.json")), lake)
    assert (report.records, report.faulty) == (4, 1)
    (refused,) = lake.quarantine().iter_rows(named=True)
    assert refused["reason"] == "the row has 23 values, the header has 24 names"
    assert json.loads(refused["record"])["line"] == 3


def test_columns_that_a_shot_can_do_without_may_be_absent(tmp_path: Path) -> None:
    """Only what a shot is made of must be there."""
    spare = ["GRID_TYPE", "EVENT_TYPE", "SHOT_ATTEMPTED_FLAG", "ACTION_TYPE", "SHOT_ZONE_AREA"]
    (tmp_path / "a.csv").write_text(FRAME.drop(columns=spare).to_csv())
    assert shots_of(tmp_path / "a.csv").height == 5


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.json", b"", "is not JSON"),
        ("a.json", TEXT[:900].encode(), "is not JSON .* cut off"),
        ("a.json", b"<html>busy</html>", "is not JSON"),
        ("a.json", b"{}", "JSON without a table"),
        ("a.json", b"[1, 2]", "JSON without a table"),
        ("a.json", b"[" * 100_000, "JSON in too many layers|is not JSON"),
        ("a.json", b'[{"a": 1}]', r"lacks the columns .*; it has \['a'\]"),
        ("a.json", TEXT.replace('"LOC_X"', '"X"').encode(), r"lacks the columns \['LOC_X'\]"),
        ("a.json", b'{"headers": ["a"], "rowSet": []}', "lacks the columns"),
        ("a.json", b"\xff\xfe\x00", "cannot be read|is not JSON"),
        ("a.parquet", b"", "no whole Parquet file"),
        ("a.parquet", FRAME.to_parquet()[:-50], "no whole Parquet file"),
        ("a.parquet", pd.DataFrame({"a": [1]}).to_parquet(), "lacks the columns"),
        (
            "a.parquet",
            FRAME.assign(LOC_X=pd.Series([[1]] * len(FRAME))).to_parquet(),
            "the column LOC_X is List",
        ),
    ],
)
def test_an_unusable_file_says_what_to_do(
    tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    """Damaged, empty or of another layout: a sentence that names the file, never a traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises((FilesError, SourceError), match=problem) as caught:
        list(open_source(str(tmp_path / name)).batches())
    assert name in str(caught.value)


def test_an_answer_without_shots_holds_no_record(tmp_path: Path) -> None:
    """A player who took none: told, and not a success that looks like one."""
    answer = json.loads(TEXT)
    answer["resultSets"][0]["rowSet"] = []
    (tmp_path / "a.json").write_text(json.dumps(answer))
    with pytest.raises(SourceError, match="holds no record"):
        list(open_source(str(tmp_path / "a.json")).batches())


def test_makes_only_are_told_when_they_come(tmp_path: Path) -> None:
    """What nba_api's default gives is told at ingest, with what to ask for."""
    makes = FRAME[FRAME["SHOT_MADE_FLAG"] == 1]
    (tmp_path / "a.csv").write_text(makes.to_csv())
    lake = FilesLake(tmp_path / "lake")
    assert ingest(open_source(str(tmp_path / "a.csv")), lake).games_without_miss == 2
    (tmp_path / "a.csv").write_text(FRAME.to_csv())
    again = ingest(open_source(str(tmp_path / "a.csv")), lake)
    assert (again.new, again.duplicates, again.games_without_miss) == (2, 3, 0)
