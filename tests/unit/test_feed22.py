"""The feed's 22 columns: to canonical shots and back, and what cannot be a shot."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import SchemaError
from parivision.shots import schema
from parivision.sources import FORMATS, feed22
from parivision.sources.synthetic import SyntheticConfig, generate

FEED = FORMATS["feed22"]
RECORD = {
    "Game ID": "0021900001",
    "Game Event ID": "7",
    "Player ID": "1628366",
    "Player Name": "Lonzo Ball",
    "Team ID": "1610612740",
    "Team Name": "New Orleans Pelicans",
    "Period": "1",
    "Minutes Remaining": "11",
    "Seconds Remaining": "48",
    "Action Type": "Driving Floating Jump Shot",
    "Shot Type": "2PT Field Goal",
    "Shot Zone Basic": "In The Paint (Non-RA)",
    "Shot Zone Area": "Center",
    "Shot Zone Range": "8-16 ft.",
    "Shot Distance": "11",
    "X Location": "23",
    "Y Location": "114",
    "Shot Made Flag": "0",
    "Game Date": "20191022",
    "Home Team": "TOR",
    "Away Team": "NOP",
    "Season Type": "Regular Season",
}


def record(**changes: str | None) -> pl.DataFrame:
    """One record, with some cells changed; underscores in names stand for blanks."""
    cells = RECORD | {name.replace("_", " "): cell for name, cell in changes.items()}
    return pl.DataFrame([cells], schema=dict.fromkeys(feed22.COLUMNS, pl.String))


@pytest.fixture(scope="module")
def shots() -> pl.DataFrame:
    """A few games of the synthetic league."""
    table = generate(SyntheticConfig(seasons=(2004, 2023), games_a_season=3))
    return table.select(schema.NAMES)


def test_a_record_becomes_the_shot_it_means() -> None:
    """The feed's tenths of feet with left negative become feet with left positive."""
    shot = FEED.to_shots(record()).shots.row(0, named=True)
    assert (shot["game_id"], shot["event_id"], shot["season"]) == (21900001, 7, 2020)
    assert (shot["x_ft"], shot["y_ft"], shot["distance_ft"]) == (-2.3, 11.4, 11)
    assert (shot["clock_s"], shot["game_date"]) == (708, date(2019, 10, 22))
    assert (shot["shot_value"], shot["made"], shot["season_type"]) == (2, 0, "Regular Season")


def test_records_of_shots_give_the_shots_back(shots: pl.DataFrame) -> None:
    """Nothing is lost on the way to the feed and back."""
    converted = FEED.to_shots(feed22.records_from_shots(shots))
    assert converted.bad.height == 0
    assert_frame_equal(converted.shots, shots, check_exact=True)


