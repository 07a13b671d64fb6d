"""The stage `refine`: bronze becomes silver, and silver a snapshot that later stages read."""

import logging
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from parivision.errors import SettingsError, StoreError
from parivision.lake import refine as silver
from parivision.lake.base import Lake
from parivision.lake.ingest import Progress
from parivision.lake.refine import RefineReport
from parivision.lake.snapshot import REGULAR_SEASON, Snapshot, write_snapshot
from parivision.prediction_log import open_store
from parivision.settings import Settings
from parivision.shots import leagues
from parivision.shots.leagues import NBA
from parivision.sources.game_number import season_parts
from parivision.stages import outcomes, stores, views
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refined:
    """What became of the records, the snapshot, and what the prediction log was told.

    `log_failure` says why it could not be told of outcomes; it is empty otherwise.
    """

    report: RefineReport
    snapshot: Snapshot
    outcomes: int = 0
    log_failure: str = ""

    @property
    def counts(self) -> Mapping[str, int]:
        """All of it in numbers."""
        return {
            "records": self.report.records,
            "silver": self.report.silver,
            "quarantined": self.report.quarantined,
            "duplicates": self.report.duplicates,
            "snapshot": self.snapshot.rows,
            "games_left_out": len(self.snapshot.doubted.left_out),
            "outcomes": self.outcomes,
        }

    @property
    def refused(self) -> str:
        """Why records were refused, and what else there is to remark, in Markdown."""
        failure = self.log_failure and (
            f"No outcomes were told to the prediction log: {self.log_failure}"
        )
        remarks = (
            self.report.strangers_sentence,
            self.snapshot.doubted.sentence,
            self.snapshot.other_parts_sentence,
            failure,
        )
        return views.counts_text(self.report.reasons) + "".join(
            f"\n{remark}\n" for remark in remarks if remark
        )


@writes_termination_message
@logs_heartbeat
def refine(
    settings: Settings,
    until: str,
    shots: Path,
    *,
    league: str = NBA.key,
    season_types: str = REGULAR_SEASON[0],
    check_geometry: bool = True,
    has_outcomes_published: bool = True,
    progress: Progress | None = None,
    on_refined: Callable[[RefineReport], object] | None = None,
) -> Refined:
    """Refine what is new in bronze, and write the snapshot to `shots`.

    `until` is a day or empty; `league` and `season_types` (separated by commas) say which shots are
    in the snapshot. `on_refined` gets the report before the snapshot is written, which
    fails where silver has no shots. Where the settings name a prediction log and
    `has_outcomes_published`, the log is told how the shots of its games ended.
    """
    last = _day(until)
    chosen, parts = leagues.named(league), season_parts(season_types)
    lake = stores.lake(settings)
    report = silver.refine(lake, check_geometry=check_geometry, progress=progress)
    if on_refined is not None:
        on_refined(report)
    snapshot = write_snapshot(lake, shots, until=last, league=chosen, season_types=parts)
    if not has_outcomes_published or not settings.prediction_log:
        return Refined(report, snapshot)
    return Refined(report, snapshot, *_publish_outcomes(settings, lake))


def _publish_outcomes(settings: Settings, lake: Lake) -> tuple[int, str]:
    """Tell the prediction log how shots ended; how many, and what went wrong.

    Silver and snapshot are whole without it and the next run catches up, so a log that is away does
    not fail the stage.
    """
    try:
        with closing(open_store(settings.prediction_log)) as store:
            return outcomes.publish(lake, store), ""
    except StoreError as error:
        _logger.warning("no outcomes were told: %s", error)
        return 0, str(error)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"until is {text!r}: expected a day such as 2023-04-10") from error
