"""Challengers that are made of a champion, which may be a blend of two models."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from parivision.models.bundle import Bundle, blended
from parivision.models.recalibration import logit
from parivision.shots.facts import Floats, from_records
from parivision.simulation.challengers import recalibrated, shifted, squared
from parivision.simulation.traffic import FACTS

Shots = list[Mapping[str, Any]]


@pytest.fixture(params=["alone", "blended"])
def champion(request: pytest.FixtureRequest, small_bundle: Bundle) -> Bundle:
    """A model alone, and one in which a former champion keeps a say."""
    # The former one says much more: dropping it would show.
    return small_bundle if request.param == "alone" else blended(small_bundle, former(small_bundle))


def former(bundle: Bundle) -> Bundle:
    """A model that overrates every shot."""
    return shifted(bundle, 1.5)


@pytest.fixture(scope="module")
def shots(synthetic_shots: pl.DataFrame) -> Shots:
    """Facts as users send them, and how each shot ended; some without the action."""
    records = synthetic_shots.select(FACTS).tail(400).to_dicts()
    without_action = {"action_type": None}
    return [{**shot, **(without_action if n % 3 else {})} for n, shot in enumerate(records)]


def log_odds(bundle: Bundle, shots: Shots) -> Floats:
    """What a bundle says of the shots."""
    facts = [{name: value for name, value in shot.items() if name != "made"} for shot in shots]
    return logit(bundle.predict(from_records(facts, date(2023, 4, 9))))


def test_a_recalibrated_champion_is_level(champion: Bundle, shots: Shots) -> None:
    """As many of the shots go in as it says."""
    p_made = 1 / (1 + np.exp(-log_odds(recalibrated(champion, shots), shots)))
    assert p_made.mean() == pytest.approx(np.mean([shot["made"] for shot in shots]), abs=1e-3)


def test_a_shift_is_by_so_much(champion: Bundle, shots: Shots) -> None:
    """Of every shot's log odds."""
    before, after = log_odds(champion, shots), log_odds(shifted(champion, 0.3), shots)
    np.testing.assert_allclose(after - before, 0.3, atol=1e-9)


def test_squares_are_a_line_of_the_log_odds(champion: Bundle, shots: Shots) -> None:
    """The shots keep their order, and the probabilities are nearly squares."""
    before, after = log_odds(champion, shots), log_odds(squared(champion), shots)
    slope, shift = np.polyfit(before, after, 1)
    np.testing.assert_allclose(after, shift + slope * before, atol=1e-9)
    usual = (before > logit(np.array(0.3))) & (before < logit(np.array(0.65)))
    p_made = 1 / (1 + np.exp(-before[usual]))
    np.testing.assert_allclose(1 / (1 + np.exp(-after[usual])), p_made**2, atol=0.03)
