"""From bronze to silver: canonical shots, and quarantine for what cannot be one."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import polars as pl

from parivision.lake.base import Lake, Pending, quarantined
from parivision.lake.ingest import Progress, known_format
from parivision.shots import league, schema
from parivision.shots.contradictions import TEAMS
from parivision.shots.league_games import is_of
from parivision.shots.leagues import NBA
from parivision.sources import FORMATS, Format
from parivision.sources.game_number import ALL_STAR
from parivision.sources.partial_records import EVENT, FACTS, without_twins


@dataclass(frozen=True)
class RefineReport:
    """What became of the records refined: silver + quarantined + duplicates = records.

    `duplicates` were in the lake already: by a run that was killed or one at the same time, or by a
    record with other columns (`parivision.sources.partial_records`).
    `reasons` counts the quarantined records by reason. `strangers` counts the shots of games in
    which a team plays that is not known, by team: they are kept, but have no opponent.
    """

    records: int = 0
    silver: int = 0
    quarantined: int = 0
    duplicates: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    strangers: Mapping[str, int] = field(default_factory=dict)

    @property
    def strangers_sentence(self) -> str:
        """A sentence on teams that are not known, empty where there are none."""
        if not self.strangers:
            return ""
        teams = ", ".join(
            f"{team} ({shots:,} shots)" for team, shots in sorted(self.strangers.items())
        )
        return f"Teams that are not known, whose games are kept without an opponent: {teams}."


def refine(
    lake: Lake,
    *,
    check_geometry: bool = True,
    progress: Progress | None = None,
    formats: Mapping[str, Format] = FORMATS,
) -> RefineReport:
    """Refine what bronze holds and silver does not yet know.

    `check_geometry=False`, with `formats=parivision.sources.UNCONVERTED`, lets seasons in another
    frame through as they are; it exists to show that the drift monitors catch that.
    """
    total = lake.counts().pending
    records = silver = quarantined_rows = duplicates = 0
    reasons: Counter[str] = Counter()
    strangers: Counter[str] = Counter()
    for pending in lake.pending():
        converted, bad = _refined(pending, formats, check_geometry=check_geometry)
        shots = _without_twins(lake, converted, formats[pending.format].partial_events)
        written = lake.write_refined(pending, shots, bad)
        records += pending.records.height
        silver += written.silver
        quarantined_rows += written.quarantined
        duplicates += written.duplicates + converted.height - shots.height
        reasons.update(bad["reason"].to_list())
        strangers.update(_strangers(shots))
        if progress is not None:
            progress(records, max(total, records))
    return RefineReport(
        records, silver, quarantined_rows, duplicates, dict(reasons), dict(strangers)
    )


def _strangers(shots: pl.DataFrame) -> dict[str, int]:
    """Shots by team that is not known; All Star teams get new names every year."""
    # Of other leagues no team is known, and none is a surprise.
    shots = shots.filter(is_of(NBA, pl.col("game_id")))
    names = {name for side in TEAMS for name in shots[side].unique()}
    unknown = sorted(name for name in names if not league.is_known(name))
    if not unknown:
        return {}
    played = shots.filter(pl.col("season_type") != ALL_STAR)
    counted = {name: int(_plays(played, name).sum()) for name in unknown}
    return {name: count for name, count in counted.items() if count}


def _plays(shots: pl.DataFrame, team: str) -> pl.Series:
    return (shots["home_team"] == team) | (shots["away_team"] == team)


def _refined(
    pending: Pending, formats: Mapping[str, Format], *, check_geometry: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    layout = known_format(pending.format, formats)
    converted = layout.to_shots(pending.records, keys=pending.keys, check_geometry=check_geometry)
    bad = quarantined(
        converted.bad.drop(schema.REASON),
        pending.keys[converted.bad_rows],
        converted.bad[schema.REASON],
        layout=layout.name,
    )
    return converted.shots, bad


def _without_twins(lake: Lake, shots: pl.DataFrame, partial_events: int) -> pl.DataFrame:
    """Shots of which neither silver nor this table has another record."""
    if not shots.height or not partial_events:
        return shots
    # Twins share their game, so only these days of silver are read.
    days = shots["game_date"].unique().sort()
    since, until = days[0], days[-1] + timedelta(days=1)
    known = lake.silver([*FACTS, EVENT], since=since, until=until, league=None)
    return without_twins(shots, known, partial_events)
