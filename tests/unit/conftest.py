"""What several unit tests share: a baseline, leagues, a reference for drift, logs, a clock."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from clocks import HandClock
from drift_league import league
from parivision.drift import DriftReference, build_reference
from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.models.training import History, Recipe, train
from parivision.prediction_log import log
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.spill import Spill
from parivision.shots.split import time_split
from parivision.sources.synthetic import SyntheticConfig, generate
from prediction_log_outage import KIND, Opened, Outage


@pytest.fixture(scope="session")
def zone_rate_bundle(synthetic_shots: pl.DataFrame) -> Bundle:
    """A baseline, for tests that need no trees."""
    facts = tables.facts_from_shots(synthetic_shots)
    history = History.of(facts, tables.made_array(synthetic_shots))
    return train(history, time_split(facts.day), Recipe("zone_rate"))


@pytest.fixture(scope="session")
def drift_training() -> pl.DataFrame:
    """The training data of a champion whose drift is looked for."""
    return league(2022, 150)


@pytest.fixture(scope="session")
def drift_reference(drift_training: pl.DataFrame) -> DriftReference:
    """The reference made of it."""
    return build_reference(drift_training, champion="lightgbm 3")


@pytest.fixture
def clock() -> HandClock:
    """A clock that a test moves."""
    return HandClock()


@pytest.fixture(scope="session")
def default_league() -> pl.DataFrame:
    """Two full seasons of the default synthetic league, with the true probabilities."""
    return generate(SyntheticConfig())


@pytest.fixture(scope="session")
def default_season(default_league: pl.DataFrame) -> pl.DataFrame:
    """The later of the two seasons."""
    return default_league.filter(pl.col("season") == 2023)


@pytest.fixture
def quick_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a flush or a retry of production's length."""
    monkeypatch.setattr(log, "FLUSH_S", 0.005)
    monkeypatch.setattr(log, "_RETRY_S", 0.01)
    monkeypatch.setattr(log, "_LAST_RETRY_S", 0.01)


@pytest.fixture
def outage(tmp_path: Path) -> Outage:
    """A store that is there, for the time being."""
    return Outage(tmp_path / "store")


@pytest.fixture
def spill(tmp_path: Path) -> Spill:
    """Room on disk."""
    return Spill(tmp_path / "spill")


@pytest.fixture
def opened(outage: Outage, spill: Spill) -> Iterator[Opened]:
    """Opens logs of whole numbers."""
    logs: list[RecordLog] = []

    def open_log(**options: Any) -> RecordLog:
        logs.append(RecordLog(KIND, outage, options.pop("spill", spill), **options))
        return logs[-1]

    yield open_log
    for each in logs:
        each.close(0)
