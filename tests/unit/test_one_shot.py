"""One shot alone gets what it gets among others: the same features to the bit, the same answer."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.features import kernel, tables
from parivision.features.form import Form
from parivision.features.inputs import InputsOfMany, InputsOfOne
from parivision.features.rows import advance, lookup, walk
from parivision.models import families
from parivision.models.bundle import WITHOUT_ACTION, Bundle, blended
from parivision.models.families import FAMILIES
from parivision.models.training import History, Recipe, train
from parivision.serving.client import requests_of
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.requests import parse
from parivision.serving.shot import Rows, Shot
from parivision.shots.actions import MODIFIERS
from parivision.shots.facts import Facts, from_columns, from_records
from parivision.shots.league import FRANCHISE, TEAM_ABBREVIATIONS
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate

TODAY = date(2024, 1, 31)
ACTIONS = [
    *("Jump Shot", "Driving  LAYUP Shot", "Alley Oop Dunk Shot", "Tip Shot", "Hook Shot", " "),
    *(f"{words} shot" for words in MODIFIERS.values()),
]
SHOTS = 10_000
CHAMPION = ChampionRecord("shots", "1")
NAMES = (*kernel.FEATURES, *kernel.CLASSIC)
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


@pytest.fixture(scope="module")
def form(league_history: History) -> Form:
    """A form that knows the league of the tests."""
    walked = Form()
    advance(walked, league_history.facts, league_history.made)
    return walked


@pytest.fixture(scope="module")
def players(league_history: History) -> list[int]:
    """Some of its players, and others."""
    return [*np.unique(league_history.facts.player_id)[:20].tolist(), *PLAYERS]


def _facts(shot: Mapping[str, Any]) -> Facts:
    return from_records([shot], TODAY)


@given(data=st.data())
def test_plain_numbers_and_columns_give_the_same_features(form, players, data):
    """Every feature of every shot that a request may carry is the same number, to the last bit."""
    shot = data.draw(shots(players))
    many = kernel.row(NAMES)(InputsOfMany(form, _facts(shot).actions)(_facts(shot)), form.tables())
    one = kernel.row(NAMES)(InputsOfOne(form)(shot), form.tables(is_for_one=True))
    pairs = zip(NAMES, one, many, strict=True)
    differ = [name for name, x, y in pairs if not np.array_equal([x], y, equal_nan=True)]
    assert differ == []


def test_thousands_of_requests_get_the_features_of_training():
    """What requests bring, in JSON, makes the rows that training walked over, bit by bit."""
    config = SyntheticConfig(seed=3, seasons=(2023,), games_a_season=120)
    shots = tables.in_time_order(generate(config).drop(P_TRUE))
    early, late = shots[:-SHOTS], shots[-SHOTS:]
    # All of the last thousands on one day, as of whose morning they are asked about.
    late = late.with_columns(game_date=pl.lit(TODAY))
    facts = tables.facts_from_shots(late)
    form = Form()
    advance(form, tables.facts_from_shots(early), tables.made_array(early))
    morning = form.copy()
    trained = walk(form, facts, tables.made_array(late))
    morning.learn_names(facts)
    morning.decay_to(int(facts.day[0]))  # the night passes
    inputs_of, as_of = InputsOfOne(morning), morning.tables(is_for_one=True)
    row = kernel.row(kernel.FEATURES)
    sent = [parse(json.dumps(request).encode()).shots[0] for request in requests_of(late)]
    alone = np.array([row(inputs_of(shot), as_of) for shot in sent], np.float32)
    assert alone.tobytes() == trained.values.tobytes()
    in_list = parse(json.dumps({"shots": requests_of(late)}).encode()).shots
    among = lookup(morning, from_columns(*Rows.of(in_list), TODAY))
    assert among.values.tobytes() == trained.values.tobytes()


@pytest.fixture(scope="module", params=["alone", "with an older model"])
def predictor(league_bundle: Bundle, request: pytest.FixtureRequest) -> Predictor:
    """A model, alone or blended, ready to answer."""
    alone = request.param == "alone"
    bundle = league_bundle if alone else blended(league_bundle, league_bundle)
    return Predictor(bundle, CHAMPION)


@given(data=st.data())
def test_one_shot_gets_the_answer_of_many(predictor, players, data):
    """Trees, recalibration and an older model's say included, to the last digits."""
    shot = data.draw(shots(players))
    many, one = predictor.answer([shot]), predictor.answer_one(shot)
    assert one.p_made == pytest.approx(many.p_made[0], rel=0, abs=1e-12)
    assert one.expected_points == pytest.approx(many.expected_points[0], rel=0, abs=1e-11)
    assert one.zone == many.zone[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_answers_one_shot_as_it_answers_many(
    family, league_history, league_split, league_shots, monkeypatch
):
    """Shots with and without an action, from JSON to a probability, alone and in a list."""
    monkeypatch.setattr(families, "THREADS", 1)
    monkeypatch.setattr(families, "MAX_ROUNDS", 12)
    predictor = Predictor(train(league_history, league_split, Recipe(family)), CHAMPION)
    sent = requests_of(league_shots.tail(60))
    sent += [{k: v for k, v in shot.items() if k != "action_type"} for shot in sent]
    asked = parse(json.dumps({"shots": sent}).encode()).shots
    alone = [predictor.answer_one(shot).p_made for shot in asked]
    np.testing.assert_allclose(alone, predictor.answer(asked).p_made, rtol=0, atol=1e-12)


def test_a_bundle_without_trees_for_actions_answers_them_too(league_bundle):
    """A family that cannot use an action answers a shot that has one."""
    plain = replace(league_bundle, parts={WITHOUT_ACTION: league_bundle.parts[WITHOUT_ACTION]})
    for shot in (cast("Shot", SMALL_SHOT), cast("Shot", FULL_SHOT)):
        expected = plain.predict(from_records([shot | {"game_date": None}], TODAY))[0]
        found = Predictor(plain, CHAMPION).answer_one(shot).p_made
        assert found == pytest.approx(expected, rel=0, abs=1e-12)
