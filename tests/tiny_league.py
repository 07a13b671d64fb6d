"""Small tables of shots for tests, written out by hand or drawn by hypothesis."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
from hypothesis import strategies as st

from parivision.features import tables
from parivision.shots import court
from parivision.shots.schema import NAMES, POLARS_SCHEMA

BOS, LAL, DEN = 1610612738, 1610612747, 1610612743
WORDS = ("Driving Layup Shot", "Jump Shot", "Slam Dunk Shot", "Turnaround Fadeaway Shot", None)


def shot(**facts: Any) -> dict[str, Any]:
    """A shot as a row: valid in itself, with the given facts in place of the default ones."""
    x, y = facts.get("x_ft", 3.0), facts.get("y_ft", 12.0)
    return {
        "game_id": 22200001,
        "event_id": 7,
        "season": 2023,
        "season_type": "Regular Season",
        "game_date": date(2022, 11, 1),
        "home_team": "BOS",
        "away_team": "LAL",
        "team_id": BOS,
        "team_name": "Boston Celtics",
        "player_id": 1001,
        "player_name": "Ann Example",
        "period": 1,
        "clock_s": 600,
        "action_type": "Jump Shot",
        "shot_value": int(court.shot_value(x, y)),
        "x_ft": x,
        "y_ft": y,
        "distance_ft": int(court.distance_ft(x, y)),
        "zone_basic": None,
        "zone_area": None,
        "zone_range": None,
        "made": 1,
        **facts,
    }


def table(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows as a canonical table."""
    columns = {name: [row[name] for row in rows] for name in NAMES}
    return pl.DataFrame(columns, schema=POLARS_SCHEMA)


def drawn(seed: int, rows: int) -> pl.DataFrame:
    """A table in time order with few games, players and seconds, so that these meet."""
    rng = np.random.default_rng(seed)
    choices: dict[str, list[Any]] = {
        "player_id": [1, 2, 2**24, 2**24 + 1],
        "team_id": [BOS, LAL],
        "period": [1, 2, 4, 5, 6],
        "clock_s": [0, 1, 150, 300],
        "action_type": list(WORDS),
        "x_ft": [0.0, -3.5, 9.0, 22.5],
        "y_ft": [0.0, 7.0, 18.0, 30.0],
        "made": [0, 1],
    }
    picked = {name: rng.integers(len(values), size=rows) for name, values in choices.items()}
    day, game = rng.integers(7, size=rows), rng.integers(2, size=rows)
    shots = [
        shot(
            event_id=event,
            game_id=int(10 * day[event] + game[event] + 1),
            game_date=date(2022, 11, 1 + int(day[event])),
            **{name: values[picked[name][event]] for name, values in choices.items()},
        )
        for event in range(rows)
    ]
    return tables.in_time_order(table(*shots))


SMALL_TABLES = st.builds(drawn, st.integers(0, 2**32), st.integers(1, 40))
