"""A league's own statistics, through nba_api: all shots of all teams, a few days at a time.

The league answers slowly, refuses who asks too fast, and changes its answers without notice; so
requests are few, spaced, retried and checked, and reading resumes at the day where it stopped.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Final

import polars as pl

from parivision.errors import SettingsError, SourceError
from parivision.settings.retry import Retry, TransientError
from parivision.shots.leagues import NBA, League
from parivision.shots.schema import SEASON_TYPES
from parivision.sources import feed22
from parivision.sources.base import Batch
from parivision.sources.nba_api import COLUMNS, feed_records
from parivision.sources.retry import ask
from parivision.sources.scope import season_scope

ASKED_TYPES: Final = SEASON_TYPES[:5]
"""Parts of a season that nba_api has a word for."""
WINDOW_DAYS: Final = 7
"""About 9,000 shots and 3 MB an answer; a whole season in one often times out."""
TIMEOUT_S: Final = 60.0
# Between two requests, because the league refuses who asks too fast.
PAUSE_S: Final = 1.0
PATIENCE_S: Final = 60.0
FIRST_WAIT_S: Final = 2.0
"""It refuses who asks too fast for some seconds, longer than a server of ours is away."""
LATE_ENDS: Final = MappingProxyType({("nba", 2020): date(2020, 10, 14)})
"""Seasons that were played longer than their league's seasons are."""

