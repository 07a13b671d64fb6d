"""The live source: a recorded answer read by nba_api itself, and everything that goes wrong."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from nba_api.stats.library.http import NBAStatsHTTP
from requests.adapters import BaseAdapter

from parivision.errors import SettingsError, SourceError
from parivision.settings.retry import Retry, TransientError
from parivision.shots.leagues import G_LEAGUE, LEAGUES, WNBA
from parivision.sources import feed22, live
from parivision.sources.base import Batch
from parivision.sources.live import LiveSource, ShotTable, Window
from parivision.sources.nba_api import COLUMNS

RECORDED = (Path(__file__).parent / "recorded" / "shotchartdetail.json").read_text("utf-8")
WINDOW = Window(2023, "Regular Season", date(2022, 10, 15), date(2022, 10, 21))
HEADERS = list(COLUMNS)
UNTIL = date(2022, 10, 31)


class Wire(BaseAdapter):
    """Answers nba_api's requests in place of the network."""

    def __init__(self, answer: Callable[[], str]) -> None:
        super().__init__()
        self.answer = answer
        self.asked: list[str] = []

    def send(
        self, request: requests.PreparedRequest, *_: object, **__: object
    ) -> requests.Response:
        """Answer with what the test wants."""
        self.asked.append(request.url or "")
        response = requests.Response()
        response.status_code = 200
        response.url = request.url or ""
        response._content = self.answer().encode()
        return response

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], str]], Wire]]:
    """Puts a Wire under nba_api."""
    with requests.Session() as session:

        def install(answer: Callable[[], str]) -> Wire:
            adapter = Wire(answer)
            session.mount("https://", adapter)
            monkeypatch.setattr(NBAStatsHTTP, "_session", session)
            return adapter

        yield install


def row(day: date, event: int = 1) -> list[object]:
    """A row of the league's table."""
    cells: dict[str, object] = dict.fromkeys(HEADERS, "x")
    return list((cells | {"GAME_EVENT_ID": event, "GAME_DATE": f"{day:%Y%m%d}"}).values())


def one_a_day(window: Window) -> ShotTable:
    """An answer with a shot on every day of the window."""
    days = (window.last - window.first).days + 1
    return ShotTable(HEADERS, [row(window.first + timedelta(days=n)) for n in range(days)])


def source(fetch: live.Fetch, **more: object) -> LiveSource:
    """A source of the season 2023 to the end of October that never really waits."""
    more.setdefault("retry", Retry(within_s=5.0, sleep=lambda _: None))
    return LiveSource([2023], UNTIL, fetch=fetch, **more)  # type: ignore[arg-type]


def days(batches: Iterator[Batch]) -> list[str]:
    """The days of the shots of batches."""
    return [day for batch in batches for day in batch.records["Game Date"]]


