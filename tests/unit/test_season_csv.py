"""The league's season files: frames seen from the geometry, events numbered by content."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import SchemaError
from parivision.shots import schema
from parivision.sources import FORMATS, UNCONVERTED, season_csv
from parivision.sources.synthetic import SyntheticConfig, generate
from scalars import number

SEASON = FORMATS["season_csv"]
GOLDEN_EVENT = 6885646652927361290


@pytest.fixture(scope="module")
def shots() -> pl.DataFrame:
    """A few games of two seasons of the synthetic league."""
    table = generate(SyntheticConfig(seasons=(2004, 2023), games_a_season=3))
    return table.select(schema.NAMES)


@pytest.fixture(scope="module")
def records(shots: pl.DataFrame) -> pl.DataFrame:
    """The same shots as season records in the normal frame."""
    return season_csv.records_from_shots(shots)


def with_cell(records: pl.DataFrame, name: str, cell: str | None) -> pl.DataFrame:
    """The records, with a cell of the first one changed."""
    is_first = pl.int_range(pl.len()) == 0
    changed = pl.when(is_first).then(pl.lit(cell, pl.String)).otherwise(pl.col(name))
    return records.with_columns(changed.alias(name))


@pytest.mark.parametrize("frame", season_csv.FRAMES)
def test_either_frame_gives_the_same_shots(shots: pl.DataFrame, frame: str) -> None:
    """Places come out in feet from the hoop, whichever frame the season was written in."""
    converted = SEASON.to_shots(season_csv.records_from_shots(shots, frame))
    assert converted.bad.height == 0
    assert_frame_equal(converted.shots.drop("event_id"), shots.drop("event_id"), check_exact=True)


def test_each_season_has_its_own_frame(shots: pl.DataFrame) -> None:
    """A table of several seasons in different frames is read season by season."""
    old, new = shots.filter(season=2004), shots.filter(season=2023)
    mixed = pl.concat(
        [
            season_csv.records_from_shots(new, "scaled"),
            season_csv.records_from_shots(old, "normal"),
        ]
    )
    converted = SEASON.to_shots(mixed)
    assert converted.bad.height == 0
    expected = pl.concat([new, old]).drop("event_id")
    assert_frame_equal(converted.shots.drop("event_id"), expected, check_exact=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 500), st.sampled_from(sorted(season_csv.FRAMES)))
def test_one_shot_away_from_the_hoop_shows_its_frame(row: int, frame: str) -> None:
    """Few records are enough to see the frame, but for shots within 2 ft of the hoop."""
    table = FAR_SHOTS[row % FAR_SHOTS.height]
    converted = SEASON.to_shots(season_csv.records_from_shots(table, frame))
    assert_frame_equal(converted.shots.drop("event_id"), table.drop("event_id"), check_exact=True)


FAR_SHOTS = (
    generate(SyntheticConfig(seasons=(2023,), games_a_season=3))
    .select(schema.NAMES)
    .filter(pl.col("distance_ft") >= 2)
)


def test_some_wrong_places_do_not_change_the_frame(records: pl.DataFrame) -> None:
    """A record whose place and distance disagree is bad; the others are not judged by it."""
    wrong = with_cell(records, "SHOT_DISTANCE", "60")
    converted = SEASON.to_shots(wrong)
    assert converted.bad_rows.to_list() == [0]
    assert "disagree" in converted.bad["reason"][0]


def test_an_unknown_frame_is_told(records: pl.DataFrame) -> None:
    """Places in metres fit no frame: all records of that season are bad, and say what to do."""
    is_old = pl.col("SEASON_1") == "2004"
    metres = [pl.col(name).cast(pl.Float64) * 0.3048 for name in ("LOC_X", "LOC_Y")]
    moved = records.with_columns(
        pl.when(is_old).then(place.cast(pl.String)).otherwise(place.meta.output_name())
        for place in metres
    )
    converted = SEASON.to_shots(moved)
    assert converted.shots["season"].unique().to_list() == [2023]
    assert converted.bad["reason"].unique().to_list() == [season_csv.NO_FRAME]


def test_a_season_can_be_fed_unconverted(shots: pl.DataFrame) -> None:
    """Monitors can be shown a season in the wrong units, but only when asked for twice."""
    records = season_csv.records_from_shots(shots, "scaled")
    unconverted = UNCONVERTED["season_csv"]
    assert unconverted.to_shots(records).bad.height > 0.7 * shots.height
    passed = unconverted.to_shots(records, check_geometry=False).shots
    assert passed.height == shots.height
    assert number(passed["x_ft"].abs().max()) <= 2.5


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("GAME_ID", "", "game_id is missing"),
        ("SEASON_1", "2003-04", "SEASON_1 is not a whole number of a possible size"),
        ("GAME_DATE", "02-30-2004", "GAME_DATE is not a date of the calendar"),
        ("GAME_DATE", "14-04-2004", "GAME_DATE is not a date of the calendar"),
        ("EVENT_TYPE", "Blocked Shot", "EVENT_TYPE is not one of"),
        ("SHOT_MADE", "perhaps", "SHOT_MADE is not one of ['TRUE', 'FALSE']"),
        ("SHOT_TYPE", "NA", "SHOT_TYPE is not one of"),
        ("LOC_X", "1,5", "LOC_X is not a number"),
        ("LOC_Y", "NA", "LOC_Y is not a number"),
        ("QUARTER", "15", "period is above 14"),
        ("SECS_LEFT", "-1", "SECS_LEFT is not between 0 and 59"),
        ("POSITION", "SG\nG", "a cell holds a line break"),
    ],
)
def test_what_cannot_be_a_shot_says_why(
    records: pl.DataFrame, column: str, cell: str, reason: str
) -> None:
    """One bad cell costs one record, and the reason names the column."""
    converted = SEASON.to_shots(with_cell(records, column, cell))
    assert converted.bad_rows.to_list() == [0]
    assert converted.bad["reason"][0].startswith(reason)


def test_a_label_that_contradicts_itself_is_bad(records: pl.DataFrame) -> None:
    """A shot both made and missed teaches a model nothing."""
    made = {"TRUE": "FALSE", "FALSE": "TRUE"}[records["SHOT_MADE"][0]]
    converted = SEASON.to_shots(with_cell(records, "SHOT_MADE", made))
    assert converted.bad["reason"].to_list() == [season_csv.CONTRADICTION]


def test_na_is_a_position(records: pl.DataFrame) -> None:
    """Players without a known position keep their shots."""
    assert set(records["POSITION"]) == {"NA"}
    assert SEASON.to_shots(records).bad.height == 0


def test_event_numbers_are_the_same_for_ever() -> None:
    """A stored shot is found again by every later version of this program."""
    row = dict.fromkeys(season_csv.COLUMNS, "1") | {"PLAYER_NAME": "Nikola Jokić", "GAME_ID": "2"}
    keys = SEASON.keys(pl.DataFrame([row]))
    assert keys.row(0) == (2, GOLDEN_EVENT, GOLDEN_EVENT)


def test_event_numbers_depend_on_nothing_but_the_record(records: pl.DataFrame) -> None:
    """Parts of a file, its order and further columns do not change a record's key."""
    keys = SEASON.keys(records)
    part = records.with_columns(pl.lit("new").alias("EXTRA")).reverse().head(40)
    assert_frame_equal(SEASON.keys(part), keys.reverse().head(40))
    assert keys.select(schema.KEY).n_unique() == records.n_unique()
    for known in (None, keys):
        shots = SEASON.to_shots(records, keys=known).shots
        assert_frame_equal(shots.select(schema.KEY), keys.select(schema.KEY))


