"""When the training pipeline may be started: a pure function over its past runs.

The past is what Kubeflow or the cluster lists, so whoever asks needs no memory, and a restart
forgets nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Final

from parivision.retraining.runner import PastRun

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class AlertAnswer(StrEnum):
    """What becomes of an alert."""

    STARTED = "started"
    RUNNING = "running"
    TOO_SOON = "too_soon"
    BACKING_OFF = "backing_off"


@dataclass(frozen=True)
class RetrainingPolicy:
    """At most one run in `window`; after each failure in a row twice as long, up to `longest`."""

    window: timedelta = timedelta(days=1)
    longest: timedelta = timedelta(days=8)

    def wait(self, failures: int) -> timedelta:
        """How long after the newest run's start the next may come, after so many failures."""
        wait = self.window
        # Step by step up to the limit: for a long row 2**failures is more than a timedelta holds.
        for _ in range(failures):
            if wait >= self.longest:
                break
            wait *= 2
        return min(wait, max(self.longest, self.window))


@dataclass(frozen=True)
class RunDecision:
    """Whether a run may start, why, and if not when; `run_id` is the run that is in its way.

    `next_at` is None where nobody knows: a run that is going on ends when it ends.
    """

    outcome: AlertAnswer
    reason: str
    run_id: str = ""
    next_at: datetime | None = None

    @property
    def may_start(self) -> bool:
        """Whether nothing is in its way."""
        return self.outcome is AlertAnswer.STARTED


def decide(runs: Sequence[PastRun], now: datetime, policy: RetrainingPolicy) -> RunDecision:
    """Whether the pipeline may be started now; `runs` are its runs, whoever started them.

    A run that somebody else started has seen the same shots, so it counts like one of ours.
    """
    ordered = sorted(runs, key=_order, reverse=True)
    # Before any time is looked at: not even an old run may get a second one beside it.
    going = next((run for run in ordered if not run.has_ended), None)
    if going is not None:
        return RunDecision(AlertAnswer.RUNNING, f"the run {going.name} is going on", going.run_id)
    if not ordered:
        return RunDecision(AlertAnswer.STARTED, "it has never run")
    newest, failures = ordered[0], failures_in_a_row(ordered)
    next_at = _began(newest) + policy.wait(failures)
    if now >= next_at:
        return RunDecision(AlertAnswer.STARTED, f"the last run began at {_text(_began(newest))}")
    when = f"the next may start at {_text(next_at)}"
    if failures:
        last = f"the last {failures} runs" if failures > 1 else "the last run"
        reason = f"{last} did not succeed, the newest of them {newest.name}; {when}"
        return RunDecision(AlertAnswer.BACKING_OFF, reason, newest.run_id, next_at)
    reason = f"the run {newest.name} began at {_text(_began(newest))}; {when}"
    return RunDecision(AlertAnswer.TOO_SOON, reason, newest.run_id, next_at)


def failures_in_a_row(runs: Sequence[PastRun]) -> int:
    """How many of the newest runs that have ended did not succeed."""
    ended = sorted((run for run in runs if run.has_ended), key=_order, reverse=True)
    return sum(1 for _ in takewhile(lambda run: not run.has_succeeded, ended))


def _order(run: PastRun) -> tuple[datetime, bool, str]:
    """Oldest first; of those of one moment a failure counts as the newer, to be careful."""
    return _began(run), not run.has_succeeded, run.run_id


def _began(run: PastRun) -> datetime:
    return run.began_at or _LONG_AGO


def _text(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