@settings(deadline=None, max_examples=40)
@given(st.integers(-250, 250), st.integers(-52, 880))
def test_every_tenth_of_a_foot_survives(x: int, y: int) -> None:
    """A place in tenths of feet comes back exactly, and a zero is never negative."""
    distance = int((x * x + y * y) ** 0.5 / 10)
    records = record(X_Location=str(x), Y_Location=str(y), Shot_Distance=str(distance))
    shots = FEED.to_shots(records).shots
    assert shots.select("x_ft", "y_ft").row(0) == (-x / 10, y / 10)
    assert "-0.0" not in {str(shots["x_ft"][0]), str(shots["y_ft"][0])}
    back = feed22.records_from_shots(shots).select("X Location", "Y Location")
    assert back.row(0) == (str(x), str(y))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Game_ID": "abc"}, "Game ID is not a whole number of a possible size"),
        ({"Game_ID": None}, "game_id is missing"),
        ({"Game_Event_ID": "-3"}, "event_id is below 0"),
        ({"Player_ID": "1e400"}, "Player ID is not a whole number of a possible size"),
        ({"Player_Name": "  "}, "player_name is missing"),
        ({"Player_Name": "Lonzo\nBall"}, "a cell holds a line break or control character"),
        ({"Period": "300"}, "Period is not a whole number of a possible size"),
        ({"Period": "0"}, "period is below 1"),
        ({"Minutes_Remaining": "21"}, "Minutes Remaining is not between 0 and 20"),
        ({"Seconds_Remaining": "60"}, "Seconds Remaining is not between 0 and 59"),
        ({"Minutes_Remaining": "12", "Seconds_Remaining": "1"}, "clock_s is above 720"),
        ({"Shot_Type": "4PT Field Goal"}, "Shot Type is not one of"),
        ({"Shot_Made_Flag": "perhaps"}, "Shot Made Flag is not one of ['0', '1']"),
        ({"X_Location": "NaN"}, "X Location is not a number"),
        ({"Y_Location": "inf"}, "Y Location is not a number"),
        ({"X_Location": "251"}, "place and reported distance disagree"),
        ({"Game_Date": "20190231"}, "Game Date is not a date of the calendar"),
        ({"Game_Date": "19010101"}, "season is below 1947"),
        ({"Game_Date": "2019-10-23T00:30:00Z"}, "Game Date is not a date of the calendar"),
        ({"Game_Date": "22.10.2019"}, "Game Date is not a date of the calendar"),
        ({"Game_Date": "10/22/19"}, "Game Date is not a date of the calendar"),
        ({"Game_ID": "2.19E+07"}, "Game ID is not a whole number of a possible size"),
        ({"Period": "1,000"}, "Period is not a whole number of a possible size"),
        ({"Player_Name": "NULL"}, "player_name is missing"),
        ({"Home_Team": "nan"}, "home_team is missing"),
        ({"Shot_Made_Flag": "None"}, "made is missing"),
        ({"Season_Type": "Summer League"}, "season_type is not one of"),
    ],
)
def test_what_cannot_be_a_shot_says_why(changes: dict[str, str | None], reason: str) -> None:
    """A bad record comes back as it was, with the first thing that is wrong."""
    records = record(**changes)
    converted = FEED.to_shots(records)
    assert converted.shots.height == 0
    assert converted.bad["reason"][0].startswith(reason)
    assert_frame_equal(converted.bad.drop("reason"), records)


@pytest.mark.parametrize(
    "changes",
    [
        {"Game_Date": "2019-10-22"},
        {"Game_Date": "2019-10-22T00:00:00"},
        {"Period": "1.0", "Player_ID": " 1628366.0 "},
        {"Shot_Type": "2pt field goal", "Home_Team": " TOR"},
        {"Season_Type": ""},
        {"Season_Type": None},
        {"Season_Type": "NULL"},
        {"Game_Date": "2019-10-22 00:00:00"},
        {"Game_Date": "2019-10-22T00:00:00Z"},
        {"Game_Date": "2019-10-22T00:00:00.000+00:00"},
        {"Game_Date": "2019-10-22 19:30:00-05:00"},
        {"Game_Date": "20191022.0"},
        {"Game_Date": "10-22-2019"},
        {"Game_Date": "10/22/2019 12:00:00 AM"},
        {"Game_Date": "OCT 22, 2019"},
        {"Shot_Made_Flag": "0.0"},
        {"Shot_Made_Flag": "FALSE"},
        {"Shot_Made_Flag": "Missed Shot"},
        {"Game_ID": "21900001.00", "Game_Event_ID": "7.0", "Shot_Distance": "+11"},
        {"Team_ID": "1,610,612,740", "Minutes_Remaining": "1.1e1"},
        {"Shot_Type": "2.0"},
    ],
)
def test_other_spellings_mean_the_same_shot(changes: dict[str, str | None]) -> None:
    """ISO dates, whole numbers with .0, blanks, and a season's part left out are understood."""
    assert_frame_equal(FEED.to_shots(record(**changes)).shots, FEED.to_shots(record()).shots)


@pytest.mark.parametrize(
    ("game", "day", "season", "part"),
    [
        ("21900001", "20191022", 2020, "Regular Season"),
        ("41900406", "20201011", 2020, "Playoffs"),
        ("51900001", "20200815", 2020, "PlayIn"),
        ("12000001", "20201211", 2021, "Pre Season"),
        ("32000001", "20210307", 2021, "All Star"),
        ("29700001", "19971031", 1998, "Regular Season"),
        ("29900001", "19991102", 2000, "Regular Season"),
        ("123", "20201011", 2021, "Regular Season"),
        ("27000001", "20191022", 2020, "Regular Season"),
    ],
)
def test_season_comes_from_the_game_number(game: str, day: str, season: int, part: str) -> None:
    """A game in October may end a season; a number of no meaning leaves it to the date."""
    shots = FEED.to_shots(record(Game_ID=game, Game_Date=day, Season_Type=None)).shots
    assert shots.select("season", "season_type").row(0) == (season, part)