def test_a_record_without_a_game_has_no_key(records: pl.DataFrame) -> None:
    """Its digest is left to keep it by."""
    keys = SEASON.keys(with_cell(records, "GAME_ID", "?"))
    assert keys.row(0)[:2] == (None, None)
    assert keys["digest"].null_count() == 0


def test_no_records_are_no_shots(records: pl.DataFrame) -> None:
    """An empty table is no special case for callers."""
    empty = records.clear()
    assert SEASON.to_shots(empty).shots.height == 0
    assert SEASON.keys(empty).height == 0


def test_records_of_another_layout_are_refused(records: pl.DataFrame) -> None:
    """A missing column is an error that names it."""
    with pytest.raises(SchemaError, match=r"lack the columns \['QUARTER'\]"):
        SEASON.to_shots(records.drop("QUARTER"))


CELLS = st.one_of(st.none(), st.text(max_size=8), st.integers().map(str), st.floats().map(str))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from(season_csv.COLUMNS), CELLS), max_size=6))
def test_any_text_becomes_a_valid_shot_or_a_bad_record(changes: list[dict[str, str]]) -> None:
    """Whatever the cells hold, every record is accounted for and every shot is valid."""
    good = season_csv.records_from_shots(FAR_SHOTS.head(1)).row(0, named=True)
    rows = [good | change for change in changes]
    records = pl.DataFrame(rows, schema=dict.fromkeys(season_csv.COLUMNS, pl.String))
    converted = SEASON.to_shots(records)
    accounted = sorted([*converted.shot_rows, *converted.bad_rows])
    assert accounted == list(range(records.height))
    assert converted.bad["reason"].null_count() == 0
    assert schema.split_valid(converted.shots, "test").bad.height == 0
    kept = SEASON.keys(records)[converted.shot_rows]
    assert kept.select(schema.KEY).equals(converted.shots.select(schema.KEY))