_CURSOR: Final = re.compile(r"(\d{4}):(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Window:
    """What one request asks for: the shots of a season's days, both ends included."""

    season: int
    season_type: str
    first: date
    last: date
    league: League = NBA

    @property
    def season_words(self) -> str:
        """The season as the league writes it, such as 2022-23."""
        return self.league.season_words(self.season)


@dataclass(frozen=True)
class ShotTable:
    """The league's table of shots, as it came."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Any]]


Fetch = Callable[[Window], ShotTable]
"""Asks the league. Raises TransientError for what may pass and SourceError for what will not."""


class LiveSource:
    """Shots from the league, one batch a window that has any.

    A cursor is `season:day`, the last day that was read. Days up to `until` are read; give
    yesterday, so that no running game is read half.
    """

    def __init__(
        self,
        seasons: Sequence[int],
        until: date,
        *,
        since: date | None = None,
        league: League = NBA,
        season_type: str = SEASON_TYPES[0],
        rereads_last_day: bool = False,
        scope: str = "",
        window_days: int = WINDOW_DAYS,
        fetch: Fetch | None = None,
        retry: Retry | None = None,
        pause_s: float = PAUSE_S,
    ) -> None:
        """`seasons` are the years in which they end; `since` leaves out earlier days.

        With `rereads_last_day` the day of the cursor is asked for again: a game that begins late
        in the west is still played when it is tomorrow in New York, and who reads every night may
        have come in the middle of it. `scope` stands for `since` in the name that cursors are kept
        under, where that day is another one every night.
        """
        if not seasons or min(seasons) < league.first_season:
            raise SettingsError(
                f"seasons are {list(seasons)}; give at least one, from {league.first_season} on"
            )
        if season_type not in ASKED_TYPES:
            raise SettingsError(f"season_type is {season_type!r}; give one of {ASKED_TYPES}")
        if window_days < 1:
            raise SettingsError(f"window_days is {window_days}; give at least 1")
        self._seasons = sorted(set(seasons))
        of_league = "" if league is NBA else f"{league.title}:"
        self.name = f"live:{of_league}{season_type}:{season_scope(self._seasons)}"
        if since is not None:
            self.name += f" since {scope or since}"
        self.format = feed22.OF_LEAGUE[league].name
        self._league = league
        self._overlap = timedelta(days=0 if rereads_last_day else 1)
        self._since = since or date.min
        self._until = until
        self._season_type = season_type
        self._window_days = window_days
        self._fetch = fetch or ask_league
        self._retry = retry or Retry(within_s=PATIENCE_S, first_s=FIRST_WAIT_S)
        self._pause_s = pause_s

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches behind the cursor; a season that is over and has no shot is a SourceError."""
        season_read, day_read = _position(after)
        for season in self._seasons:
            if season < season_read:
                continue
            first = max(self._league.first_day(season), self._since)
            if season == season_read:
                first = max(first, day_read + self._overlap)
            yield from self._season(season, first)

    def _season(self, season: int, first: date) -> Iterator[Batch]:
        has_shots = False
        for number, window in enumerate(self._windows(season, first)):
            if number:
                self._retry.sleep(self._pause_s)
            records = self._records(window)
            if records.height:
                has_shots = True
                yield Batch(records, f"{season}:{window.last.isoformat()}")
        # Only of a season that was read from its first day to its last it is known.
        is_from_start = first == self._league.first_day(season)
        whole = is_from_start and self._until >= season_last_day(season, self._league)
        if whole and not has_shots:
            raise SourceError(
                f"The {self._league.title} has no shots of the {self._season_type} {season}, which "
                "is over. It "
                "may refuse requests from here, or not have had such games: try the season in a "
                "browser on its site, or another season type."
            )

    def _windows(self, season: int, first: date) -> Iterator[Window]:
        end = min(season_last_day(season, self._league), self._until)
        while first <= end:
            last = min(first + timedelta(days=self._window_days - 1), end)
            yield Window(season, self._season_type, first, last, self._league)
            first = last + timedelta(days=1)

    def _records(self, window: Window) -> pl.DataFrame:
        what = f"The league's answer for {window.first} to {window.last}"
        answer = ask(self._retry, lambda: self._fetch(window), what)
        return records(answer, window.season_type)


def records(answer: ShotTable, season_type: str) -> pl.DataFrame:
    """Feed records of an answer; raises SourceError when its columns are not those we know."""
    lacking = [name for name in COLUMNS if name not in answer.headers]
    if lacking:
        raise SourceError(
            f"The league's table of shots lacks the columns {lacking}; it has "
            f"{list(answer.headers)[:40]}. It was changed: update nba_api, and if that does not "
            "help, parivision.sources.nba_api.COLUMNS."
        )
    uneven = [row for row in answer.rows if len(row) != len(answer.headers)]
    if uneven:
        raise SourceError(
            f"{len(uneven)} rows of the league's answer have not {len(answer.headers)} cells as "
            "the header has; the answer is damaged, ask again later."
        )
    at = {name: list(answer.headers).index(name) for name in COLUMNS}
    cells = {name: [_text(row[index]) for row in answer.rows] for name, index in at.items()}
    table = pl.DataFrame(cells, schema=dict.fromkeys(COLUMNS, pl.String))
    return feed_records(table, season_type)


def ask_league(window: Window, timeout_s: float = TIMEOUT_S) -> ShotTable:
    """Ask the league's server for a window, as nba_api does it."""
    import requests
    from nba_api.stats.endpoints.shotchartdetail import ShotChartDetail

    try:
        # 0 stands for all. FGA is attempts: without it makes only come (`lake.makes_only`).
        table = ShotChartDetail(
            team_id=0,
            player_id=0,
            context_measure_simple="FGA",
            league_id=window.league.code,
            season_nullable=window.season_words,
            season_type_all_star=window.season_type,
            date_from_nullable=f"{window.first:%m/%d/%Y}",
            date_to_nullable=f"{window.last:%m/%d/%Y}",
            timeout=timeout_s,
        ).shot_chart_detail.get_dict()
    except requests.RequestException as error:
        raise TransientError(f"{type(error).__name__}: {error}") from error
    except ValueError as error:
        # The server sends a web page instead of JSON when it is overloaded or blocks a caller.
        raise TransientError(f"the answer is no JSON ({error})") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"The league's answer has no table of shots ({type(error).__name__}: {error}); it was "
            "changed: update nba_api."
        ) from error
    return ShotTable(table["headers"], table["data"])


def season_last_day(season: int, league: League = NBA) -> date:
    """The last day on which a season's games are looked for."""
    return LATE_ENDS.get((league.key, season), date(season, *league.ends))


def _text(cell: Any) -> str | None:
    return None if cell is None else str(cell)


def _position(after: str | None) -> tuple[int, date]:
    if after is None:
        return 0, date.min
    parts = _CURSOR.fullmatch(after)
    try:
        if parts:
            return int(parts[1]), date.fromisoformat(parts[2])
    except ValueError:
        pass
    raise SourceError(
        f"The cursor of the live source is {after[:80]!r}; expected one like '2023:2022-10-24'. "
        "Start without a cursor to read everything again."
    )
