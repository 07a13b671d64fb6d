"""What is watched: the columns, how far each may move, and how a table of shots becomes them.

The limits are sizes of an effect, not levels of significance: with a week of the league (9,000
shots) everything is significant. The limits lie above what the quiet season 2023 shows, week by
week, against the one to three seasons before (`parivision.backtests.drift`); a reference that
itself varies more raises its own limits (`parivision.drift.reference`).
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import polars as pl

from parivision.errors import SchemaError
from parivision.shots import court
from parivision.shots.segments import OVERTIME

Kind = Literal["numeric", "category", "population", "label"]
Effect = Literal["jensen_shannon", "wasserstein", "unseen_share", "rate_change"]

MISSING: Final = "missing"
ABSURD: Final = 1e9
"""A number so large, of feet or of seconds, counts as missing."""
ORDER: Final = ("game_date", "game_id")


@dataclass(frozen=True)
class Monitored:
    """A watched column and the limits of the effects that decide about it.

    `jensen_shannon`: distance between the two distributions, 0 (same) to 1 (nothing in common);
    `wasserstein`: mean displacement in standard deviations of the reference; `unseen_share`: share
    of the shots by players or teams that the champion never saw; `rate_change`: difference of the
    make rates. An effect without a limit is reported and decides nothing.
    """

    name: str
    kind: Kind
    limits: tuple[tuple[Effect, float], ...]


MONITORED: Final = (
    Monitored("x_ft", "numeric", (("jensen_shannon", 0.10), ("wasserstein", 0.15))),
    Monitored("y_ft", "numeric", (("jensen_shannon", 0.10), ("wasserstein", 0.15))),
    Monitored("distance_ft", "numeric", (("jensen_shannon", 0.12), ("wasserstein", 0.08))),
    Monitored("zone", "category", (("jensen_shannon", 0.05),)),
    Monitored("shot_value", "category", (("jensen_shannon", 0.04),)),
    Monitored("action_type", "category", (("jensen_shannon", 0.18),)),
    Monitored("period", "category", (("jensen_shannon", 0.08),)),
    Monitored("clock_s", "numeric", (("jensen_shannon", 0.06), ("wasserstein", 0.10))),
    # New players come every season, 14 to 31 % of a week's shots two seasons on; their
    # population stability index grows without end and says nothing.
    Monitored("player_id", "population", (("unseen_share", 0.50),)),
    Monitored("team_id", "population", (("unseen_share", 0.10),)),
    Monitored("made", "label", (("rate_change", 0.02),)),
)
MONITORED_NAMES: Final = tuple(column.name for column in MONITORED)
SEGMENT_COLUMNS: Final = ("action_type", "zone", "period")
"""Columns by whose values the champion's calibration is watched."""

_SOURCE_COLUMNS: Final = (
    *ORDER,
    *(name for name in MONITORED_NAMES if name != "zone"),
)
_ZONE_LABELS: Final = MappingProxyType({int(zone): zone.label for zone in court.Zone})


def monitored_values(shots: pl.DataFrame, where: str) -> pl.DataFrame:
    """The watched columns of canonical shots, in the order of the games.

    Numbers become Float64 with NaN where one is missing or absurd, categories become strings with
    "missing" for null, `made` becomes Float64 with NaN for a shot whose outcome is not known yet.
    The zone follows from the coordinates, so a feed in wrong units shows there too. Coordinates are
    not validated: a monitor must see what validation would refuse.
    """
    missing = [name for name in _SOURCE_COLUMNS if name not in shots.columns]
    if missing:
        raise SchemaError(
            f"{where}: shots lack the columns {missing}. "
            "Pass canonical shots (parivision.shots.schema), with or without further columns."
        )
    x, y = (shots[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in ("x_ft", "y_ft"))
    zone = pl.Series("zone", court.zone(x, y)).replace_strict(_ZONE_LABELS, return_dtype=pl.String)
    return shots.select(
        *ORDER, *(_expression(c) for c in MONITORED if c.name != "zone")
    ).insert_column(len(ORDER), zone)


def in_game_order(values: pl.DataFrame) -> pl.DataFrame:
    """The rows by day and game, so that neighbours in the table are neighbours in time."""
    return values.sort(*ORDER, maintain_order=True)


def _expression(column: Monitored) -> pl.Expr:
    value = pl.col(column.name)
    if column.kind in ("numeric", "label"):
        # A place that was converted from other units may differ in its last digits only, and would
        # be a value of its own in the sketch.
        number = value.cast(pl.Float64).round(3)
        known = pl.when(number.abs() < ABSURD).then(number).otherwise(float("nan"))
        return known.alias(column.name)
    if column.name == "period":
        # Overtimes are rare: a class for each would hold a handful of shots.
        value = pl.when(value > 4).then(pl.lit(OVERTIME)).otherwise(value.cast(pl.String))
    return value.cast(pl.String).fill_null(MISSING).alias(column.name)