TODAY = {
    "2023,2022-23,1610612764,Washington Wizards,203078,Bradley Beal,G,SG,10-19-2022,22200004,IND,"
    "WAS,Made Shot,TRUE,Jump Shot,3PT Field Goal,Left Corner 3,Left Side,L,24+ ft.,23.4,12.95,24,1,"
    "11,20": 6736759463050842897,
    "2004,2003-04,1610612747,Made Up Lakers,977,Some Body,NA,NA,04-14-2004,20301187,POR,LAL,"
    "Missed Shot,FALSE,Driving Layup Shot,2PT Field Goal,Restricted Area,Center,C,Less Than 8 ft.,"
    "-0.4,5.75,0,6,0,0": 1335702785371404116,
    "2021,2020-21,1610612753,Orlando Magic,1630175,Nikola Jokić,F,PF-SF,05-16-2021,22001075,PHI,"
    "ORL,Missed Shot,FALSE,,2PT Field Goal,Mid-Range,Right Side Center,RC,16-24 ft.,-1.3,-3.95,18,"
    "4,0,15": 5175637834529511597,
}
"""Complete records and their numbers, as lakes of before hold them."""
COMPLETE = pl.DataFrame(
    [dict(zip(season_csv.COLUMNS, line.split(","), strict=True)) for line in TODAY]
)


def test_complete_records_keep_their_numbers() -> None:
    """A lake that was filled before does not double."""
    keys = SEASON.keys(COMPLETE)
    assert keys["event_id"].to_list() == list(TODAY.values())
    assert keys["digest"].to_list() == list(TODAY.values())


@pytest.mark.parametrize(
    ("absent", "unknown"),
    [
        (["ZONE_ABB"], []),
        (["SEASON_1"], []),
        (["SEASON_2"], []),
        (["SEASON_1", "SEASON_2"], []),
        (["EVENT_TYPE"], []),
        (["SHOT_MADE"], []),
        (["POSITION"], []),
        (["POSITION", "POSITION_GROUP"], []),
        (["ACTION_TYPE"], ["action_type"]),
        (["ZONE_NAME", "ZONE_ABB"], ["zone_area"]),
        (["BASIC_ZONE", "ZONE_RANGE"], ["zone_basic", "zone_range"]),
    ],
    ids=str,
)
def test_a_column_that_is_not_needed_may_be_missing(
    records: pl.DataFrame, absent: list[str], unknown: list[str]
) -> None:
    """All other facts are the same, and the numbers tell that the records are not whole."""
    shots = SEASON.to_shots(records).shots
    keys = SEASON.keys(records.drop(absent))
    lacking = SEASON.to_shots(records.drop(absent)).shots
    same = [name for name in shots.columns if name not in {*unknown, "event_id"}]
    assert_frame_equal(lacking.select(same), shots.select(same))
    assert all(lacking[name].null_count() == lacking.height for name in unknown)
    assert number(keys["event_id"].max()) < season_csv.PARTIAL_EVENTS
    assert keys.select(schema.KEY).n_unique() == records.drop(absent).n_unique()
    assert keys.equals(SEASON.keys(records.drop(absent)))


