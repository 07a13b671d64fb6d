"""Form: what it counts, what it must not see, and that nothing is lost when it is kept."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.features import tables
from parivision.features.form import PRIOR_RATE, SHRINKAGE, Form
from parivision.features.rows import lookup, walk
from parivision.shots.facts import Facts, from_records
from tiny_league import BOS, DEN, LAL, SMALL_TABLES, shot, table

TODAY = date(2024, 2, 3)
FEATURES = (
    *("rate_zone", "rate_place", "rate_action", "action_distance", "player_overall"),
    *("player_recent", "player_zone", "player_zone_action", "player_family"),
    *("player_zone_share", "player_volume", "team_zone", "opponent_zone"),
)
# Features are float32.
RTOL, ATOL = 1e-6, 1e-7


def _walked(shots) -> Form:
    form = Form()
    walk(form, tables.facts_from_shots(shots), tables.made_array(shots))
    return form


def _assert_same_state(one: Form, other: Form) -> None:
    left, right = one.to_arrays(), other.to_arrays()
    assert left.keys() == right.keys()
    for name, values in left.items():
        assert values.dtype == right[name].dtype, name
        assert values.tobytes() == right[name].tobytes(), name


def _assert_same_columns(one, other, rows=slice(None)) -> None:
    assert one.names == other.names
    for name in FEATURES:
        assert one[name][rows].tobytes() == other[name][rows].tobytes(), name


@settings(max_examples=40)
@given(SMALL_TABLES, st.integers(0, 6), st.randoms())
def test_no_shot_sees_its_own_day_or_later(shots, cut, random):
    """Other outcomes on a day and after it change no feature up to that day, by a single bit."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    day = facts.day.min() + cut
    noise = np.array([random.random() for _ in made])
    changed = np.where(facts.day >= day, noise, made)
    before, after = walk(Form(), facts, made), walk(Form(), facts, changed)
    _assert_same_columns(before, after, facts.day <= day)


@settings(max_examples=40)
@given(SMALL_TABLES, st.integers(0, 6))
def test_what_is_served_is_what_was_trained_on(shots, cut):
    """Looked up on a day's morning, shots of that day have the features that the walk gave them."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    columns = walk(Form(), facts, made)
    day = int(np.unique(facts.day)[cut % len(np.unique(facts.day))])
    earlier, today = facts.day < day, facts.day == day
    form = Form()
    walk(form, facts.take(earlier), made[earlier])
    form.learn_names(facts)
    form.decay_to(day)  # the night passes
    served = lookup(form, facts.take(today))
    for name in FEATURES:
        assert served[name].tobytes() == columns[name][today].tobytes(), name


@settings(max_examples=40)
@given(SMALL_TABLES)
def test_walking_twice_changes_nothing(shots):
    """Games already counted are looked up as of now and not counted again."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    form = _walked(shots)
    once = form.copy()
    again = walk(form, facts, 1 - made)
    _assert_same_state(form, once)
    _assert_same_columns(again, lookup(once, facts))


@settings(max_examples=40)
@given(SMALL_TABLES, st.integers(0, 7))
def test_walking_in_parts_is_walking_at_once(shots, cut):
    """A history in two parts, or with the first part repeated, ends in the same state."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    whole = Form()
    columns = walk(whole, facts, made)
    first = facts.day < facts.day.min() + cut
    parts = Form()
    early = walk(parts, facts.take(first), made[first])
    walk(parts, facts, made)
    for name in FEATURES:
        np.testing.assert_allclose(early[name], columns[name][first], rtol=RTOL, atol=ATOL)
    assert parts.as_of_day == whole.as_of_day
    for name, tally in whole.tallies.items():
        found = parts.tallies[name]
        if name not in {"action", "action_distance"}:  # their rows are in the order of learning
            np.testing.assert_allclose(found.attempts, tally.attempts, rtol=1e-12)
            np.testing.assert_allclose(found.successes, tally.successes, rtol=1e-9, atol=1e-12)
    _assert_close_lookups(parts, whole, facts)


def _assert_close_lookups(one: Form, other: Form, facts: Facts) -> None:
    left, right = lookup(one, facts), lookup(other, facts)
    for name in FEATURES:
        np.testing.assert_allclose(left[name], right[name], rtol=RTOL, atol=ATOL)


@settings(max_examples=40)
@given(SMALL_TABLES, st.randoms())
def test_the_order_within_a_day_does_not_matter(shots, random):
    """A day's rows in any order give the same features and the same state."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    order = np.array(random.sample(range(len(facts)), len(facts)))
    order = order[np.argsort(facts.day[order], kind="stable")]
    one, other = Form(), Form()
    columns, shuffled = walk(one, facts, made), walk(other, facts.take(order), made[order])
    for name in FEATURES:
        np.testing.assert_allclose(shuffled[name], columns[name][order], rtol=RTOL, atol=ATOL)
    _assert_close_lookups(one, other, facts)


@settings(max_examples=40)
@given(SMALL_TABLES)
def test_the_state_survives_being_kept(shots):
    """Through arrays and back the state is the same, and moves on the same way."""
    form = _walked(shots)
    kept = Form.from_arrays(form.to_arrays())
    _assert_same_state(kept, form)
    assert (kept.as_of_day, kept.actions) == (form.as_of_day, form.actions)
    _assert_same_columns(
        lookup(kept, tables.facts_from_shots(shots)), lookup(form, tables.facts_from_shots(shots))
    )


@pytest.mark.parametrize("day", [None, date(1946, 11, 1), date(1970, 1, 1), date(2023, 1, 1)])
def test_any_day_survives_being_kept(day):
    """A state that has seen nothing, and one of any year since the first game, keep their day."""
    form = Form() if day is None else _walked(table(shot(game_date=day)))
    kept = Form.from_arrays(form.to_arrays())
    assert kept.as_of_day == form.as_of_day
    _assert_same_state(kept, form)


