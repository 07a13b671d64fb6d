"""The canonical table: what passes, what is refused, and with which reason."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import SchemaError
from parivision.shots import schema
from parivision.shots.limits import MIN_DATE, RANGES
from tiny_league import shot, table

pytestmark = pytest.mark.unit

BROKEN = [
    ({"game_id": 0}, "game_id is below 1"),
    ({"game_id": None}, "game_id is missing"),
    ({"event_id": -1}, "event_id is below 0"),
    ({"season": 1946}, "season is below 1947"),
    ({"season": 2101}, "season is above 2100"),
    ({"season_type": "Summer"}, "season_type is not one of"),
    ({"game_date": date(1946, 10, 31)}, "game_date is before 1946-11-01"),
    ({"game_date": None}, "game_date is missing"),
    ({"home_team": None}, "home_team is missing"),
    ({"player_id": -5}, "player_id is below 1"),
    ({"team_id": 0}, "team_id is below 1"),
    ({"player_name": None}, "player_name is missing"),
    ({"period": 0}, "period is below 1"),
    ({"period": 15}, "period is above 14"),
    ({"clock_s": -1}, "clock_s is below 0"),
    ({"clock_s": 721}, "clock_s is above 720"),
    ({"shot_value": 1}, "shot_value is not one of"),
    ({"x_ft": float("nan")}, "x_ft is not a number"),
    ({"x_ft": None, "y_ft": 3.0}, "x_ft is missing"),
    ({"x_ft": float("inf")}, "x_ft is above 26"),
    ({"x_ft": 26.1}, "x_ft is above 26"),
    ({"y_ft": -6.1}, "y_ft is below -6"),
    ({"y_ft": 90.5}, "y_ft is above 90"),
    ({"distance_ft": 96}, "distance_ft is above 95"),
    ({"made": 2}, "made is not one of"),
    ({"made": None}, "made is missing"),
    ({"x_ft": 3.0, "y_ft": 4.0, "distance_ft": 7}, "place and reported distance disagree"),
    ({"x_ft": 0.0, "y_ft": 89.9, "distance_ft": 89}, "y_ft is beyond the far baseline"),
]


def _shot(facts):
    safe = {"distance_ft": 3, "shot_value": 2} if not {"x_ft", "y_ft"} <= facts.keys() else {}
    plain = {k: v for k, v in facts.items() if k not in {"x_ft", "y_ft"}}
    return {**shot(), **safe, **plain, **{k: facts[k] for k in ("x_ft", "y_ft") if k in facts}}


@pytest.mark.parametrize(("facts", "reason"), BROKEN)
def test_a_row_that_breaks_a_rule_is_told_which(facts, reason):
    """The broken row is bad with its rule's name; the row beside it stays good."""
    checked = schema.split_valid(table(_shot(facts), shot(event_id=8)), "here")
    assert checked.good["event_id"].to_list() == [8]
    assert checked.bad[schema.REASON].to_list()[0].startswith(reason)


def test_optional_facts_may_be_missing():
    """Action type and the league's zones may be missing; the good rows are just the given ones."""
    rows = table(shot(action_type=None, zone_basic=None))
    checked = schema.split_valid(rows, "here")
    assert checked.good.equals(rows)
    assert checked.bad.is_empty()


def test_an_empty_table_is_valid():
    """No rows are no error."""
    checked = schema.split_valid(table(), "here")
    assert (len(checked.good), len(checked.bad)) == (0, 0)


@pytest.mark.parametrize("gap", [0, 1, -1])
def test_a_reported_distance_may_be_off_by_a_foot(gap):
    """Places are rounded to a tenth, distances cut: a foot of difference is no error."""
    rows = table(shot(x_ft=3.0, y_ft=4.0, distance_ft=5 + gap))
    assert len(schema.split_valid(rows, "here").good) == 1


def test_the_geometry_check_can_be_left_out():
    """A place in a wrong frame passes then, and only then; ranges are still held."""
    rows = table(
        shot(x_ft=3.0, y_ft=4.0, distance_ft=50), shot(x_ft=3.0, y_ft=-7.0, distance_ft=50)
    )
    assert len(schema.split_valid(rows, "here").good) == 0
    assert len(schema.split_valid(rows, "here", check_geometry=False).good) == 1


def test_further_columns_are_kept_only_by_name():
    """Good rows have the canonical columns and those of `keep`, bad rows have all."""
    rows = table(shot(), shot(made=3)).with_columns(row=pl.Series([1, 2]), other=pl.lit("o"))
    checked = schema.split_valid(rows, "here", keep=("row",))
    assert checked.good.columns == [*schema.NAMES, "row"]
    assert checked.bad["row"].to_list() == [2]


def test_a_table_that_is_none_is_refused_with_what_is_wrong():
    """Missing columns and wrong types are all named, and the stage that found them."""
    rows = table(shot()).drop("made").with_columns(pl.col("period").cast(pl.Int64))
    with pytest.raises(SchemaError, match=r"drift.*missing columns.*made.*period is Int64"):
        schema.require_columns(rows, "drift")
    schema.require_columns(table(shot()), "drift")


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "x_ft": st.floats() | st.none(),
                "y_ft": st.floats() | st.none(),
                "period": st.integers(-128, 127) | st.none(),
                "clock_s": st.integers(-(2**15), 2**15 - 1) | st.none(),
                "made": st.integers(-128, 127) | st.none(),
                "season_type": st.text(max_size=3) | st.none(),
                "player_id": st.integers(-(2**63), 2**63 - 1) | st.none(),
                "distance_ft": st.integers(-(2**15), 2**15 - 1) | st.none(),
            },
        ),
        max_size=5,
    )
)
def test_every_row_is_good_or_bad(rows):
    """Whatever the values are, each row comes out once, and what is good is good once more."""
    given_rows = table(*({**shot(), **row} for row in rows))
    checked = schema.split_valid(given_rows, "here")
    assert len(checked.good) + len(checked.bad) == len(rows)
    assert checked.bad[schema.REASON].null_count() == 0
    assert schema.split_valid(checked.good, "here").good.equals(checked.good)


def test_every_range_is_that_of_a_column():
    """The shared ranges name columns of the table, and the earliest date is the league's first."""
    assert RANGES.keys() <= set(schema.NAMES)
    assert date(1946, 11, 1) == MIN_DATE
    found = {column.name: (column.low, column.high) for column in schema.SHOTS}
    assert found["clock_s"] == (0, 720)
    assert found["team_name"] == (None, None)
