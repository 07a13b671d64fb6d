"""A shot that came once with all columns and once without some is one shot.

Where shots are numbered by content (season files), a record that lacks a column has a number of its
own. It is told from others by its number, and from the shot that it is by the facts that both know.
"""

from typing import Final

import polars as pl

from parivision.shots import schema

EVENT: Final = "event_id"
FACTS: Final = (
    *("game_id", "team_id", "player_id", "period", "clock_s"),
    *("x_ft", "y_ft", "shot_value", "made"),
)
"""What every record says of a shot. Some 60 of 3.6 million have the facts of another: two tips of
one player within a second. Whole records are never compared by them."""


def without_twins(shots: pl.DataFrame, known: pl.DataFrame, partial_events: int) -> pl.DataFrame:
    """Shots of which there is no other record among the `known` ones, or in this table itself.

    Event numbers below `partial_events` are of partial records. Which came first stays: a partial
    record of a known shot is left out, and so is a whole one of a shot that a partial one brought.
    """
    is_partial = pl.col(EVENT) < partial_events
    partial, brought = shots.filter(is_partial), known.filter(is_partial)
    if not partial.height and not brought.height:
        return shots
    whole = shots.filter(~is_partial)
    columns = [*FACTS, EVENT]
    known_or_whole = pl.concat([known.select(columns), whole.select(columns)])
    kept = [_others(whole, brought), _others(partial, known_or_whole)]
    key = list(schema.KEY)
    return shots.join(pl.concat(kept).select(key), on=key, how="semi", maintain_order="left")


def _others(shots: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Shots whose facts no known one of another number has; the same number is left to the lake."""
    key = list(schema.KEY)
    # A shot is no twin of its own record, which a run that was cut off may have stored already.
    twins = shots.join(known, on=list(FACTS), how="semi").join(known, on=key, how="anti")
    return shots.join(twins, on=key, how="anti")
