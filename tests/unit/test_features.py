"""Features: what each is, and one matrix for any number of shots."""

from datetime import date

import numpy as np
import pytest

from parivision.errors import ModelError
from parivision.features import kernel, tables
from parivision.features.form import Form
from parivision.features.kernel import CLASSIC, FEATURE_SETS, FULL, FULL_WITHOUT_ACTION
from parivision.features.rows import lookup
from parivision.shots.actions import FAMILIES
from parivision.shots.facts import from_records
from parivision.shots.game_clock import elapsed_s
from tiny_league import shot, table

TODAY = date(2024, 2, 3)
SPOT = {"period": 1, "clock_s": 1, "x_ft": 0.0, "y_ft": 0.0}


def _row(facts, names):
    return dict(zip(names, lookup(Form(), facts, names).values[0], strict=True))


def test_the_classic_set_is_what_its_users_know():
    """Seconds left, points, metres, zone, player and place, each as it was defined."""
    record = {"player_id": 203, "period": 4, "clock_s": 61, "x_ft": -22.5, "y_ft": 3.0}
    assert _row(from_records([record], TODAY), CLASSIC) == pytest.approx(
        {
            "Total_Seconds_Remaining": 61,
            "Shot_Type_Encoded": 3,
            "Shot_Distance_Meters": np.hypot(22.5, 3.0) * 0.3048,
            "Shot_Zone_Combined": 6,
            "Player_ID": 203,
            "X": -22.5,
            "Y": 3.0,
        }
    )


def test_the_full_set_describes_place_clock_and_action():
    """Place, clock, home, and the action's family and modifiers come out as defined."""
    shots = table(shot(period=5, clock_s=100, x_ft=-6.0, y_ft=0.0, action_type="Reverse Layup"))
    row = _row(tables.facts_from_shots(shots), FULL)
    expected = {
        "abs_x_ft": 6.0,
        "distance_ft": 6.0,
        "angle_deg": -90.0,
        "zone": 2,
        "elapsed_s": 2880 + 200,
        "is_home": 1.0,
        "action_family": FAMILIES.index("layup"),
        "action_reverse": 1.0,
        "action_driving": 0.0,
    }
    assert {name: row[name] for name in expected} == expected


def test_what_is_not_known_is_nan_and_no_action_is_a_family():
    """Missing facts are NaN; a shot without action has the family 0 and no modifiers."""
    record = {"player_id": 1, "period": 1, "clock_s": 1, "x_ft": 0.0, "y_ft": 0.0}
    row = _row(from_records([record], TODAY), FULL)
    unknown = {name for name, value in row.items() if np.isnan(value)}
    assert unknown == {"is_home", *kernel.GAME}
    assert row["action_family"] == 0
    assert sum(row[name] for name in row if name.startswith("action_")) == 0


@pytest.mark.parametrize(
    ("period", "clock_s", "expected"),
    [(1, 720, 0), (1, 0, 720), (4, 0, 2880), (5, 300, 2880), (5, 0, 3180), (14, 0, 5880)],
)
def test_time_goes_on_through_overtimes(period, clock_s, expected):
    """Four periods of twelve minutes, then overtimes of five."""
    assert elapsed_s(period, clock_s) == expected


@pytest.mark.parametrize("names", FEATURE_SETS.values(), ids=FEATURE_SETS)
def test_no_shots_have_no_rows(names):
    """Zero shots give a matrix of no rows and all columns."""
    facts = from_records([], TODAY)
    found = lookup(Form(), facts, names).values
    assert found.shape == (0, len(names))
    assert found.dtype == np.float32


def test_feature_names_are_unique_and_the_sets_nested():
    """No name twice; without action is with action but for the action."""
    for names in FEATURE_SETS.values():
        assert len(set(names)) == len(names)
    assert FULL[: len(FULL_WITHOUT_ACTION)] == FULL_WITHOUT_ACTION
    assert set(FULL) - set(FULL_WITHOUT_ACTION) == set(kernel.ACTION)


def test_an_unknown_feature_is_refused():
    """A name that is no feature, or a feature that was not kept, is an error that names it."""
    facts = from_records([], TODAY)
    with pytest.raises(ModelError, match=r"unknown features \['height'\]"):
        lookup(Form(), facts, ("x_ft", "height"))
    with pytest.raises(ModelError, match=r"unknown features \['rate_zone'\]"):
        lookup(Form(), facts, ("x_ft",)).matrix(("x_ft", "rate_zone"))
    assert lookup(Form(), facts).matrix(CLASSIC).shape == (0, 7)


def test_a_feature_is_a_function_of_plain_numbers():
    """Each can be asked alone: cells of the tables, and rates drawn towards what is broader."""
    assert kernel.abs_x_ft(-6.5) == 6.5
    assert kernel.Shot_Distance_Meters(10.0) == pytest.approx(3.048)
    # A zone has 17 bins of two feet, and a zone's last one holds all that is farther.
    assert [kernel.place_cell(2, d) for d in (0.0, 1.9, 2.0, 31.9, 80.0)] == [34, 34, 35, 49, 50]
    assert [kernel.action_foot_cell(1, d) for d in (0.0, 0.9, 34.9, 80.0)] == [36, 36, 70, 71]
    form = Form()
    form.tallies["zone"].attempts[0], form.tallies["zone"].successes[0] = 95.0, 50.0
    one = form.tables(is_for_one=True)
    assert kernel.rate_zone(one, 0) == pytest.approx((50 + 5 * 0.45) / 100)
    assert kernel.rate_place(one, 0, 0.6) == pytest.approx(0.6)


def test_features_are_not_written_to():
    """A matrix may be the very one that others have."""
    rows = lookup(Form(), from_records([{**SPOT, "player_id": 1}], TODAY), CLASSIC)
    with pytest.raises(ValueError, match="read-only"):
        rows.matrix(CLASSIC)[0, 0] = 1
