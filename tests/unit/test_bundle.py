"""The bundle: who answers which shot, how its state moves, and how it is kept."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parivision.errors import ModelError
from parivision.features.rows import lookup
from parivision.models.bundle import (
    CARD,
    FORM,
    NEWER_SHARE,
    PARTNER,
    WITH_ACTION,
    WITHOUT_ACTION,
    Bundle,
    Part,
    blended,
)
from parivision.models.estimators import Constant
from parivision.models.recalibration import Recalibration
from parivision.shots.facts import from_records

TODAY = date(2023, 4, 1)
SHOT = {"player_id": 7, "period": 2, "clock_s": 30.5, "x_ft": 1.0, "y_ft": 24.0}


@pytest.fixture
def bundle(league_bundle):
    """The league's model, free to move."""
    return league_bundle.copy()


@pytest.fixture(scope="module")
def later(league_history, league_split):
    """The games after the model's last day, with their outcomes."""
    rows = league_split.later(league_history.facts.day)
    return league_history.facts.take(rows), league_history.made[rows]


def _told(bundle, p_with, p_without):
    """A bundle of two constants, to see which part answered."""
    parts = {
        WITHOUT_ACTION: Part(("x_ft",), Constant(p_without)),
        WITH_ACTION: Part(("x_ft",), Constant(p_with)),
    }
    return replace(bundle, parts=parts)


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_shot_is_answered_by_the_part_that_knows_as_much(bundle):
    """With an action the part that uses it answers, without one the other, in any mixture."""
    words = ["Jump Shot", None, "Never Heard Of", "  "]
    facts = from_records([{**SHOT, "action_type": text} for text in words], TODAY)
    both = _told(bundle, 0.8, 0.3)
    np.testing.assert_allclose(both.predict(facts), [0.8, 0.3, 0.8, 0.3])
    followed = both.copy().follow(facts, np.array([1.0, 0, 1, 0]), lookup(bundle.form, facts))
    np.testing.assert_allclose(followed, [0.8, 0.3, 0.8, 0.3])
    alone = replace(both, parts={WITHOUT_ACTION: both.parts[WITHOUT_ACTION]})
    np.testing.assert_allclose(alone.predict(facts), [0.3] * 4)


def test_a_shot_is_answered_the_same_alone_and_among_others(bundle, later):
    """The probability of a shot does not depend on the other shots of a request."""
    facts = later[0].take(slice(0, 60))
    together = bundle.predict(facts)
    alone = [bundle.predict(facts.take(slice(i, i + 1)))[0] for i in range(60)]
    assert together.tolist() == alone


def test_no_shots_have_no_answers(bundle):
    """Zero shots are answered, walked over and refreshed with nothing."""
    none = from_records([], TODAY)
    assert bundle.predict(none).shape == bundle.walk(none, np.empty(0)).shape == (0,)
    assert bundle.refreshed(none, np.empty(0)).form.as_of_day == bundle.form.as_of_day


def test_walking_gives_what_each_morning_would_have_answered(bundle, later):
    """Walked over, a day's shots get what the bundle refreshed the night before would say."""
    facts, made = later
    walked = bundle.copy().walk(facts, made)
    for day, rows in list(facts.by_day())[1:3]:
        before = slice(0, rows.start)
        morning = bundle.refreshed(facts.take(before), made[before])
        morning.form.decay_to(day)  # the night passes
        for part in morning.parts.values():
            part.recalibration.walk(np.array([]), np.array([]), [(day, slice(0, 0))])
        np.testing.assert_allclose(morning.predict(facts.take(rows)), walked[rows], atol=1e-9)


def test_outcomes_of_a_day_do_not_reach_its_own_answers(bundle, later):
    """Other outcomes on the last day leave all answers as they are."""
    facts, made = later
    *_, (_, last) = facts.by_day()
    changed = made.copy()
    changed[last] = 1 - changed[last]
    before, after = (bundle.copy().walk(facts, labels) for labels in (made, changed))
    assert before.tobytes() == after.tobytes()


