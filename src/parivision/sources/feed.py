"""The stats API as a source: pages by cursor, so that no record is lost or repeated."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import httpx
import polars as pl

from parivision.errors import SourceError
from parivision.settings.retry import Retry, TransientError
from parivision.shots.leagues import NBA, League
from parivision.sources import feed22
from parivision.sources.base import Batch
from parivision.sources.retry import ask

PAGE_RECORDS: Final = 5_000
TIMEOUT_S: Final = 30.0
# Busy, restarting, or asked too fast: what a server or the gateway before it says for a moment.
_RETRIED: Final = (408, 425, 429, 500, 502, 503, 504)


class FeedSource:
    """The records of a stats API, read by its cursor.

    Timeouts, broken connections and answers that say "later" are tried again; anything else that
    is wrong is a SourceError.
    """

    def __init__(
        self,
        url: str,
        *,
        league: League = NBA,
        season_type: str = "",
        transport: httpx.BaseTransport | None = None,
        page_records: int = PAGE_RECORDS,
        timeout_s: float = TIMEOUT_S,
        retry: Retry | None = None,
    ) -> None:
        """`url` is where the API answers, such as http://stats:8000; `transport` is for tests.

        Only records of the `league` and of the `season_type` are asked for; without either, all.
        """
        try:
            address = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise SourceError(
                f"{url!r} is no URL ({error}); give one like http://host:8000."
            ) from error
        if address.scheme not in ("http", "https") or not address.host:
            raise SourceError(
                f"{url!r} is no address of a stats API; give one like http://host:8000."
            )
        # A password in the URL must not get into cursors, messages or logs.
        self.name = f"feed:{str(address.copy_with(username=None, password=None)).rstrip('/')}"
        asked = {"league": league.key} if league is not NBA else {}
        self._asked_for = asked | ({"season_type": season_type} if season_type else {})
        self.name += "".join(f" {value}" for value in self._asked_for.values())
        self.format = feed22.OF_LEAGUE[league].name
        self._address = str(address).rstrip("/")
        self._transport = transport
        self._page_records = page_records
        self._timeout_s = timeout_s
        self._retry = retry or Retry()

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Pages from the cursor to the end of the feed; an end that was reached can be resumed."""
        more = True
        with httpx.Client(transport=self._transport, timeout=self._timeout_s) as client:
            while more:
                page = self._page(client, after)
                records, cursor, more = self._parsed(page)
                # A cursor that stands still would make this loop endless.
                if cursor == after and (more or records.height):
                    raise self._wrong("the cursor does not move")
                after = cursor
                if records.height:
                    yield Batch(records, cursor)

    def _page(self, client: httpx.Client, after: str | None) -> httpx.Response:
        parameters = {"limit": str(self._page_records), **self._asked_for}
        parameters |= {"after": after} if after else {}
        return ask(self._retry, lambda: self._asked(client, parameters), self.name)

    def _asked(self, client: httpx.Client, parameters: Mapping[str, str]) -> httpx.Response:
        try:
            answer = client.get(f"{self._address}/shots", params=parameters)
        except httpx.TransportError as error:
            raise TransientError(f"{type(error).__name__}: {error}") from error
        if answer.status_code in _RETRIED:
            raise TransientError(f"status {answer.status_code}", _asked_wait_s(answer))
        if answer.status_code == httpx.codes.CONFLICT:
            raise SourceError(
                f"{self.name} serves another archive than before: {_detail(answer)} Forget the "
                f"cursor of {self.name} to read it from its start; known shots are not doubled."
            )
        if answer.status_code != httpx.codes.OK:
            raise SourceError(
                f"{self.name} answered {answer.status_code}: {_detail(answer)} Check the URL and "
                "the cursor."
            )
        return answer

    def _parsed(self, answer: httpx.Response) -> tuple[pl.DataFrame, str, bool]:
        """Records as text, the cursor behind them, and whether more follow."""
        try:
            page = answer.json()
            rows, cursor, more = page["records"], page["next"], page["more"]
            records = as_text(rows)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self._wrong(f"{type(error).__name__}: {error}") from error
        if not isinstance(cursor, str) or not isinstance(more, bool):
            raise self._wrong("'next' is no text or 'more' no truth value")
        return records, cursor, more

    def _wrong(self, problem: str) -> SourceError:
        return SourceError(
            f"{self.name}/shots did not answer as a stats API does ({problem}); expected records, "
            "next and more. Check that the URL is that of a PariVision stats API."
        )


def as_text(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Feed records of JSON objects; raises KeyError when one lacks a column that is needed.

    Null becomes a missing cell, and so does what may be missing.
    """
    return pl.DataFrame(
        {name: pl.Series(_cells(rows, name), dtype=pl.String) for name in feed22.COLUMNS}
    )


def _cells(rows: list[dict[str, Any]], name: str) -> list[str | None]:
    if name in feed22.MAY_LACK:
        values = [row.get(name) for row in rows]
    else:
        values = [row[name] for row in rows]
    return [None if value is None else str(value) for value in values]


def _detail(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]


def _asked_wait_s(answer: httpx.Response) -> float:
    """Seconds of a Retry-After header; 0 without one, or when it is a date."""
    seconds = answer.headers.get("Retry-After", "")
    return float(seconds) if seconds.isdecimal() else 0.0
