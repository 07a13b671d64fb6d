"""Explanations of shots: they add up, blame what was told, and give the interval that was seen."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from parivision.features import tables
from parivision.models.bundle import Bundle, blended
from parivision.models.explanation import GROUPS, NOBODY, PLACE, band, explain, league_rate
from parivision.models.recalibration import logit
from parivision.scoring.scores import reliability
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.shots.facts import from_records

TODAY = date(2023, 1, 1)
FULL = {**FULL_SHOT, "game_date": TODAY}


def log_odds(p_made: float) -> float:
    """Log odds of one probability."""
    return float(logit(np.array(p_made)))


@pytest.mark.parametrize("shot", [SMALL_SHOT, FULL])
def test_contributions_add_up_to_the_answer(small_bundle: Bundle, shot: dict[str, Any]) -> None:
    """The league's log odds and all contributions are the log odds that are served."""
    said = explain(small_bundle, shot, TODAY)
    assert said.p_made == small_bundle.predict(from_records([shot], TODAY))[0]
    total = log_odds(said.league_rate) + sum(said.contributions.values())
    assert total == pytest.approx(log_odds(said.p_made), abs=1e-9)
    assert set(said.contributions) == {PLACE, *GROUPS}


def test_a_blend_is_explained_as_a_whole(small_bundle: Bundle) -> None:
    """Two models that answer together are explained together."""
    said = explain(blended(small_bundle, small_bundle), FULL, TODAY)
    total = log_odds(said.league_rate) + sum(said.contributions.values())
    assert total == pytest.approx(log_odds(said.p_made), abs=1e-9)


def test_what_was_not_told_adds_nothing(small_bundle: Bundle) -> None:
    """A shot without action and teams owes them nothing, to the last digit; its place it does."""
    told = explain(small_bundle, SMALL_SHOT, TODAY).contributions
    assert told["action"] == 0
    assert told["team and opponent"] == 0
    assert told[PLACE] != 0


def test_a_group_alone_is_what_it_changes(small_bundle: Bundle) -> None:
    """With one group told, its share is the whole difference to the plain shot."""
    plain = {"player_id": NOBODY, "period": 2, "clock_s": 360.0, "x_ft": 0.0, "y_ft": 1.0}
    dunk = {**plain, "action_type": "Slam Dunk Shot"}
    before, after = small_bundle.predict(from_records([plain, dunk], TODAY))
    share = explain(small_bundle, dunk, TODAY).contributions["action"]
    assert share == pytest.approx(log_odds(after) - log_odds(before), abs=1e-9)
    assert share > 0


def test_the_league(small_bundle: Bundle, synthetic_shots: pl.DataFrame) -> None:
    """Its rate is near what it made."""
    rate = league_rate(small_bundle.form)
    assert rate == pytest.approx(synthetic_shots["made"].mean(), abs=0.03)


def test_the_interval_is_the_bins(small_bundle: Bundle, synthetic_shots: pl.DataFrame) -> None:
    """At a bin's mean the interval is the bin's own, and it stays within 0 and 1."""
    made = tables.made_array(synthetic_shots)
    p_made = small_bundle.predict(tables.facts_from_shots(synthetic_shots))
    bins = reliability(made, p_made).to_dicts()
    for row in bins:
        around = band(bins, row["mean_p_made"])
        assert around is not None
        assert (around.low, around.high) == pytest.approx((row["low"], row["high"]))
    for said in (0.0, 1.0):
        around = band(bins, said)
        assert around is not None
        assert 0 <= around.low <= around.high <= 1


def test_fewer_shots_make_a_wider_interval() -> None:
    """A tenth of the shots leaves about three times the doubt."""
    rng = np.random.default_rng(0)
    p_made = rng.uniform(0.2, 0.8, 20_000)
    made = (rng.random(20_000) < p_made).astype(float)
    many = band(reliability(made, p_made).to_dicts(), 0.5)
    few = band(reliability(made[:2000], p_made[:2000]).to_dicts(), 0.5)
    assert many is not None
    assert few is not None
    assert 2.5 < (few.high - few.low) / (many.high - many.low) < 4


def test_without_bins_there_is_no_interval() -> None:
    """An interval is never invented."""
    assert band((), 0.5) is None
