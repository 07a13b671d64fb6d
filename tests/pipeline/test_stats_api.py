"""The stats API as a real server on 127.0.0.1, with its real client and many readers at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl
import pytest
import uvicorn
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from parivision.errors import SettingsError, SourceError, StoreError
from parivision.settings.retry import NEVER
from parivision.shots.leagues import G_LEAGUE, NBA
from parivision.sources import feed22
from parivision.sources.feed import FeedSource
from parivision.sources.open import open_source
from parivision.sources.synthetic import SyntheticConfig, generate
from parivision.stats_api.app import create_app
from parivision.stats_api.archive import Archive, open_archive
from parivision.stats_api.origins import file_origin, synthetic_origin
from pipeline.feed_records import keys
from waiting import wait_for

LEAGUE = SyntheticConfig(seasons=(2023,), games_a_season=290)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of 50,000 records."""
    opened = open_archive(synthetic_origin(LEAGUE), tmp_path_factory.mktemp("archive"))
    assert opened.size > 50_000
    return opened


@pytest.fixture(scope="module")
def records(archive: Archive) -> pl.DataFrame:
    """All its records."""
    return archive.records(0, archive.size)


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """Serve an app on a free port; gives its URL."""
    config = uvicorn.Config(app, port=0, log_level="error", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started, "the server")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def url(archive: Archive, tmp_path: Path) -> Iterator[str]:
    """A fresh API over the archive."""
    with running(create_app(archive, tmp_path / "position.json")) as address:
        yield address


