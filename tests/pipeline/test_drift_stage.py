"""The drift stage: which games are current, and what is said without a champion."""

import json
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from parivision import settings
from parivision.errors import DataError, ModelError
from parivision.features.form import Form
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.shots.facts import EPOCH
from parivision.stages import drift
from parivision.stages.evaluate import evaluate
from tiny_league import shot, table

# MLflow 3.17 asks SQLAlchemy 2.1 for a strategy that is to go.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")

FIRST = date(2022, 11, 1)
DAYS = 60
SHOTS = table(*(shot(event_id=n, game_date=FIRST + timedelta(days=n)) for n in range(DAYS)))


def knowing(through: date | None) -> Bundle:
    """A model whose state knows the games through a day."""
    form = Form()
    form.as_of_day = None if through is None else (through - EPOCH).days
    return Bundle(
        "league_mean", "full", {"without_action": Part(("rate_zone",), Constant(0))}, form
    )


@pytest.mark.parametrize(
    ("through", "first", "days"),
    [
        (None, 20, 40),
        (FIRST - timedelta(days=9), 20, 40),
        (FIRST + timedelta(days=9), 20, 40),
        (FIRST + timedelta(days=19), 20, 40),
        (FIRST + timedelta(days=20), 21, 39),
        (FIRST + timedelta(days=58), 59, 1),
        (FIRST + timedelta(days=59), 53, 7),
        (FIRST + timedelta(days=900), 53, 7),
    ],
)
def test_current_are_the_games_the_champion_does_not_know(
    through: date | None, first: int, days: int
) -> None:
    """At most the last 40 days of them; when it knows all, the last week of games."""
    current = drift.current_shots(SHOTS, knowing(through))
    assert current["game_date"].min() == FIRST + timedelta(days=first)
    assert len(current) == days


def test_nothing_to_watch_is_an_error() -> None:
    """An empty table cannot be compared with anything."""
    with pytest.raises(DataError, match="no shots to watch"):
        drift.current_shots(SHOTS.clear(), knowing(None))


def test_without_a_champion_the_pages_say_so(tmp_path: Path) -> None:
    """The first run has nothing to compare with: that is told in words and to machines."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "home")})
    SHOTS.write_parquet(tmp_path / "shots")
    outcome = drift.drift(home, tmp_path / "shots", tmp_path / "out")
    assert outcome.summary is None
    assert not outcome.drifted
    assert outcome.metrics() == {}
    assert "no champion yet" in outcome.page.read_text()
    assert json.loads(outcome.summary_json.read_text())["verdict"] == "no champion"


def test_there_is_nothing_to_evaluate_without_models_and_champion(tmp_path: Path) -> None:
    """Monitoring needs a champion; that is said before anything is computed."""
    home = settings.read({"PARIVISION_HOME": str(tmp_path / "home")})
    SHOTS.write_parquet(tmp_path / "shots")
    with pytest.raises(ModelError, match="nothing to evaluate: train models first"):
        evaluate(home, tmp_path / "shots", {}, tmp_path / "judged", tmp_path / "best")


def test_days_without_games_do_not_count() -> None:
    """Forty days of games are forty days on which there was one."""
    gaps = SHOTS.filter(pl.col("game_date").dt.day() % 2 == 1)
    days = drift.current_shots(gaps, knowing(None))["game_date"].n_unique()
    assert days == min(gaps["game_date"].n_unique(), drift.CURRENT_DAYS)
