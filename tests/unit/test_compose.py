"""Steps joined by the names of their parameters."""

import pytest

from parivision.errors import ModelError
from parivision.features.compose import Steps


class Shot:
    """Two facts."""

    x_ft = 3.0
    y_ft = 4.0


@pytest.fixture
def steps() -> Steps:
    """A few features, and a note of what was computed."""
    steps = Steps(("x_ft", "y_ft"))
    steps.fact("place", "x_ft")
    computed: list[str] = []
    steps.computed = computed  # type: ignore[attr-defined]

    @steps.step
    def square(x_ft, y_ft):
        computed.append("square")
        return x_ft * x_ft + y_ft * y_ft

    @steps.feature("place")
    def distance_ft(square):
        computed.append("distance_ft")
        return square**0.5

    @steps.feature("form")
    def rate(form, distance_ft):
        computed.append("rate")
        return form["rate"] / distance_ft

    steps.alias("known", "Distance", "distance_ft")
    return steps


def test_features_come_in_the_order_that_is_asked_for(steps):
    """A fact, a feature and one by another name, each made of what its parameters name."""
    row = steps.row(("rate", "x_ft", "Distance"))
    assert row(Shot, {"rate": 10.0}) == (2.0, 3.0, 5.0)


def test_only_what_is_needed_is_computed(steps):
    """Each step runs at most once for a shot, and not at all if nothing asked for needs it."""
    assert steps.row(("y_ft",))(Shot, {}) == (4.0,)
    assert steps.computed == []
    assert steps.row(("distance_ft", "Distance"))(Shot, {}) == (5.0, 5.0)
    assert steps.computed == ["square", "distance_ft"]
    assert steps.row(())(Shot, {}) == ()


def test_names_and_their_order_are_those_of_the_definitions(steps):
    """A group lists its features as they were defined; a step is none of them."""
    assert steps.group("place") == ("x_ft", "distance_ft")
    assert steps.group("known") == ("Distance",)
    assert steps.meant("Distance") == "distance_ft"


def test_a_feature_that_cannot_be_made_is_refused_when_it_is_defined(steps):
    """What it needs must be there before it, its name must be free, and a fact must be one."""

    def height(distance_ft, weight):
        return distance_ft + weight

    with pytest.raises(ModelError, match=r"feature height needs \['weight'\]"):
        steps.step(height)
    with pytest.raises(ModelError, match="feature rate is there already"):
        steps.define("place", "rate", lambda x_ft: x_ft)
    with pytest.raises(ModelError, match="feature height has no function and is no fact"):
        steps.fact("place", "height")
    with pytest.raises(ModelError, match="feature Height is height, which is no fact"):
        steps.alias("known", "Height", "height")
    with pytest.raises(ModelError, match=r"unknown features \['height'\]"):
        steps.row(("x_ft", "height"))