@pytest.fixture(scope="module")
def shared_url(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An API for tests that do not mind each other."""
    path = tmp_path_factory.mktemp("state") / "position.json"
    with running(create_app(archive, path)) as address:
        yield address


def all_keys(records: pl.DataFrame) -> list[tuple[int, int]]:
    """The same of a table of text."""
    return [
        (int(game), int(event)) for game, event in records.select("Game ID", "Game Event ID").rows()
    ]


class TestGetData:
    """GET /getdata/{n}: nobody gets what somebody had."""

    def test_gives_the_next_records_in_order(self, url: str, records: pl.DataFrame) -> None:
        """A list of objects with the 22 columns; the next request goes on behind it."""
        first = httpx.get(f"{url}/getdata/3").json()
        assert [tuple(row) for row in first] == [feed22.COLUMNS] * 3
        assert keys(first) == all_keys(records)[:3]
        assert keys(httpx.get(f"{url}/getdata/100").json()) == all_keys(records)[3:103]

    def test_ends_with_an_empty_list_and_says_so(self, url: str, archive: Archive) -> None:
        """At the end the list is empty and a header says that this is the end."""
        while httpx.get(f"{url}/getdata/10000").json():
            pass
        answer = httpx.get(f"{url}/getdata/1")
        assert (answer.status_code, answer.json()) == (200, [])
        assert answer.headers["X-Feed-End"] == "true"
        assert answer.headers["X-Feed-Left"] == "0"
        assert answer.headers["X-Feed-Position"] == str(archive.size)

    def test_parallel_readers_share_the_archive(self, url: str, records: pl.DataFrame) -> None:
        """Eight readers at once get every record once, together."""

        def read(size: int) -> list[tuple[int, int]]:
            got: list[tuple[int, int]] = []
            with httpx.Client() as client:
                while rows := client.get(f"{url}/getdata/{size}", timeout=60).json():
                    got += keys(rows)
            return got

        with ThreadPoolExecutor(8) as readers:
            parts = list(readers.map(read, (311, 500, 733, 1000, 1500, 2000, 900, 10_000)))
        given_away = [key for part in parts for key in part]
        assert len(given_away) == records.height
        assert set(given_away) == set(all_keys(records))

    def test_two_servers_on_one_place_share_it_too(
        self, archive: Archive, tmp_path: Path, records: pl.DataFrame
    ) -> None:
        """During a rolling update old and new server do not give a record twice."""
        apps = [create_app(archive, tmp_path / "position.json") for _ in range(2)]
        with running(apps[0]) as one, running(apps[1]) as other:
            asked = [one, other] * 10
            with ThreadPoolExecutor(4) as readers:
                parts = readers.map(lambda url: keys(httpx.get(f"{url}/getdata/50").json()), asked)
        assert sorted(key for part in parts for key in part) == sorted(all_keys(records)[:1000])

    def test_the_place_outlives_the_server(
        self, archive: Archive, tmp_path: Path, records: pl.DataFrame
    ) -> None:
        """A new server at the same state file goes on where the old one was."""
        for start in (0, 40):
            with running(create_app(archive, tmp_path / "position.json")) as url:
                rows = httpx.get(f"{url}/getdata/40").json()
            assert keys(rows) == all_keys(records)[start : start + 40]

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_reset_starts_again(self, url: str, method: str) -> None:
        """After a reset the first records come again."""
        first = httpx.get(f"{url}/getdata/5").json()
        assert httpx.request(method, f"{url}/reset").json()["position"] == 0
        assert httpx.get(f"{url}/getdata/5").json() == first

    @pytest.mark.parametrize("n", ["0", "-1", "10001", "many", "1.5", "9" * 40, "1e3", "%00"])
    def test_a_wrong_number_is_a_422_that_names_it(self, url: str, n: str) -> None:
        """The answer says what was expected, and nothing is given away."""
        answer = httpx.get(f"{url}/getdata/{n}")
        assert answer.status_code == 422
        assert answer.json()["detail"][0]["loc"] == ["path", "n"]
        assert httpx.get(f"{url}/health").json()["position"] == 0


class TestShots:
    """GET /shots: every reader keeps its own place."""

    def test_independent_readers_get_everything_once(self, url: str, records: pl.DataFrame) -> None:
        """Readers of different page sizes at once each read the whole archive, in order."""

        def read(size: int) -> pl.DataFrame:
            source = FeedSource(url, page_records=size, retry=NEVER)
            return pl.concat([batch.records for batch in source.batches()])

        with ThreadPoolExecutor(3) as readers:
            for read_by_one in readers.map(read, (1700, 5000, 10_000)):
                assert_frame_equal(read_by_one, records)

    def test_reading_resumes_at_the_cursor(self, shared_url: str, records: pl.DataFrame) -> None:
        """A reader that died goes on with its last cursor; converted, the league comes out."""
        source = FeedSource(shared_url, page_records=10_000)
        first = next(source.batches())
        rest = [batch.records for batch in FeedSource(shared_url).batches(first.cursor)]
        read = pl.concat([first.records, *rest])
        assert_frame_equal(read, records)
        converted = feed22.FORMAT.to_shots(read)
        assert_frame_equal(converted.shots, generate(LEAGUE).drop("p_true"))

    def test_the_two_ways_do_not_touch_each_other(self, url: str) -> None:
        """Pages do not move /getdata's place, and a reset does not move cursors."""
        page = httpx.get(f"{url}/shots", params={"limit": 4}).json()
        assert len(httpx.get(f"{url}/getdata/4").json()) == 4
        httpx.post(f"{url}/reset")
        after = {"limit": 4, "after": page["next"]}
        assert (
            httpx.get(f"{url}/getdata/8").json()[4:]
            == (httpx.get(f"{url}/shots", params=after).json()["records"])
        )

    def test_the_end_can_be_asked_again(self, shared_url: str, archive: Archive) -> None:
        """At the end pages are empty, `more` is false and the cursor stays."""
        end = {"after": f"{archive.identity}-{archive.size}"}
        page = httpx.get(f"{shared_url}/shots", params=end).json()
        assert page == {"records": [], "next": end["after"], "more": False}

    def test_another_archives_cursor_is_a_conflict(self, shared_url: str) -> None:
        """The answer says whose it is; the client says what to do about it."""
        cursor = "00000000deadbeef-10"
        answer = httpx.get(f"{shared_url}/shots", params={"after": cursor})
        assert answer.status_code == 409
        assert "belongs to the archive 00000000deadbeef" in answer.json()["detail"]
        with pytest.raises(SourceError, match="Forget the cursor"):
            list(FeedSource(shared_url).batches(cursor))

    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(after=st.text(max_size=30), limit=st.one_of(st.integers(), st.text(max_size=8)))
    def test_any_query_is_answered(self, shared_url: str, after: str, limit: int | str) -> None:
        """No cursor and no limit makes a server error; a wrong one is told apart."""
        answer = httpx.get(f"{shared_url}/shots", params={"after": after, "limit": limit})
        assert answer.status_code == 422
        assert "expected" in answer.text or "limit" in answer.text


class TestService:
    """Health, metrics, failures."""

    def test_health_tells_place_and_size(self, url: str, archive: Archive) -> None:
        """The answer is what a probe and a person want to know."""
        httpx.get(f"{url}/getdata/7")
        assert httpx.get(f"{url}/health").json() == {
            "status": "ok",
            "position": 7,
            "size": archive.size,
        }

    def test_metrics_count_what_was_given(self, url: str, archive: Archive) -> None:
        """Records by endpoint, place and size are exported."""
        httpx.get(f"{url}/getdata/7")
        httpx.get(f"{url}/shots", params={"limit": 9})
        text = httpx.get(f"{url}/metrics").text
        assert 'parivision_stats_records_given_total{endpoint="getdata"} 7.0' in text
        assert 'parivision_stats_records_given_total{endpoint="shots"} 9.0' in text
        assert "parivision_stats_position 7.0" in text
        assert f"parivision_stats_archive_records {float(archive.size)}" in text

    def test_two_apps_have_their_own_metrics(self, archive: Archive, tmp_path: Path) -> None:
        """Making a second app in a process does not clash."""
        for name in ("a", "b"):
            create_app(archive, tmp_path / name / "position.json")

    def test_a_damaged_place_is_a_503_not_a_restart_from_zero(
        self, archive: Archive, tmp_path: Path
    ) -> None:
        """When the state file is spoilt nothing is given, and the answer says what to do."""
        path = tmp_path / "position.json"
        with running(create_app(archive, path)) as url:
            path.write_text("spoilt")
            answer = httpx.get(f"{url}/getdata/5")
            assert answer.status_code == 503
            assert "delete it to start from record 0" in answer.json()["detail"]
            assert httpx.get(f"{url}/shots").status_code == 200
        with pytest.raises(StoreError, match="delete it"):
            create_app(archive, path)

    def test_a_place_that_cannot_be_written_is_a_503(
        self, archive: Archive, tmp_path: Path
    ) -> None:
        """No record is given whose giving could not be kept."""
        folder = tmp_path / "state"
        with running(create_app(archive, folder / "position.json")) as url:
            folder.rmdir()
            assert httpx.get(f"{url}/getdata/5").status_code == 503

    def test_documents_itself(self, shared_url: str) -> None:
        """OpenAPI lists the routes with their limits."""
        routes = httpx.get(f"{shared_url}/openapi.json").json()["paths"]
        assert set(routes) == {"/getdata/{n}", "/shots", "/reset", "/health", "/metrics"}
        number = routes["/getdata/{n}"]["get"]["parameters"][0]["schema"]
        assert (number["minimum"], number["maximum"]) == (1, 10_000)


def test_a_league_and_a_part_of_the_season_are_read_alone(tmp_path: Path) -> None:
    """Readers of other choices each get theirs of one archive, to its end and with a cursor."""
    shots = generate(LEAGUE).head(3_000)
    parts = [
        feed22.records_from_shots(shots.with_columns(pl.col("game_id") + league.first_game))
        for league in (NBA, G_LEAGUE)
    ]
    playoffs = parts[1].with_columns(pl.lit("Playoffs").alias("Season Type"))
    pl.concat([*parts, playoffs]).write_csv(tmp_path / "feed.csv")
    archive = open_archive(file_origin(tmp_path / "feed.csv"), tmp_path / "archive")
    with running(create_app(archive, tmp_path / "position.json")) as url:
        for query, expected, layout in (
            ("", 9_000, "feed22"),
            ("?league=gleague", 6_000, "feed22_gleague"),
            ("?league=gleague&season_type=Playoffs", 3_000, "feed22_gleague"),
            ("?season_type=Regular Season", 6_000, "feed22"),
        ):
            source = open_source(url + query)
            batches = list(source.batches())
            assert sum(batch.records.height for batch in batches) == expected
            assert source.format == layout
            assert list(source.batches(batches[-1].cursor)) == []
        answer = httpx.get(f"{url}/shots", params={"league": "ncaa"})
        assert (answer.status_code, "expected one of nba" in answer.text) == (422, True)
        with pytest.raises(SettingsError, match=r"'\?leage=nba' has unknown options"):
            open_source(url + "?leage=nba")