class TestRecorded:
    """A recorded answer, parsed by nba_api."""

    def test_becomes_shots(self, wire: Callable[..., Wire]) -> None:
        """Every row is a valid shot, in feed form, in this project's frame."""
        wire(lambda: RECORDED)
        records = live.records(live.ask_league(WINDOW), "Regular Season")
        converted = feed22.FORMAT.to_shots(records)
        assert converted.bad.is_empty()
        first = converted.shots.row(0, named=True)
        assert first["game_id"] == 22200001
        assert (first["x_ft"], first["y_ft"], first["made"]) == (0.9, 1.4, 1)
        assert (first["home_team"], first["away_team"]) == ("BOS", "PHI")
        assert first["clock_s"] == 11 * 60 + 38
        assert converted.shots["season"].to_list() == [2023] * 5

    def test_asks_for_the_whole_league_and_the_days(self, wire: Callable[..., Wire]) -> None:
        """One request holds all teams and players, the season, its type and the two dates."""
        adapter = wire(lambda: RECORDED)
        live.ask_league(WINDOW)
        (url,) = adapter.asked
        for part in (
            "shotchartdetail",
            "TeamID=0",
            "PlayerID=0",
            "Season=2022-23",
            "SeasonType=Regular+Season",
            "DateFrom=10%2F15%2F2022",
            "DateTo=10%2F21%2F2022",
            "ContextMeasure=FGA",
        ):
            assert part in url

    @pytest.mark.parametrize(
        "text", ["", "<html>busy</html>", '{"Message":"An error has occurred."}', RECORDED[:900]]
    )
    def test_a_web_page_may_pass(self, wire: Callable[..., Wire], text: str) -> None:
        """What is no JSON is a failure that is tried again."""
        wire(lambda: text)
        with pytest.raises(TransientError, match="no JSON"):
            live.ask_league(WINDOW)

    @pytest.mark.parametrize(
        "error", [requests.ReadTimeout("slow"), requests.ConnectionError("no")]
    )
    def test_a_broken_connection_may_pass(
        self, wire: Callable[..., Wire], error: Exception
    ) -> None:
        """Timeouts and refusals are tried again."""

        def fail() -> str:
            raise error

        wire(fail)
        with pytest.raises(TransientError, match=type(error).__name__):
            live.ask_league(WINDOW)

    @pytest.mark.parametrize("text", ["{}", "[]", "3", '{"resultSets": []}', '{"resultSets": [1]}'])
    def test_another_layout_will_not_pass(self, wire: Callable[..., Wire], text: str) -> None:
        """An answer without the table says that nba_api may be too old."""
        wire(lambda: text)
        with pytest.raises(SourceError, match="update nba_api"):
            live.ask_league(WINDOW)

    def test_changed_columns_are_named(self, wire: Callable[..., Wire]) -> None:
        """A renamed column is named in the error."""
        wire(lambda: RECORDED.replace('"LOC_X"', '"LOCATION_X"'))
        with pytest.raises(SourceError, match=r"lacks the columns \['LOC_X'\]"):
            live.records(live.ask_league(WINDOW), "Regular Season")

    def test_a_cut_row_is_an_error(self, wire: Callable[..., Wire]) -> None:
        """A row with too few cells is not shifted into other columns."""
        answer = json.loads(RECORDED)
        answer["resultSets"][0]["rowSet"][2].pop()
        wire(lambda: json.dumps(answer))
        with pytest.raises(SourceError, match="1 rows of the league's answer"):
            live.records(live.ask_league(WINDOW), "Regular Season")

    def test_the_whole_way(self, wire: Callable[..., Wire]) -> None:
        """The source reads it by itself, through nba_api, with a page of errors in between."""
        texts = ["<html>busy</html>", RECORDED]
        wire(lambda: texts.pop(0))
        live_source = LiveSource(
            [2023],
            date(2022, 10, 19),
            since=date(2022, 10, 18),
            retry=Retry(sleep=lambda _: None),
        )
        (batch,) = live_source.batches()
        assert batch.records.height == 5
        assert batch.cursor == "2023:2022-10-19"
        assert set(batch.records["Season Type"]) == {"Regular Season"}


