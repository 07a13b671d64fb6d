"""A shot that came once with all columns and once without some is one shot.

Where shots are numbered by content (season files), a record that lacks a column has a number of its
own. It is told from others by its number, and from the shot that it is by the facts that both know.
"""

from datetime import timedelta
from typing import Final

import polars as pl

from parivision.lake.base import Lake

FACTS: Final = (
    *("game_id", "team_id", "player_id", "period", "clock_s"),
    *("x_ft", "y_ft", "shot_value", "made"),
)
"""What every record says of a shot. Some 60 of 3.6 million have the facts of another: two tips of
one player within a second. Whole records are never compared by them."""


def without_twins(shots: pl.DataFrame, lake: Lake, partial_events: int) -> pl.DataFrame:
    """Shots of which silver, or this table itself, has no other record.

    Event numbers below `partial_events` are of partial records. Which came first stays: a partial
    record of a known shot is left out, and so is a whole one of a shot that a partial one brought.
    """
    if not shots.height or not partial_events:
        return shots
    first, last = shots["game_date"].min(), shots["game_date"].max()
    known = lake.silver([*FACTS, "event_id"], since=first, until=last + timedelta(days=1))  # type: ignore[arg-type, operator]
    is_partial = pl.col("event_id") < partial_events
    partial, whole = shots.filter(is_partial), shots.filter(~is_partial)
    if not partial.height and not known.filter(is_partial).height:
        return shots
    brought = known.filter(is_partial)
    fresh_whole = _others(whole, brought)
    fresh_partial = _others(partial, pl.concat([known, whole.select(known.columns)]))
    kept = pl.concat([fresh_whole, fresh_partial]).select("game_id", "event_id")
    return shots.join(kept, on=["game_id", "event_id"], how="semi", maintain_order="left")


def _others(shots: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Shots whose facts no known one of another number has; the same number is left to the lake."""
    same = shots.join(known, on=["game_id", "event_id"], how="semi")
    twins = shots.join(known, on=list(FACTS), how="semi")
    dropped = twins.join(same, on=["game_id", "event_id"], how="anti")
    return shots.join(dropped, on=["game_id", "event_id"], how="anti", maintain_order="left")