def test_refreshing_twice_changes_nothing(bundle, later, tmp_path):
    """Refreshed with the same games again, or in two parts, the bundle is the same."""
    facts, made = later
    once = bundle.refreshed(facts, made)
    assert once.form.as_of_day == facts.day[-1]
    assert once.card["known_through"] == str(date.fromordinal(719163 + int(facts.day[-1])))
    twice = once.refreshed(facts, 1 - made)
    for name, refreshed in (("once", once), ("twice", twice)):
        refreshed.save(tmp_path / name)
    assert _files(tmp_path / "once") == _files(tmp_path / "twice")


def test_refreshing_leaves_the_original_as_it_was(bundle, later, tmp_path):
    """A refreshed bundle is another one; what it came from answers as before."""
    bundle.save(tmp_path / "before")
    bundle.refreshed(*later)
    bundle.rebuilt(*later)
    bundle.save(tmp_path / "after")
    assert _files(tmp_path / "before") == _files(tmp_path / "after")


def test_a_rebuilt_bundle_has_forgotten_later_games(bundle, league_history, league_split, later):
    """Rebuilt from the games up to a day it answers as it did on that day, whatever it learnt."""
    rows = slice(0, league_split.later(league_history.facts.day).start)
    history = league_history.facts.take(rows), league_history.made[rows]
    grown = bundle.refreshed(*later)
    np.testing.assert_allclose(
        grown.rebuilt(*history).predict(later[0]), bundle.predict(later[0]), atol=1e-12
    )


def test_rebuilding_does_not_recalibrate_on_training_games(bundle, league_history):
    """A part that was settled without an action counts only games after the others' settling."""
    bundle.parts[WITH_ACTION] = replace(bundle.parts[WITH_ACTION], settled=Recalibration())
    settled = bundle.parts[WITHOUT_ACTION].settled.as_of_day
    facts = league_history.facts
    known = slice(0, int(np.searchsorted(facts.day, settled, "right")))
    past = bundle.rebuilt(facts.take(known), league_history.made[known])
    assert past.parts[WITH_ACTION].recalibration.as_of_day is None


def test_the_same_bundle_gives_the_same_bytes(bundle, later, tmp_path):
    """Saved twice, and loaded and saved again, the files are the same and so are the answers."""
    for name in ("one", "two"):
        bundle.save(tmp_path / name)
    loaded = Bundle.load(tmp_path / "one")
    loaded.save(tmp_path / "three")
    assert _files(tmp_path / "one") == _files(tmp_path / "two") == _files(tmp_path / "three")
    assert loaded.predict(later[0]).tobytes() == bundle.predict(later[0]).tobytes()
    assert (loaded.family, loaded.feature_set) == (bundle.family, bundle.feature_set)
    assert loaded.card == bundle.card


def test_saving_replaces_another_bundle(bundle, tmp_path):
    """No file of a bundle that was there before is left behind."""
    bundle.save(tmp_path / "bundle")
    small = replace(bundle, parts={WITHOUT_ACTION: bundle.parts[WITHOUT_ACTION]})
    small.save(tmp_path / "bundle")
    assert set(_files(tmp_path / "bundle")) == {CARD, FORM, "without_action.model"}
    assert set(Bundle.load(tmp_path / "bundle").parts) == {WITHOUT_ACTION}


def test_importances_name_the_features_of_the_better_part(bundle):
    """They are shares by name, of the part that uses the action; a constant has none."""
    shares = bundle.importances()
    assert set(shares) == set(bundle.parts[WITH_ACTION].names)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert _told(bundle, 0.5, 0.5).importances() == {}


def test_of_two_models_the_newer_has_the_larger_say(bundle, later):
    """The log odds of both are averaged, the newer one's weighing more; neither changes."""
    newer, older = (_told(bundle, p, p) for p in (0.6, 0.4))
    blend = blended(newer, older)
    odds = NEWER_SHARE * np.log(0.6 / 0.4) + (1 - NEWER_SHARE) * np.log(0.4 / 0.6)
    np.testing.assert_allclose(blend.predict(later[0]), 1 / (1 + np.exp(-odds)))
    facts, made = later
    followed = blend.copy().follow(facts, made, lookup(blend.form, later[0]))
    assert len(followed) == len(later[0])
    assert set(newer.predict(later[0])) == {0.6}
    assert blend.card["partner"]["family"] == older.family