class TestReading:
    """Windows, resumption, retries."""

    def test_every_day_is_asked_once(self) -> None:
        """The season's windows follow each other without gap to the last day."""
        read = days(source(one_a_day).batches())
        assert read == [f"{date(2022, 10, 1) + timedelta(days=n):%Y%m%d}" for n in range(31)]

    @settings(max_examples=20, deadline=None)
    @given(width=st.integers(1, 20), stop=st.integers(0, 5))
    def test_resumes_behind_any_batch(self, width: int, stop: int) -> None:
        """Whatever the window, stopping and resuming loses and repeats no day."""
        batches = source(one_a_day, window_days=width).batches()
        read, cursor = [], None
        for number, batch in enumerate(batches):
            read += days(iter([batch]))
            cursor = batch.cursor
            if number == stop:
                break
        read += days(source(one_a_day).batches(cursor))
        assert read == days(source(one_a_day).batches())

    def test_days_without_games_are_passed_over(self) -> None:
        """A window without shots gives no batch, and the next one follows."""

        def fetch(window: Window) -> ShotTable:
            return one_a_day(window) if window.first.day == 15 else ShotTable(HEADERS, [])

        (batch,) = source(fetch).batches()
        assert batch.cursor == "2023:2022-10-21"
        assert list(source(fetch).batches(batch.cursor)) == []

    def test_a_season_that_is_over_has_shots(self) -> None:
        """None at all means that something is wrong, and the error says what to look at."""
        empty = LiveSource(
            [2023], date(2024, 1, 1), fetch=lambda _: ShotTable(HEADERS, []), pause_s=0.0
        )
        with pytest.raises(SourceError, match="no shots of the Regular Season 2023, which is over"):
            list(empty.batches())

    def test_seasons_follow_each_other(self) -> None:
        """Seasons are read in order; the long season of 2020 is read to its end."""
        seasons = LiveSource(
            [2021, 2020], date(2020, 10, 31), fetch=one_a_day, window_days=400, pause_s=0.0
        )
        first, second = seasons.batches()
        assert first.cursor == "2020:2020-10-14"
        assert second.records["Game Date"][0] == "20201001"
        assert [batch.cursor for batch in seasons.batches(first.cursor)] == ["2021:2020-10-31"]
        assert list(seasons.batches(second.cursor)) == []

    def test_the_last_day_is_asked_again_where_it_may_have_been_half(self) -> None:
        """A schedule may come while a late game is played: the next night reads that day again."""
        nightly = source(one_a_day, rereads_last_day=True)
        read = days(nightly.batches("2023:2022-10-30"))
        assert read == ["20221030", "20221031"]
        assert days(source(one_a_day).batches("2023:2022-10-30")) == ["20221031"]

    def test_another_league_is_asked_in_its_own_words(self, wire: Callable[..., Wire]) -> None:
        """The request has the league's number, and the season as that league writes it."""
        adapter = wire(lambda: RECORDED)
        for league, season in ((WNBA, "2022"), (G_LEAGUE, "2021-22")):
            live.ask_league(Window(2022, "Playoffs", UNTIL, UNTIL, league))
            assert f"LeagueID={league.code}" in adapter.asked[-1]
            assert f"&Season={season}&" in adapter.asked[-1]
            assert "SeasonType=Playoffs" in adapter.asked[-1]

    def test_leagues_have_cursors_formats_and_seasons_of_their_own(self) -> None:
        """The WNBA plays from spring to autumn of one year; nothing of it counts for the NBA."""
        asked: list[Window] = []

        def fetch(window: Window) -> ShotTable:
            asked.append(window)
            return one_a_day(window)

        wnba = LiveSource([2022], date(2022, 12, 1), league=WNBA, fetch=fetch, pause_s=0.0)
        formats = {batch.format or wnba.format for batch in wnba.batches()}
        assert formats == {"feed22_wnba"}
        assert (asked[0].first, asked[-1].last) == (date(2022, 4, 15), date(2022, 11, 15))
        names = {LiveSource([2022], UNTIL, league=league).name for league in LEAGUES}
        assert len(names) == 3
        assert "live:Regular Season:2022 on" in names  # as before there were others

    def test_cursors_hold_for_the_same_days_only(self) -> None:
        """The name that cursors are kept under tells seasons, season type and first day apart."""
        since = date(2022, 11, 1)
        sources = [
            LiveSource([2023], UNTIL),
            LiveSource([2022, 2023], UNTIL),
            LiveSource([2020, 2023], UNTIL),
            LiveSource([2023], UNTIL, since=since),
            LiveSource([2023], UNTIL, season_type="Playoffs"),
        ]
        assert len({one.name for one in sources}) == 5
        assert LiveSource([2023, 2024], since).name == sources[0].name

    def test_failures_are_retried_and_requests_spaced(self) -> None:
        """A failed request is repeated after a backoff; between windows there is a pause."""
        waits: list[float] = []
        failures = [TransientError("busy")]

        def fetch(window: Window) -> ShotTable:
            if failures:
                raise failures.pop()
            return one_a_day(window)

        retry = Retry(first_s=4.0, sleep=waits.append, jitter=lambda: 0.0)
        assert len(days(source(fetch, retry=retry, pause_s=1.5).batches())) == 31
        assert waits == [4.0, 1.5, 1.5, 1.5, 1.5]

    def test_a_lasting_failure_keeps_what_was_read(self) -> None:
        """Batches before the failure are handed out; the error names the days."""

        def fetch(window: Window) -> ShotTable:
            if window.first.day > 10:
                raise TransientError("busy")
            return one_a_day(window)

        batches = source(fetch).batches()
        assert [next(batches).cursor, next(batches).cursor] == [
            "2023:2022-10-07",
            "2023:2022-10-14",
        ]
        with pytest.raises(SourceError, match="2022-10-15 to 2022-10-21 gave nothing within 5 s"):
            next(batches)

    @pytest.mark.parametrize("cursor", ["", "2023", "2023:2022-13-01", "x:2022-10-01", "2023:1"])
    def test_a_foreign_cursor_is_refused(self, cursor: str) -> None:
        """The message shows what one looks like."""
        with pytest.raises(SourceError, match="expected one like"):
            list(source(one_a_day).batches(cursor))

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"seasons": []}, "at least one"),
            ({"seasons": [1980]}, "from 1997 on"),
            ({"seasons": [2023], "season_type": "Summer"}, "season_type is 'Summer'"),
            ({"seasons": [2023], "window_days": 0}, "at least 1"),
        ],
    )
    def test_impossible_requests_are_refused(self, wrong: dict[str, Any], said: str) -> None:
        """The message says what is allowed."""
        with pytest.raises(SettingsError, match=said):
            LiveSource(until=UNTIL, **wrong)
