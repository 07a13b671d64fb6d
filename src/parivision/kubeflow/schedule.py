"""When the pipelines run by themselves on Kubeflow Pipelines, and what has to change for it.

KFP cannot change a recurring run: one that differs is made anew and the old one goes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from parivision.errors import SettingsError

OFF: Final = "off"
DEFAULTS: Final[Mapping[str, str]] = {
    "etl": "0 0 * * * *",
    "monitoring": "0 30 6 * * *",
    "training": "0 0 8 * * 1",
}
"""Hourly, daily and weekly; monitoring and training look at a day that has ended."""

_UNITS_S: Final[Mapping[str, int]] = {"m": 60, "h": 3600, "d": 86400}
_INTERVAL: Final = re.compile(r"([1-9]\d{0,5})([mhd])")
_FIELD: Final = re.compile(r"[\d*/,?A-Za-z-]+")
_EXPECTED: Final = (
    "an interval such as 90m, 1h or 7d, a cron expression of five fields, of six with seconds in "
    f"front, or {OFF}"
)


@dataclass(frozen=True)
class Trigger:
    """When: a cron expression of six fields, seconds first, or every `interval_s` seconds."""

    cron: str = ""
    interval_s: int = 0

    @classmethod
    def parse(cls, text: str) -> "Trigger | None":
        """A trigger from `1h`, `7d`, five or six fields of cron; None for `off`.

        KFP checks the fields themselves; times are in its own time zone, UTC unless it was set.
        """
        if text.strip() == OFF:
            return None
        if interval := _INTERVAL.fullmatch(text.strip()):
            return cls(interval_s=int(interval[1]) * _UNITS_S[interval[2]])
        fields = text.split()
        if len(fields) not in (5, 6) or not all(_FIELD.fullmatch(item) for item in fields):
            raise SettingsError(f"{text!r} is no schedule: expected {_EXPECTED}")
        # KFP's cron has seconds in front; people write the usual five fields.
        return cls(cron=" ".join(fields if len(fields) == 6 else ["0", *fields]))


@dataclass(frozen=True)
class RecurringRun:
    """A recurring run as it should be or is: its name, what it runs, when, with which arguments."""

    name: str
    pipeline_id: str
    version_id: str
    trigger: Trigger
    arguments: Mapping[str, Any]
    is_enabled: bool = True


@dataclass(frozen=True)
class StoredRecurringRun:
    """A recurring run that KFP has, by its id."""

    recurring_id: str
    run: RecurringRun


Outcome = Literal["created", "replaced", "unchanged", "removed"]


@dataclass(frozen=True)
class ScheduleChange:
    """What happens to the recurring runs of a name: one to create or None, and ids to delete."""

    name: str
    outcome: Outcome
    create: RecurringRun | None
    delete: tuple[str, ...]


def plan(
    wanted: Iterable[RecurringRun], stored: Iterable[StoredRecurringRun], names: Iterable[str]
) -> list[ScheduleChange]:
    """The changes that leave exactly `wanted` of these names; other recurring runs stay alone."""
    by_name = {run.name: run for run in wanted}
    existing = list(stored)
    changes = []
    for name in names:
        same_name = [item for item in existing if item.run.name == name]
        change = _change(name, by_name.get(name), same_name)
        if change is not None:
            changes.append(change)
    return changes


def _change(
    name: str, wanted: RecurringRun | None, same_name: list[StoredRecurringRun]
) -> ScheduleChange | None:
    if wanted is None:
        delete = tuple(item.recurring_id for item in same_name)
        return ScheduleChange(name, "removed", None, delete) if delete else None
    # At most one equal run stays: a call that was cut off may have left an old one beside it.
    equal = next((item for item in same_name if item.run == wanted), None)
    delete = tuple(item.recurring_id for item in same_name if item is not equal)
    if equal is not None:
        return ScheduleChange(name, "replaced" if delete else "unchanged", None, delete)
    return ScheduleChange(name, "replaced" if delete else "created", wanted, delete)