def test_a_copy_moves_on_its_own():
    """What happens to a copy leaves the original as it was."""
    form = _walked(table(shot()))
    before = form.to_arrays()
    kept = {name: values.copy() for name, values in before.items()}
    later = table(shot(game_date=date(2022, 12, 1), player_id=9, action_type="Hook Shot"))
    walk(form.copy(), tables.facts_from_shots(later), tables.made_array(later))
    for name, values in form.to_arrays().items():
        assert values.tobytes() == kept[name].tobytes()


def test_a_league_nobody_has_seen_has_the_prior_rate():
    """Without any game behind it, every rate is the prior's and every residual is nothing."""
    form = lookup(Form(), tables.facts_from_shots(table(shot(), shot(x_ft=0.0, y_ft=25.0))))
    for name in ("rate_zone", "rate_place", "rate_action"):
        np.testing.assert_allclose(form[name], PRIOR_RATE)
    for name in set(FEATURES) - {"rate_zone", "rate_place", "rate_action"}:
        np.testing.assert_array_equal(form[name], 0.0)


def test_strangers_are_nobody():
    """An unknown player, team or action has no form of its own, whoever else is known."""
    rows = [shot(event_id=i, made=i % 2, player_id=1 + i % 3) for i in range(30)]
    form = _walked(table(*rows))
    spot = {"period": 1, "clock_s": 1, "x_ft": 3.0, "y_ft": 12.0}
    stranger = {**spot, "player_id": 99, "team_id": DEN, "home_team": "DEN", "away_team": "MIA"}
    nobody = {**spot, "player_id": 1, "team_id": BOS, "home_team": "BOS", "away_team": "LAL"}
    found = lookup(
        form, from_records([{**stranger, "action_type": "Never Heard Of Shot"}, nobody], TODAY)
    )
    own = ("player_overall", "player_recent", "player_zone", "player_volume", "player_zone_share")
    for name in (*own, "player_zone_action", "player_family", "team_zone", "opponent_zone"):
        assert found[name][0] == 0.0, name
    assert found["player_volume"][1] == 10.0
    assert found["rate_action"][0] == found["rate_place"][0]
    assert found["action_distance"][0] == 0.0


def test_nobody_never_has_form():
    """Shots without an action leave no trace under "no action", nor teams under "no team"."""
    rows = [shot(event_id=i, action_type=None, home_team="EST", made=1) for i in range(5)]
    form = _walked(table(*rows))
    for name, tally in form.tallies.items():
        if name not in {"zone", "place"}:
            assert not tally.attempts[0].any()
            assert not tally.successes[0].any()
    assert form.tallies["zone"].attempts.sum() == 5


def test_large_numbers_of_players_stay_apart():
    """Ids that a float32 would confuse belong to different players."""
    ids = (2**24, 2**24 + 1, 2**53 + 1, 2**53 + 2, 2**63 - 1)
    form = _walked(table(*(shot(player_id=i, event_id=n) for n, i in enumerate(ids))))
    facts = tables.facts_from_shots(table(*(shot(player_id=i) for i in ids)))
    assert lookup(form, facts)["player_volume"].tolist() == [1.0] * len(ids)


def test_counts_fade_by_their_half_life():
    """After a half-life of days half of the attempts are left, in a rate shrunken accordingly."""
    rows = [shot(event_id=i, made=1) for i in range(10)]
    late = shot(game_date=date(2022, 11, 1 + 0).replace(month=12, day=31), made=0)
    shots = table(*rows, late)
    columns = walk(Form(), tables.facts_from_shots(shots), tables.made_array(shots))
    attempts = 10 * 0.5 ** (60 / 60)
    weight = SHRINKAGE["zone"]
    expected = (attempts + weight * PRIOR_RATE) / (attempts + weight)
    assert columns["rate_zone"][-1] == pytest.approx(expected)
    assert columns["rate_zone"][0] == pytest.approx(PRIOR_RATE)


def test_a_player_is_measured_against_the_place():
    """A player's form is what he makes above the league's rate where he shoots."""
    day = [date(2022, 11, 1), date(2022, 11, 2)]
    rows = [shot(game_date=day[0], event_id=i, player_id=1 + i % 2, made=i % 2) for i in range(40)]
    rows += [shot(game_date=day[1], player_id=1), shot(game_date=day[1], player_id=2)]
    shots = table(*rows)
    columns = walk(Form(), tables.facts_from_shots(shots), tables.made_array(shots))
    cold, hot = columns["player_overall"][-2:]
    assert cold < 0 < hot
    assert columns["player_volume"][-1] == pytest.approx(20 * 0.5 ** (1 / 500))
    away = table(shot(game_date=day[1], team_id=LAL))
    assert tables.facts_from_shots(away).opponent_id.tolist() == [BOS]


@settings(max_examples=30)
@given(st.floats(), st.floats())
def test_any_place_can_be_looked_up(x_ft, y_ft):
    """A place that is none has finite form: it lies in the backcourt or other."""
    spot = {"player_id": 1, "period": 1, "clock_s": 1, "x_ft": x_ft, "y_ft": y_ft}
    found = lookup(Form(), from_records([spot], TODAY), FEATURES)
    assert all(np.isfinite(found[name]).all() for name in FEATURES)


def test_no_shots_change_nothing():
    """A walk over no shots gives empty columns and leaves the state as it was."""
    form = _walked(table(shot()))
    before = form.copy()
    columns = walk(form, tables.facts_from_shots(table()), np.empty(0))
    assert len(columns) == 0
    _assert_same_state(form, before)