def test_keys_are_missing_where_they_cannot_be_used() -> None:
    """A record without a usable key still has a digest, by which it is kept."""
    records = pl.concat(
        [record(), record(Game_ID="0"), record(Game_Event_ID="x"), record(Game_Event_ID=None)]
    )
    keys = FEED.keys(records)
    assert keys.select("game_id", "event_id").rows() == [
        (21900001, 7),
        (None, 7),
        (21900001, None),
        (21900001, None),
    ]
    assert keys["digest"].n_unique() == 4


def test_geometry_may_go_unchecked() -> None:
    """A place far from the reported distance passes when the caller says so."""
    assert FEED.to_shots(record(X_Location="200"), check_geometry=False).shots.height == 1


@pytest.mark.parametrize("name", sorted(feed22.MAY_LACK))
def test_a_fact_that_may_be_unknown_may_be_a_missing_column(name: str) -> None:
    """The shot is the same as with empty cells; the season's part comes from the game's number."""
    lacking = record().drop(name)
    empty = FEED.to_shots(record(**{name.replace(" ", "_"): None}))
    assert_frame_equal(FEED.to_shots(lacking).shots, empty.shots)
    assert FEED.keys(lacking).equals(FEED.keys(record(**{name.replace(" ", "_"): None})))


def test_complete_records_keep_their_digests() -> None:
    """A lake that was filled before finds its records again, however their numbers are written."""
    facts = "203078,{},1610612764,Washington Wizards,1,11,{}"
    place = "3PT Field Goal,Left Corner 3,Left Side,24+ ft.,24,-234,77,1"
    other = "2PT Field Goal,Mid-Range,Center,16-24 ft.,18,10,180,0"
    part = "Regular Season"
    rows = [
        f"22200004,7,{facts.format('Bradley Beal', 20)},Jump Shot,{place},20221019,IND,WAS,{part}",
        f"0022200004,8.0,{facts.format('Nikola Jokić', 2)},,{other},2022-10-19,IND,WAS,",
    ]
    records = pl.DataFrame([dict(zip(feed22.COLUMNS, row.split(","), strict=True)) for row in rows])
    assert FEED.keys(records).rows() == [
        (22200004, 7, 6554059511247904147),
        (22200004, 8, 5971369138838601698),
    ]


@pytest.mark.parametrize("use", ["keys", "to_shots"])
def test_records_of_another_layout_are_refused(use: str) -> None:
    """A missing column and cells that are not text are errors that name the columns."""
    with pytest.raises(SchemaError, match=r"lack the columns \['Period'\]"):
        getattr(FEED, use)(record().drop("Period"))
    with pytest.raises(SchemaError, match=r"\['Period'\] are not text"):
        getattr(FEED, use)(record().with_columns(pl.lit(1).alias("Period")))


CELLS = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(str),
    st.dates().map(str),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from(feed22.COLUMNS), CELLS), max_size=6))
def test_any_text_becomes_a_valid_shot_or_a_bad_record(changes: list[dict[str, str]]) -> None:
    """Whatever the cells hold, every record is accounted for and every shot is valid."""
    rows = [RECORD | change for change in changes]
    records = pl.DataFrame(rows, schema=dict.fromkeys(feed22.COLUMNS, pl.String))
    converted = FEED.to_shots(records)
    accounted = sorted([*converted.shot_rows, *converted.bad_rows])
    assert accounted == list(range(records.height))
    assert converted.bad["reason"].null_count() == 0
    assert schema.split_valid(converted.shots, "test").bad.height == 0
    kept = FEED.keys(records)[converted.shot_rows]
    assert kept.select(schema.KEY).equals(converted.shots.select(schema.KEY))
