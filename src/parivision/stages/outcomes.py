"""Silver tells how the shots of logged games ended."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import polars as pl

from parivision.lake.base import Lake
from parivision.prediction_log.batch import BATCH_RECORDS, OUTCOMES, RecordBatch, Store, as_text
from parivision.prediction_log.lines import Record
from parivision.prediction_log.records import outcome, shot_key

_COLUMNS: Final = ("game_id", "event_id", "game_date", "made")
_SETTLED: Final = timedelta(days=1, hours=12)
"""The league's record of a game counts as said at noon (UTC) of the day after: later than what was
reported while it was played, earlier than a correction by hand."""


def publish(lake: Lake, store: Store) -> int:
    """Add outcomes of silver's shots to the store, for games that predictions named; how many.

    What is there is not added again. Without such games the lake is not read. Raises StoreError.
    """
    games = store.games()
    if not games:
        return 0
    shots = lake.silver(_COLUMNS, league=None).filter(pl.col("game_id").is_in(games))
    ends = store.ends(OUTCOMES)
    return sum(
        _publish_game(store, f"lake-{game}", ends, rows.sort("event_id").to_dicts())
        for (game,), rows in shots.group_by("game_id", maintain_order=True)
    )


def _publish_game(
    store: Store, stream: str, ends: dict[str, int], shots: list[dict[str, Any]]
) -> int:
    # A game has a stream of its own: reading that alone tells which outcomes are there.
    number, known = 0, set()
    while number < ends.get(stream, 0) and (batch := store.read(OUTCOMES, stream, number)):
        known |= {record["key"] for record in batch.records}
        number += 1
    records = [record for shot in shots if (record := _outcome(shot))["key"] not in known]
    added = 0
    for start in range(0, len(records), BATCH_RECORDS):
        chunk = records[start : start + BATCH_RECORDS]
        if not store.append(RecordBatch(OUTCOMES, stream, number, chunk)):
            break  # another run is at it; what it does not know of, the next one adds
        number, added = number + 1, added + len(chunk)
    return added


def _outcome(shot: dict[str, Any]) -> Record:
    return outcome(
        shot_key(shot["game_id"], shot["event_id"]), _settled(shot["game_date"]), made=shot["made"]
    )


def _settled(day: date) -> str:
    return as_text(datetime.combine(day, time(), UTC) + _SETTLED)
