"""The league's day: yesterday in New York, by a clock that the test holds."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime

import pytest

from parivision.sources import league_day
from parivision.sources.open import open_source

SUMMER_NIGHT = datetime(2025, 6, 20, 3, 30, tzinfo=UTC)
"""Half past eleven in the evening of the 19th in New York: a final is being played."""


@pytest.mark.parametrize(
    ("moment", "yesterday"),
    [
        (SUMMER_NIGHT, date(2025, 6, 18)),
        (datetime(2025, 6, 20, 3, 59, 59, tzinfo=UTC), date(2025, 6, 18)),
        (datetime(2025, 6, 20, 4, 0, tzinfo=UTC), date(2025, 6, 19)),  # daylight saving time
        (datetime(2025, 1, 15, 4, 59, tzinfo=UTC), date(2025, 1, 13)),
        (datetime(2025, 1, 15, 5, 0, tzinfo=UTC), date(2025, 1, 14)),  # standard time
        (datetime(2025, 11, 2, 4, 30, tzinfo=UTC), date(2025, 11, 1)),  # the clocks go back at 6:00
    ],
)
def test_yesterday_is_new_yorks(moment: datetime, yesterday: date) -> None:
    """A day ends at midnight in New York, in summer and in winter, whatever the machine's zone."""
    assert league_day.day("yesterday", lambda: moment) == yesterday


def test_days_are_named_by_how_long_ago_they_are() -> None:
    """Today, some days ago, and a day of the calendar."""
    for text, day in {
        "today": date(2025, 6, 19),
        "0-days-ago": date(2025, 6, 19),
        "7-days-ago": date(2025, 6, 12),
        "2024-02-29": date(2024, 2, 29),
    }.items():
        assert league_day.day(text, lambda: SUMMER_NIGHT) == day
        assert league_day.is_relative(text) == (text != "2024-02-29")


@pytest.mark.parametrize("text", ["", "Yesterday ", "-1-days-ago", "7 days", "2025-02-29"])
def test_other_words_are_refused_with_what_is_known(text: str) -> None:
    """The message names the words that are known."""
    with pytest.raises(ValueError, match="today, yesterday or 7-days-ago"):
        league_day.day(text, lambda: SUMMER_NIGHT)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("live:?seasons=current&until=yesterday", "live:Regular Season:2025 on"),
        ("live:?seasons=2024-current&until=yesterday", "live:Regular Season:2024 on"),
        (
            "live:?seasons=current&until=yesterday&since=7-days-ago",
            "live:Regular Season:2025 on since 7-days-ago",
        ),
        (
            "live:?seasons=current&until=yesterday&league=G-League&season_type=play-in",
            "live:G League:PlayIn:2025 on",
        ),
        (
            "live:?seasons=current&until=yesterday&league=wnba&season_type=playoffs",
            "live:WNBA:Playoffs:2025 on",
        ),
    ],
)
def test_a_schedule_keeps_its_place_from_night_to_night(uri: str, name: str) -> None:
    """The name that a cursor is kept under is the same every night of a season."""
    for night in (SUMMER_NIGHT, datetime(2025, 6, 25, 10, 0, tzinfo=UTC)):
        assert open_source(uri, clock=lambda night=night: night).name == name  # type: ignore[misc]


def test_the_zone_is_there_without_the_systems_files() -> None:
    """A slim image has no /usr/share/zoneinfo: the zone comes with the packages then."""
    code = "from parivision.sources import league_day; print(league_day.day('yesterday'))"
    environment = {**os.environ, "PYTHONTZPATH": ""}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert date.fromisoformat(ran.stdout.strip()) <= league_day.today()


def test_the_current_season_is_the_leagues() -> None:
    """In October a season of the NBA begins, and in spring one of the WNBA."""
    october, march = (datetime(2025, month, 5, 12, 0, tzinfo=UTC) for month in (10, 3))
    for uri, clock, season in (
        ("live:?seasons=current&until=yesterday", october, 2026),
        ("live:?seasons=current&until=yesterday", march, 2025),
        ("live:?seasons=current&until=yesterday&league=wnba", october, 2025),
        ("live:?seasons=current&until=yesterday&league=wnba", march, 2024),
    ):
        source = open_source(uri, clock=lambda clock=clock: clock)  # type: ignore[misc]
        assert source.name.endswith(f"{season} on")