@pytest.mark.parametrize(
    "name", [name for group in season_csv.NEEDS for name in group if len(group) == 1]
)
def test_a_column_that_is_needed_is_named(records: pl.DataFrame, name: str) -> None:
    """What a shot cannot do without makes the table another layout."""
    with pytest.raises(SchemaError, match=rf"lack the columns \['{name}'\]"):
        SEASON.to_shots(records.drop(name))


def test_one_statement_of_the_result_is_enough(records: pl.DataFrame) -> None:
    """In a cell as in a column; without any the table is refused."""
    shots = SEASON.to_shots(records).shots.drop("event_id")
    for name, missing in (("EVENT_TYPE", "NULL"), ("SHOT_MADE", ""), ("SHOT_MADE", "NA")):
        told = SEASON.to_shots(with_cell(records, name, missing)).shots
        assert_frame_equal(told.drop("event_id"), shots)
    with pytest.raises(SchemaError, match="EVENT_TYPE or SHOT_MADE"):
        SEASON.to_shots(records.drop("EVENT_TYPE", "SHOT_MADE"))


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("GAME_ID", ["{}.0", "{}.00", "+{}", " {} ", '="{}"']),
        ("QUARTER", ["1", "1.0", "1.", "1e0"]),
        ("SHOT_MADE", ["0", "0.0", "False", "false", "f", "No", "missed"]),
        ("EVENT_TYPE", ["missed shot", "MISSED SHOT", "0", "Missed"]),
        ("SHOT_TYPE", ["2", "2.0", "2PT", "2pt field goal", "2-Pointer"]),
        ("GAME_DATE", ["2003-10-28", "2003-10-28 00:00:00", "10/28/2003", "20031028.0"]),
        ("SEASON_1", ["2004.0", "", "NULL", "NA"]),
    ],
)
def test_other_spellings_mean_the_same_shot(
    records: pl.DataFrame, column: str, cells: list[str]
) -> None:
    """Each kind of cell is read in one way, whatever wrote it."""
    is_it = (pl.col("SHOT_MADE") == "FALSE") & (pl.col("QUARTER") == "1")
    table = records.filter(is_it & (pl.col("SHOT_TYPE") == "2PT Field Goal")).head(1)
    table = with_cell(table, "GAME_DATE", "10-28-2003")
    usual = table[column][0]
    for cell in cells:
        converted = SEASON.to_shots(with_cell(table, column, cell.format(usual)))
        expected = SEASON.to_shots(table).shots.drop("event_id")
        assert_frame_equal(converted.shots.drop("event_id"), expected)


def test_dates_with_the_day_first_are_not_exchanged(records: pl.DataFrame) -> None:
    """A file of them is refused row by row, instead of being half wrong."""
    days = pl.Series(["19/10/2022", "11/10/2022", "25/12/2022", "05/11/2022"])
    european = records.head(4).with_columns(days.alias("GAME_DATE"))
    converted = SEASON.to_shots(european)
    assert converted.shots.height == 0
    assert all("in one way only" in reason for reason in converted.bad["reason"])
    american = pl.Series(["10/19/2022", "10/11/2022", "12/25/2022", "11/05/2022"])
    assert (
        SEASON.to_shots(records.head(4).with_columns(american.alias("GAME_DATE"))).bad.height == 0
    )


@pytest.mark.parametrize("word", ["NULL", "null", "NaN", "nan", "\\N", "None", "<NA>", "N/A", "-"])
@pytest.mark.parametrize("column", ["ACTION_TYPE", "BASIC_ZONE", "ZONE_NAME", "ZONE_RANGE"])
def test_text_for_a_missing_value_is_no_action_and_no_zone(
    records: pl.DataFrame, word: str, column: str
) -> None:
    """The shot is the same as with an empty cell."""
    empty = SEASON.to_shots(with_cell(records, column, "")).shots.drop("event_id")
    assert_frame_equal(
        SEASON.to_shots(with_cell(records, column, word)).shots.drop("event_id"), empty
    )
