"""The court: a golden table of places, and what must hold anywhere."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots import court
from parivision.shots.court import Zone

pytestmark = pytest.mark.unit

R, P = Zone.RESTRICTED_AREA, Zone.PAINT
LEFT, OTHER_MID = Zone.MID_RANGE_LEFT, Zone.MID_RANGE_RIGHT_CENTRE
ARC, CORNER, BACK = Zone.ABOVE_BREAK_3, Zone.CORNER_3, Zone.BACKCOURT_OTHER

# x_ft, y_ft, zone, points
GOLDEN = [
    (0.0, 0.0, R, 2),
    (0.0, 3.9, R, 2),
    (-2.8, -2.8, R, 2),
    (0.0, 4.0, P, 2),
    (3.9, 0.9, P, 2),
    (0.0, -5.0, P, 2),
    (8.0, 13.85, P, 2),
    (-8.0, 0.0, P, 2),
    (8.1, 0.0, LEFT, 2),
    (-8.1, 0.0, OTHER_MID, 2),
    (0.0, 13.9, OTHER_MID, 2),
    (5.0, 14.0, OTHER_MID, 2),  # straight above the paint, within 16 ft
    (9.0, 10.0, LEFT, 2),
    (9.0, 14.0, LEFT, 2),
    (-9.0, 14.0, OTHER_MID, 2),
    (4.0, 18.0, OTHER_MID, 2),  # 12.5 degrees: centre
    (7.0, 18.0, LEFT, 2),  # 21 degrees: left
    (-7.0, 18.0, OTHER_MID, 2),
    (21.9, 0.0, LEFT, 2),
    (22.0, 0.0, CORNER, 3),
    (-22.0, 8.75, CORNER, 3),
    (24.9, -5.2, CORNER, 3),
    (22.0, 8.8, LEFT, 2),  # above the corner the arc decides
    (22.1, 8.8, ARC, 3),
    (0.0, 23.7, OTHER_MID, 2),
    (0.0, 23.75, ARC, 3),
    (-20.0, 20.0, ARC, 3),
    (0.0, 41.95, ARC, 3),
    (0.0, 42.0, BACK, 3),
    (10.0, 80.0, BACK, 3),
]
places = st.tuples(st.floats(-25, 25), st.floats(-5.25, 88.75))


@pytest.mark.parametrize(("x_ft", "y_ft", "zone", "points"), GOLDEN)
def test_places_have_the_zone_and_value_the_rules_give_them(x_ft, y_ft, zone, points):
    """Every place of the golden table has its zone and its points."""
    assert (Zone(int(court.zone(x_ft, y_ft))), int(court.shot_value(x_ft, y_ft))) == (zone, points)


def test_arrays_are_answered_place_by_place():
    """An array of places gives what each place gives alone, as whole numbers."""
    x, y = np.array(GOLDEN, float)[:, :2].T
    assert court.zone(x, y).tolist() == [row[2] for row in GOLDEN]
    assert court.shot_value(x, y).tolist() == [row[3] for row in GOLDEN]
    assert court.zone(x, y).dtype == court.shot_value(x, y).dtype == np.int64
    assert court.zone(x[:0], y[:0]).shape == court.shot_value(x[:0], y[:0]).shape == (0,)


@given(places)
def test_the_court_is_symmetric(place):
    """A mirrored place has the same distance, value and zone; only the mid-range tells sides."""
    x, y = place
    assert court.distance_ft(-x, y) == court.distance_ft(x, y)
    assert court.shot_value(-x, y) == court.shot_value(x, y)
    here, there = int(court.zone(x, y)), int(court.zone(-x, y))
    assert here == there or {here, there} == {LEFT, OTHER_MID}


@given(places)
def test_zones_agree_with_values(place):
    """Three-point zones are worth 3, the zones inside the arc 2."""
    zone, points = Zone(int(court.zone(*place))), int(court.shot_value(*place))
    if zone in {ARC, CORNER}:
        assert points == 3
    elif zone is not BACK:
        assert points == 2


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_any_number_has_a_zone(x, y):
    """Nothing raises: a place that is none lies in the backcourt or other."""
    assert 1 <= int(court.zone(x, y)) <= 7
    if not np.isfinite([x, y]).all():
        assert int(court.zone(x, y)) == BACK
    assert np.isnan(court.distance_ft(np.nan, 1.0))


def test_distance_and_angle_are_those_of_the_frame():
    """Distances are Pythagoras's in feet; angles are 0 straight on, +90 to the left."""
    assert court.distance_ft(3, 4) == 5.0
    x, y = np.array([0.0, 0, 5, -5, 5]), np.array([0.0, 9, 0, 0, 5])
    assert court.angle_deg(x, y).tolist() == [0, 0, 90, -90, 45]


def test_every_zone_has_a_label():
    """Labels are there for all zones and differ."""
    assert len({zone.label for zone in Zone}) == len(Zone)
