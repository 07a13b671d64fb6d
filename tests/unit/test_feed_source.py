"""The stats API's client against answers of every kind; the real API is in tests/pipeline."""

import json
from collections.abc import Callable

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.errors import SourceError
from parivision.settings.retry import Retry
from parivision.sources import feed22
from parivision.sources.feed import FeedSource, as_text

ROW = dict.fromkeys(feed22.COLUMNS, "x") | {
    "Game ID": 22200001,
    "X Location": -12,
    "Action Type": None,
}
ONE = {"records": [ROW], "next": "c1", "more": False}


def source(handler: Callable[[httpx.Request], httpx.Response], waits: list[float]) -> FeedSource:
    """A source whose requests the handler answers."""
    return FeedSource(
        "http://stats:8000/",
        transport=httpx.MockTransport(handler),
        retry=Retry(within_s=10.0, sleep=waits.append),
    )


def answers(*steps: object) -> Callable[[httpx.Request], httpx.Response]:
    """A handler that gives these answers, one a request; exceptions are raised."""
    left = list(steps)

    def handler(request: httpx.Request) -> httpx.Response:
        step = left.pop(0)
        if isinstance(step, Exception):
            raise step
        if isinstance(step, httpx.Response):
            return step
        return httpx.Response(200, json=step)

    return handler


def test_cells_become_text() -> None:
    """Numbers become text, null a missing cell, and columns have the feed's order."""
    (batch,) = source(answers(ONE), []).batches()
    assert tuple(batch.records.columns) == feed22.COLUMNS
    assert batch.records.row(0, named=True) == {
        name: None if cell is None else str(cell) for name, cell in ROW.items()
    }
    assert batch.cursor == "c1"


def test_cursor_and_limit_are_sent() -> None:
    """The cursor of a batch asks for the next one."""
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.query.decode())
        more = "after" not in request.url.params
        return httpx.Response(200, json={**ONE, "next": f"c{len(asked)}", "more": more})

    batches = list(source(handler, []).batches())
    assert [batch.cursor for batch in batches] == ["c1", "c2"]
    assert asked == ["limit=5000", "limit=5000&after=c1"]


def test_an_end_that_was_reached_gives_nothing() -> None:
    """A feed without news has no batch."""
    assert (
        list(source(answers({"records": [], "next": "c1", "more": False}), []).batches("c1")) == []
    )


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut off"),
        httpx.Response(503),
        httpx.Response(429),
    ],
)
def test_passing_failures_are_tried_again(failure: object) -> None:
    """Two failures and a success are a success."""
    waits: list[float] = []
    (batch,) = source(answers(failure, failure, ONE), waits).batches()
    assert batch.records.height == 1
    assert len(waits) == 2


def test_a_wait_that_was_asked_for_is_kept() -> None:
    """Retry-After lengthens the wait; one in words is ignored."""
    waits: list[float] = []
    later = httpx.Response(429, headers={"Retry-After": "7"})
    in_words = httpx.Response(429, headers={"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})
    list(source(answers(later, in_words, ONE), waits).batches())
    assert waits[0] == 7.0
    assert waits[1] < 1.1


def test_a_lasting_failure_names_the_feed() -> None:
    """The error says who failed, for how long, and with what."""
    waits: list[float] = []
    down = source(answers(*[httpx.ConnectError("refused")] * 30), waits)
    with pytest.raises(SourceError, match=r"feed:http://stats:8000 gave nothing within 10 s.*Conn"):
        list(down.batches())
    assert sum(waits) == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(200, text="<html>hello</html>"), "did not answer as a stats API"),
        (httpx.Response(200, json=[]), "did not answer as a stats API"),
        (httpx.Response(200, json={"records": [], "next": 1, "more": False}), "'next' is no text"),
        (httpx.Response(200, json={**ONE, "records": [{"Game ID": 1}]}), "KeyError"),
        (httpx.Response(200, json={**ONE, "records": 5}), "did not answer as a stats API"),
        (httpx.Response(404, text="no such page"), "answered 404: no such page"),
        (httpx.Response(422, json={"detail": "after is 'x'"}), "answered 422: after is 'x'"),
        (httpx.Response(409, json={"detail": "of another."}), "serves another archive than before"),
    ],
)
def test_wrong_answers_are_errors_at_once(answer: httpx.Response, said: str) -> None:
    """What will not pass is not tried again, and the error says what to do."""
    waits: list[float] = []
    with pytest.raises(SourceError, match=said):
        list(source(answers(answer), waits).batches("c0"))
    assert waits == []


def test_a_cursor_that_stands_still_is_an_error() -> None:
    """A feed that gives the same page for ever does not hang the reader."""
    with pytest.raises(SourceError, match="cursor does not move"):
        list(source(answers(ONE), []).batches("c1"))


@settings(max_examples=60, deadline=None)
@given(
    body=st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["records", "next", "more"]), inner)
            ),
            max_leaves=8,
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_any_body_is_batches_or_a_source_error(body: bytes) -> None:
    """Nothing but SourceError comes out, whatever the other side sends."""
    try:
        batches = list(source(lambda _: httpx.Response(200, content=body), []).batches())
    except SourceError:
        return
    assert all(isinstance(batch.records, pl.DataFrame) for batch in batches)


@pytest.mark.parametrize(
    "url", ["", "stats:8000", "ftp://stats", "http://", "http://stats:port", "/shots"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """The message shows what one looks like."""
    with pytest.raises(SourceError, match="give one like http://host:8000"):
        FeedSource(url)


def test_a_password_stays_out_of_the_name() -> None:
    """Cursors and messages carry no credentials."""
    assert FeedSource("https://me:secret@stats/api").name == "feed:https://stats/api"


def test_no_rows_are_a_table_of_text() -> None:
    """An empty page still has the columns."""
    assert as_text([]).schema == dict.fromkeys(feed22.COLUMNS, pl.String())
