"""One word for each source: the URI that the CLI and the pipelines' parameter `source` take.

synthetic:?seed=1&seasons=2021-2023&games=400     the embedded league, see SyntheticConfig
live:?seasons=2024,2025&until=2025-04-13          the league's own statistics
live:?seasons=current&until=yesterday             the same for a schedule: each night's games
live:?league=gleague&season_type=Playoffs&...     another league, another part of the season
http://stats-api:8000                             a stats API, by its cursor
http://stats-api:8000?league=gleague              the same, its records of another league
data/nba                                          season files or feed CSVs, a file or folder
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from parivision.errors import SettingsError
from parivision.settings.retry import Retry
from parivision.shots import leagues
from parivision.shots.leagues import League
from parivision.shots.schema import SEASON_TYPES
from parivision.sources import game_number, league_day
from parivision.sources.base import Source
from parivision.sources.csv_files import open_files
from parivision.sources.feed import FeedSource
from parivision.sources.league_day import Clock
from parivision.sources.live import FIRST_WAIT_S, PATIENCE_S, LiveSource
from parivision.sources.synthetic import Drift, SyntheticConfig, SyntheticSource

MOST_SEASONS = 200
_SWITCHES = (
    "relabel_actions",
    "moved_coordinates",
    "more_threes",
    "skill_change",
    "shuffled_outcomes",
)


def open_source(
    uri: str,
    retry: Retry = Retry(),  # noqa: B008 - frozen
    clock: Clock = league_day.now,
) -> Source:
    """The source a URI names; raises SettingsError or SourceError when it names none.

    `retry` is for sources in the network: the league is asked for at least `live.PATIENCE_S`.
    `clock` tells what `today` and `yesterday` are.
    """
    scheme, colon, _ = uri.partition(":")
    scheme = scheme.lower() if colon else ""
    if scheme in {"http", "https"}:
        return _feed(uri, retry)
    if scheme == "synthetic":
        return SyntheticSource(synthetic_config(uri))
    if scheme == "live":
        within_s = max(retry.within_s, PATIENCE_S)
        return _live(uri, replace(retry, within_s=within_s, first_s=FIRST_WAIT_S), clock)
    try:
        path = Path(uri).expanduser()
    except (RuntimeError, ValueError) as error:
        raise SettingsError(f"{uri!r} is no path of a source ({error})") from error
    return open_files(path)


def synthetic_config(uri: str) -> SyntheticConfig:
    """The league a `synthetic:` URI describes.

    Options: seed, seasons (2021-2023 or 2021,2023), games (a season), scale (of shots in a game),
    and a start (season or day) for each drift switch, such as `more_threes=2023`.
    """
    options = _options(uri)
    drift = {name: _parsed(uri, options.pop(name), _start) for name in _SWITCHES if name in options}
    readers: dict[str, tuple[str, Callable[[str], Any]]] = {
        "seed": ("seed", int),
        "seasons": ("seasons", _seasons),
        "games": ("games_a_season", int),
        "scale": ("shots_scale", float),
    }
    _refuse_unknown(uri, options, {*readers, *_SWITCHES})
    values = {
        readers[name][0]: _parsed(uri, text, readers[name][1]) for name, text in options.items()
    }
    return SyntheticConfig(**values, drift=Drift(**drift))


def _live(uri: str, retry: Retry, clock: Clock) -> LiveSource:
    """The league's statistics.

    Options: seasons (2024,2025, 2024-current or current), until and since (a day, `today`,
    `yesterday` or `7-days-ago`, as it is in New York), league (nba, wnba, gleague), season_type.
    """
    options = _options(uri)
    _refuse_unknown(uri, options, {"seasons", "until", "since", "league", "season_type"})
    if not {"seasons", "until"} <= options.keys():
        raise SettingsError(
            f"{uri!r}: expected live:?seasons=2024,2025&until=2025-04-13 or "
            "live:?seasons=current&until=yesterday"
        )
    league, season_type = _league_and_part(options)
    last, first = options["until"], options.get("since", "")
    until = _parsed(uri, last, lambda text: league_day.day(text, clock))
    seasons = options["seasons"].replace("current", str(league.season_of(until)))
    return LiveSource(
        _parsed(uri, seasons, _seasons),
        until,
        since=_parsed(uri, first, lambda text: league_day.day(text, clock)) if first else None,
        league=league,
        season_type=season_type or SEASON_TYPES[0],
        rereads_last_day=league_day.is_relative(last),
        scope=first,
        retry=retry,
    )


def _feed(uri: str, retry: Retry) -> FeedSource:
    """A stats API; options behind a question mark choose league and part of the season."""
    address, mark, query = uri.partition("?")
    if not mark:
        return FeedSource(uri, retry=retry)
    options = dict(parse_qsl(query, keep_blank_values=True))
    _refuse_unknown(f"?{query}", options, {"league", "season_type"})  # the rest may hold a password
    league, season_type = _league_and_part(options)
    return FeedSource(address, league=league, season_type=season_type, retry=retry)


def _league_and_part(options: dict[str, str]) -> tuple[League, str]:
    """The league that options choose, the NBA by default, and the part of the season if any."""
    league = leagues.named(options.get("league", leagues.NBA.key))
    if "season_type" not in options:
        return league, ""
    (part, *more) = game_number.season_parts(options["season_type"])
    if more:
        raise SettingsError(
            f"season_type is {options['season_type']!r}: a source has one; ingest one after another"
        )
    return league, part


def _options(uri: str) -> dict[str, str]:
    scheme, _, rest = uri.partition(":")
    if rest and not rest.startswith("?"):
        raise SettingsError(f"{uri!r}: expected {scheme}:?option=value&option=value")
    return dict(parse_qsl(rest[1:], keep_blank_values=True))


def _refuse_unknown(uri: str, options: dict[str, str], known: set[str]) -> None:
    unknown = sorted(options.keys() - known)
    if unknown:
        raise SettingsError(f"{uri!r} has unknown options {unknown}: expected {sorted(known)}")


def _parsed(uri: str, text: str, reader: Callable[[str], Any]) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise SettingsError(f"{uri!r}: cannot read {text!r} ({error})") from error


def _seasons(text: str) -> tuple[int, ...]:
    first, dash, last = text.partition("-")
    if dash:
        start, stop = int(first), int(last) + 1
        if stop - start > MOST_SEASONS:
            raise ValueError(f"{stop - start} seasons are more than {MOST_SEASONS}")
        return tuple(range(start, stop))
    return tuple(int(part) for part in text.split(","))


def _start(text: str) -> int | date:
    return int(text) if text.isdecimal() else date.fromisoformat(text)
