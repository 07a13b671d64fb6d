"""What several unit tests share: a baseline of the small league."""

import polars as pl
import pytest

from parivision.features import tables
from parivision.models.bundle import Bundle
from parivision.models.training import History, Recipe, train
from parivision.shots.split import time_split


@pytest.fixture(scope="session")
def zone_rate_bundle(synthetic_shots: pl.DataFrame) -> Bundle:
    """A baseline, for tests that need no trees."""
    facts = tables.facts_from_shots(synthetic_shots)
    history = History.of(facts, tables.made_array(synthetic_shots))
    return train(history, time_split(facts.day), Recipe("zone_rate"))
