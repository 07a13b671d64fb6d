"""When pipelines run by themselves: what is understood, and what has to change."""

from typing import Any

import pytest

from parivision.errors import SettingsError
from parivision.kubeflow.schedule import DEFAULTS, RecurringRun, StoredRecurringRun, Trigger, plan


def recurring(name: str = "etl", **changed: object) -> RecurringRun:
    """A recurring run, hourly."""
    values = {
        "name": name,
        "pipeline_id": "p",
        "version_id": "v1",
        "trigger": Trigger(interval_s=3600),
        "arguments": {"source": "http://stats-api:8000"},
    }
    return RecurringRun(**(values | changed))  # type: ignore[arg-type]


def outcomes(
    wanted: list[RecurringRun], there: list[StoredRecurringRun]
) -> dict[str, tuple[str, bool, tuple[str, ...]]]:
    """What happens by name: the word for it, whether one is made, which are dropped."""
    changes = plan(wanted, there, ("etl", "training"))
    return {c.name: (c.outcome, c.create is not None, c.delete) for c in changes}


@pytest.mark.parametrize(
    ("text", "trigger"),
    [
        ("90m", Trigger(interval_s=5400)),
        ("1h", Trigger(interval_s=3600)),
        (" 7d ", Trigger(interval_s=604800)),
        ("*/5 * * * *", Trigger(cron="0 */5 * * * *")),
        ("0 30 6 ? * 2-6", Trigger(cron="0 30 6 ? * 2-6")),
        ("0  0 8 * * MON", Trigger(cron="0 0 8 * * MON")),
        ("off", None),
    ],
)
def test_intervals_and_cron_are_understood(text: str, trigger: Trigger | None) -> None:
    """KFP's cron has seconds in front: five fields, as everybody knows them, get a zero."""
    assert Trigger.parse(text) == trigger


@pytest.mark.parametrize("text", ["", "hourly", "0m", "1s", "1 h", "* * * *", "a;b * * * *", "-1h"])
def test_anything_else_says_what_is_expected(text: str) -> None:
    """A slip is told before anything changes."""
    with pytest.raises(SettingsError, match=r"is no schedule: expected an interval such as 90m"):
        Trigger.parse(text)


def test_the_defaults_are_an_hour_a_day_and_a_week() -> None:
    """Each default is a cron expression that KFP takes as it is."""
    for text in DEFAULTS.values():
        assert Trigger.parse(text) == Trigger(cron=text)


def test_what_is_missing_is_made_and_what_is_right_stays() -> None:
    """The second time nothing changes."""
    assert outcomes([recurring()], []) == {"etl": ("created", True, ())}
    assert outcomes([recurring()], [StoredRecurringRun("1", recurring())]) == {
        "etl": ("unchanged", False, ())
    }


@pytest.mark.parametrize(
    "other",
    [
        {"version_id": "v0"},
        {"trigger": Trigger(cron="0 0 * * * *")},
        {"arguments": {}},
        {"is_enabled": False},
    ],
)
def test_what_differs_is_made_anew(other: dict[str, Any]) -> None:
    """Another version, time or argument, or a hand that switched it off: the old one goes."""
    there = [StoredRecurringRun("1", recurring(**other))]
    assert outcomes([recurring()], there) == {"etl": ("replaced", True, ("1",))}


def test_doubles_go() -> None:
    """Of two equal recurring runs one stays."""
    there = [StoredRecurringRun("1", recurring()), StoredRecurringRun("2", recurring())]
    assert outcomes([recurring()], there) == {"etl": ("replaced", False, ("2",))}


def test_what_is_not_wanted_goes_and_what_is_not_ours_stays() -> None:
    """Only recurring runs of our names are touched."""
    there = [StoredRecurringRun("1", recurring()), StoredRecurringRun("2", recurring("somebody's"))]
    assert outcomes([], there) == {"etl": ("removed", False, ("1",))}
    assert outcomes([], []) == {}