def test_a_champion_never_grows(bundle):
    """A blend that becomes the older model gives its newer half only."""
    one, two, three = (_told(bundle, p, p) for p in (0.3, 0.4, 0.5))
    blend = blended(three, blended(two, one))
    for part in blend.parts.values():
        members = [each.estimator for each in part.members()]
        assert [each.p_made for each in members if isinstance(each, Constant)] == [0.5, 0.4]
    assert "partner" not in blend.card["partner"]


def test_a_model_without_actions_may_be_half_of_a_blend(bundle, later):
    """Shots with an action are answered by its only part and the other's better one."""
    untold = replace(_told(bundle, 0.3, 0.9), parts={WITHOUT_ACTION: bundle.parts[WITHOUT_ACTION]})
    for newer, older in ((bundle, untold), (untold, bundle)):
        blend = blended(newer, older)
        assert set(blend.parts) == {WITH_ACTION, WITHOUT_ACTION}
        kinds = [part.estimator for part in blend.parts[WITH_ACTION].members()]
        assert kinds == [
            each.parts.get(WITH_ACTION, each.parts[WITHOUT_ACTION]).estimator
            for each in (newer, older)
        ]


def test_models_of_different_days_are_not_blended(bundle, later):
    """One form serves both, so both must know the same games."""
    with pytest.raises(ModelError, match="refresh both with the same games"):
        blended(bundle.refreshed(*later), bundle)


def test_a_blend_walks_and_is_kept_like_any_model(bundle, league_history, later, tmp_path):
    """Saved, loaded, refreshed and rebuilt, a blend answers as its two models averaged."""
    facts, made = later
    blend = blended(bundle, bundle)
    np.testing.assert_allclose(blend.predict(facts), bundle.predict(facts), atol=1e-12)
    blend.save(tmp_path)
    names = {f"{part}{end}.model" for part in bundle.parts for end in ("", PARTNER)}
    assert set(_files(tmp_path)) == {CARD, FORM, *names}
    loaded = Bundle.load(tmp_path)
    assert loaded.predict(facts).tobytes() == blend.predict(facts).tobytes()
    moved, alone = loaded.refreshed(facts, made), bundle.refreshed(facts, made)
    np.testing.assert_allclose(moved.predict(facts), alone.predict(facts), atol=1e-12)
    known = slice(0, len(league_history.facts) - len(facts))
    again = moved.rebuilt(league_history.facts.take(known), league_history.made[known])
    np.testing.assert_allclose(again.predict(facts), bundle.predict(facts), atol=1e-9)


@pytest.mark.parametrize("name", [CARD, FORM, "with_action.model", "without_action.model"])
def test_a_missing_file_is_a_clear_error(name, bundle, tmp_path):
    """Without any one of its files a folder holds no usable bundle."""
    bundle.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ModelError, match=r"no usable bundle .*parivision train"):
        Bundle.load(tmp_path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_a_clear_error(bundle, tmp_path, data):
    """Cut off or with bytes changed, no file is taken for what it was."""
    bundle.save(tmp_path)
    name = data.draw(st.sampled_from([FORM, "with_action.model", "without_action.model"]))
    content = (tmp_path / name).read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    damaged = content[:at] if cut else content[:at] + b"\xff" + content[at + 1 :]
    (tmp_path / name).write_bytes(damaged)
    if damaged == content:
        Bundle.load(tmp_path)
    else:
        with pytest.raises(ModelError, match=f"{name} is damaged"):
            Bundle.load(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_other_card_is_a_clear_error(bundle, tmp_path, data):
    """A card with a value of the wrong kind, or cut off, is never half believed."""
    bundle.save(tmp_path)
    card = json.loads((tmp_path / CARD).read_text())
    part = card["parts"]["with_action"]
    target, key = data.draw(
        st.sampled_from(
            [
                (card, "parts"),
                (card, "digests"),
                (card["parts"], "with_action"),
                (part, "kind"),
                (part, "recalibration"),
            ]
        )
    )
    target[key] = data.draw(JSON)
    text = json.dumps(card)
    whole = data.draw(st.booleans())
    (tmp_path / CARD).write_text(
        text if whole else text[: data.draw(st.integers(0, len(text) - 1))]
    )
    with pytest.raises(ModelError):
        Bundle.load(tmp_path)
