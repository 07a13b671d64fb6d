"""The drift stage: current shots against the champion's reference, as files and as a run.

What is current: the games after the last one that the champion knows; where there are none, the
last days of games.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from parivision import durable, strict_json
from parivision.drift import DriftReference, DriftSummary, detect
from parivision.errors import DataError, ModelError
from parivision.features import tables
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import Bundle
from parivision.registry import DRIFT, SEVERITY, Registry
from parivision.registry.records import RegisteredVersion
from parivision.reports import drift as reports
from parivision.reports import html
from parivision.reports.drift import Scored
from parivision.settings import Settings
from parivision.shots.facts import Floats
from parivision.stages import stores
from parivision.stages.files import DRIFT_LATER, DRIFT_REFERENCE, DRIFT_TRAINING, P_MADE
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.one_league import refuse_other_league
from parivision.stages.termination_message import writes_termination_message
from parivision.stages.views import NO_CHAMPION

CURRENT_DAYS: Final = 40
# A week, as long as the blocks that the limits come from (`drift.reference`).
QUIET_DAYS: Final = 7


@dataclass(frozen=True)
class Watched:
    """What was compared: the champion, its reference, current shots, its word on them, the answer.

    `folder` is where the champion's files are.
    """

    version: RegisteredVersion
    folder: Path
    shots: pl.DataFrame
    p_made: Floats
    summary: DriftSummary


@dataclass(frozen=True)
class DriftOutcome:
    """The files written, and the summary; without a champion there is none and the pages say so."""

    summary: DriftSummary | None
    champion: str | None
    page: Path
    evidently: Path
    summary_json: Path

    @property
    def drifted(self) -> bool:
        """Whether the data or their meaning moved further than they may."""
        return self.summary is not None and self.summary.verdict == "drift"

    @property
    def champion_fits(self) -> bool:
        """Whether there is a champion whose state alone is worth bringing up to date.

        Drift asks for a training, and the champion recalibrated competes there too. A rollout of it
        by itself would only hold that training up: two models that are both wrong about the new
        shots are hard to tell apart, and their canary may last for hours.
        """
        return self.summary is not None and not self.drifted

    def metrics(self) -> dict[str, float]:
        """Numbers to keep with the run; empty without a champion."""
        if self.summary is None:
            return {}
        ended = self.summary.performance
        values: dict[str, float | None] = {
            "shots": self.summary.n_current,
            "drifted": float(self.drifted),
            "drifted_columns": len(self.summary.drifted_columns),
            "concept_drift": float(self.summary.concept_drift),
            "log_loss": ended.log_loss,
            "promised_log_loss": ended.promised_log_loss,
            **{f"{SEVERITY}{column.name}": column.severity for column in self.summary.columns},
        }
        return strict_json.finite(values)


@writes_termination_message
@logs_heartbeat
def drift(settings: Settings, shots: Path, out: Path) -> DriftOutcome:
    """Write the drift report of a snapshot's current shots to `out` and keep it as a run.

    Without a champion the pages say so, no run is kept, and nothing is wrong.
    """
    registry = stores.registry(settings)
    registry.prepare()
    ordered = tables.in_time_order(read_snapshot(shots))
    watched = _watched(registry, settings.cache, lambda champion: current_shots(ordered, champion))
    out.mkdir(parents=True, exist_ok=True)
    if watched is None:
        return _without_champion(out)
    outcome = _reported(watched, out)
    registry.log(
        "drift",
        metrics=outcome.metrics(),
        tags={
            "kind": DRIFT,
            "champion": watched.version.number,
            "verdict": watched.summary.verdict,
            "drifted_columns": ",".join(watched.summary.drifted_columns),
        },
        artifacts={"": out},
    )
    return outcome


def rehearse(settings: Settings, shots: pl.DataFrame, out: Path) -> DriftOutcome:
    """Write to `out` what the drift report would say of these shots, all of them.

    No run is kept: what was made up must not become the newest drift that metrics tell of.
    """
    registry = stores.registry(settings)
    watched = _watched(registry, settings.cache, lambda _: tables.in_time_order(shots))
    out.mkdir(parents=True, exist_ok=True)
    return _without_champion(out) if watched is None else _reported(watched, out)


def _reported(watched: Watched, out: Path) -> DriftOutcome:
    files = reports.write(
        _kept(watched, DRIFT_TRAINING),
        watched.shots,
        watched.summary,
        out,
        later=_later(watched),
        p_current=watched.p_made,
    )
    return DriftOutcome(
        watched.summary,
        watched.version.number,
        files.summary_html,
        files.evidently_drift,
        files.summary_json,
    )


def _watched(
    registry: Registry, cache: Path, current_for: Callable[[Bundle], pl.DataFrame]
) -> Watched | None:
    """Compare shots with the champion's training data; None while there is no champion.

    `current_for` chooses the shots for a champion. Raises ModelError when the champion was
    registered without a reference.
    """
    champion = registry.champion_bundle(cache)
    if champion is None:
        return None
    version, bundle = champion
    folder = registry.fetch(version.number, cache)
    if not (folder / DRIFT_REFERENCE).exists():
        raise ModelError(f"version {version.number} has no drift reference; train and promote anew")
    reference = DriftReference.load(folder / DRIFT_REFERENCE)
    current = current_for(bundle)
    refuse_other_league(current, {"champion": bundle})
    p_made = bundle.predict(tables.facts_from_shots(current))
    return Watched(version, folder, current, p_made, detect(reference, current, p_made))


def current_shots(shots: pl.DataFrame, champion: Bundle) -> pl.DataFrame:
    """The last `CURRENT_DAYS` days of games that the champion does not know.

    When it knows all, the last `QUIET_DAYS`. Raises DataError when there are no shots at all.
    """
    if shots.is_empty():
        raise DataError("there are no shots to watch: run `parivision ingest` and `refine`")
    day = pl.col("game_date").cast(pl.Int32)
    known = champion.form.as_of_day
    new = shots if known is None else shots.filter(day > known)
    games, keep = (shots, QUIET_DAYS) if new.is_empty() else (new, CURRENT_DAYS)
    # Days with games, not of the calendar: a break of the season must not empty the sample.
    days = games["game_date"].unique().sort().tail(keep)
    return games.filter(pl.col("game_date") >= days[0])


def _kept(watched: Watched, name: str) -> pl.DataFrame:
    return read_snapshot(watched.folder / name)


def _later(watched: Watched) -> Scored:
    later = _kept(watched, DRIFT_LATER)
    return Scored(later.drop(P_MADE), later[P_MADE].to_numpy())


def _without_champion(out: Path) -> DriftOutcome:
    page = out / reports.SUMMARY_HTML
    html.write_page(page, "Drift", [html.Text(NO_CHAMPION)], [])
    # The same file as with a champion: the task's outputs are there in any case.
    answer: dict[str, Any] = {"verdict": "no champion", "reasons": [NO_CHAMPION]}
    summary = durable.put_json(out / reports.SUMMARY_JSON, answer)
    return DriftOutcome(None, None, page, page, summary)
