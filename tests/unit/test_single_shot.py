"""One shot alone gets what it gets among others: the same features to the bit, the same answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.features import matrix as features
from parivision.features.form import Form
from parivision.models.bundle import WITH_ACTION, WITHOUT_ACTION, Bundle, Part, blended
from parivision.models.single_shot import CourtPosition, SingleShotPredictor
from parivision.models.training import History
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.shots.actions import MODIFIERS
from parivision.shots.court import Zone
from parivision.shots.facts import NO_ACTION, Facts, from_records
from parivision.shots.league import FRANCHISE, TEAM_ABBREVIATIONS

TODAY = date(2024, 1, 31)
ACTIONS = [
    *("Jump Shot", "Driving  LAYUP Shot", "Alley Oop Dunk Shot", "Tip Shot", "Hook Shot", " "),
    *(f"{words} shot" for words in MODIFIERS.values()),
]
PLAYERS = [1, 201939, 2**24 + 1, 2**63 - 1]


def _maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


PLACES = st.tuples(st.floats(-26, 26), st.floats(-6, 90)) | st.tuples(
    # To the tenth, as the league records places, and on the lines of the zones.
    st.integers(-260, 260).map(lambda tenths: tenths / 10),
    st.integers(-60, 900).map(lambda tenths: tenths / 10),
)


@st.composite
def shots(draw: st.DrawFn, players: Sequence[int] = PLAYERS) -> dict[str, Any]:
    """Any shot that a request may carry; optional facts are there, null, or left out."""
    x, y = draw(PLACES)
    optional = {
        "team_id": _maybe(st.sampled_from([*TEAM_ABBREVIATIONS, 7])),
        "home_team": _maybe(st.sampled_from([*FRANCHISE, "?"])),
        "away_team": _maybe(st.sampled_from([*FRANCHISE, "?"])),
        "shot_value": _maybe(st.sampled_from([2, 3])),
        "action_type": _maybe(st.sampled_from(ACTIONS) | st.text(max_size=20)),
        "since_last_shot_s": _maybe(st.floats(0, 5000)),
        "last_shot_own": _maybe(st.sampled_from([False, True, 0, 1])),
        "last_shot_made": _maybe(st.booleans()),
        "player_attempts": _maybe(st.integers(0, 200)),
        "player_makes": _maybe(st.integers(0, 200)),
    }
    return {
        "player_id": draw(st.sampled_from(players)),
        "period": draw(st.integers(1, 14)),
        "clock_s": draw(st.floats(0, 720)),
        "x_ft": x,
        "y_ft": y,
        **draw(st.fixed_dictionaries({}, optional=optional)),
    }


class Seen:
    """An estimator that keeps what it is asked about, and says a half."""

    kind = "seen"
    rounds = None

    def __init__(self) -> None:
        self.row: np.ndarray[Any, Any] | None = None

    def predict(self, matrix: Any) -> Any:
        """Keep the first row."""
        self.row = np.array(matrix[0])
        return np.full(len(matrix), 0.5)

    def one(self, row: Sequence[float]) -> float:
        """Keep the row as a matrix would hold it."""
        self.row = np.array(row, np.float32)
        return 0.5

    def importances(self) -> None:
        """None."""

    def save(self, path: Any) -> None:
        """Not kept."""


@pytest.fixture(scope="module")
def form(league_history: History) -> Form:
    """A form that knows the league of the tests."""
    walked = Form()
    walked.walk(league_history.facts, league_history.made)
    return walked


@pytest.fixture(scope="module")
def players(league_history: History) -> list[int]:
    """Some of its players, and others."""
    return [*np.unique(league_history.facts.player_id)[:20].tolist(), *PLAYERS]


def _facts(shot: Mapping[str, Any]) -> Facts:
    return from_records([shot], TODAY)


@pytest.mark.parametrize("feature_set", features.FEATURE_SETS)
@given(data=st.data())
def test_features_of_one_shot_are_those_of_many(feature_set, form, players, data):
    """Every feature of every shot that a request may carry is the same float32."""
    shot = data.draw(shots(players))
    seen = {name: Seen() for name in (WITH_ACTION, WITHOUT_ACTION)}
    names = features.FEATURE_SETS[feature_set]
    bundle = Bundle("seen", "full", {key: Part(names, seen[key]) for key in seen}, form)
    facts = _facts(shot)
    asked = seen[WITHOUT_ACTION if facts.action[0] == NO_ACTION else WITH_ACTION]
    said = SingleShotPredictor(bundle)(shot)
    alone = asked.row
    bundle.predict(facts)
    assert alone is not None
    assert asked.row is not None
    differ = ~((alone == asked.row) | (np.isnan(alone) & np.isnan(asked.row)))
    assert [name for name, is_other in zip(names, differ, strict=True) if is_other] == []
    assert said.shot_value == facts.shot_value[0]


@given(place=PLACES)
def test_places_are_those_of_the_court(place):
    """Distance, angle, value and zone are the court's, on its lines too."""
    from parivision.shots import court

    x, y = place
    found = CourtPosition.of(x, y)
    assert found.zone == court.zone(x, y)
    assert found.value == court.shot_value(x, y)
    assert found.distance_ft == court.distance_ft(x, y)
    assert found.angle_deg == court.angle_deg(x, y)
    assert found.zone in set(Zone)


@pytest.fixture(scope="module", params=["alone", "with an older model"])
def asked(
    league_bundle: Bundle, request: pytest.FixtureRequest
) -> tuple[Bundle, SingleShotPredictor]:
    """A model, and the same ready for single shots."""
    alone = request.param == "alone"
    bundle = league_bundle if alone else blended(league_bundle, league_bundle)
    return bundle, SingleShotPredictor(bundle)


@given(data=st.data())
def test_one_shot_gets_the_answer_of_many(asked, players, data):
    """Trees, recalibration and an older model's say included, to the last digits."""
    bundle, single = asked
    shot = data.draw(shots(players))
    expected = bundle.predict(_facts(shot))[0]
    assert single(shot).p_made == pytest.approx(expected, rel=0, abs=1e-12)


def test_a_bundle_without_trees_for_actions_answers_them_too(league_bundle):
    """A family that cannot use an action answers a shot that has one."""
    plain = replace(league_bundle, parts={WITHOUT_ACTION: league_bundle.parts[WITHOUT_ACTION]})
    for shot in (SMALL_SHOT, FULL_SHOT):
        expected = plain.predict(from_records([shot | {"game_date": None}], TODAY))[0]
        assert SingleShotPredictor(plain)(shot).p_made == pytest.approx(expected, rel=0, abs=1e-12)
