"""The stats API: replays an archive of shots over HTTP, as a statistics provider would.

    GET  /getdata/{n}                  the next n records that nobody was given before
    GET  /shots?after=CURSOR&limit=N   a page of records, for readers that keep their own place;
                                       &league=gleague&season_type=Playoffs choose among them
    POST /reset                        /getdata starts again (GET works too, for old clients)
    GET  /health, /metrics

Records are objects with the feed's 22 columns, in their order, numbers as numbers.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Final

import polars as pl
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi import Path as PathParameter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client import generate_latest as exposition

from parivision import strict_json, telemetry
from parivision.errors import SettingsError, StoreError
from parivision.stats_api.archive import Archive, Position, Progress, open_archive
from parivision.stats_api.choice import chosen_records
from parivision.stats_api.origins import Origin

MAX_RECORDS: Final = 10_000
"""Most records of one answer."""
DEFAULT_LIMIT: Final = 1_000
NUMBERS: Final = (
    "Game ID",
    "Game Event ID",
    "Player ID",
    "Team ID",
    "Period",
    "Minutes Remaining",
    "Seconds Remaining",
    "Shot Distance",
    "X Location",
    "Y Location",
    "Shot Made Flag",
)
"""The columns that are JSON numbers, where the archive's cell is one."""

_GET_DATA: Final = "getdata"
_SHOTS: Final = "shots"
_CURSOR: Final = re.compile(r"([0-9a-f]{16})-(\d{1,12})")
# JSON's numbers, without exponents; so few digits that Python reads all of them, none as infinite.
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]{0,299})(\.[0-9]{1,300})?")


class Feed:
    """An archive being replayed: what the API does, without HTTP."""

    def __init__(self, archive: Archive, position: Position) -> None:
        """`position` is the one of the readers that share it by `take`."""
        self._archive = archive
        self._position = position

    @property
    def size(self) -> int:
        """Records in the archive."""
        return self._archive.size

    @property
    def position(self) -> int:
        """Records given away by `take`."""
        return min(self._position.value(), self.size)

    def take(self, count: int) -> tuple[pl.DataFrame, int]:
        """The next records that nobody was given before, and the position behind them."""
        archive = self._archive
        start = self._position.take(count, archive.size)
        records = archive.records(start, count)
        return records, start + records.height

    def reset(self) -> None:
        """Let `take` start again; pages are not touched."""
        self._position.reset()

    def page(
        self, cursor: str | None, limit: int, league: str = "", season_type: str = ""
    ) -> tuple[pl.DataFrame, str, bool]:
        """Records behind a cursor, the cursor behind them, and whether more follow.

        With `league` or `season_type` only those of `limit` records that are of them: there may be
        none, and more follow all the same. Cursors count all records, so they hold for every
        choice. Raises ValueError for what is no cursor and LookupError for one of another archive.
        """
        archive = self._archive
        start = _offset(cursor, archive)
        records = archive.records(start, limit)
        end = start + records.height
        chosen = chosen_records(records, league, season_type)
        return chosen, f"{archive.identity}-{end}", end < archive.size

    def switch(self, archive: Archive) -> None:
        """Replay another version of the same archive from here on, as when a drift sets in.

        Positions and cursors stay valid, so both must have one identity and size.
        """
        old = self._archive
        if (archive.identity, archive.size) != (old.identity, old.size):
            raise StoreError(
                f"The archive {archive.identity} of {archive.size} records cannot go on with "
                f"{old.identity} of {old.size}; only another drift of the same league can."
            )
        self._archive = archive


def create_app(archive: Archive, state_path: Path) -> FastAPI:
    """The API over an archive; `state_path` is the file that keeps the position of /getdata.

    `app.state.feed` is the Feed that it serves.
    """
    feed = Feed(archive, Position(state_path, archive.identity))
    app = FastAPI(title="PariVision stats API", description=__doc__)
    app.state.feed = feed
    registry = CollectorRegistry()
    given = Counter(
        telemetry.STATS_RECORDS, "Records given, by endpoint", ["endpoint"], registry=registry
    )
    for endpoint in (_GET_DATA, _SHOTS):  # what is counted from is a zero, not nothing
        given.labels(endpoint)
    size = Gauge(telemetry.STATS_SIZE, "Records in the archive", registry=registry)
    size.set_function(lambda: feed.size)
    position = Gauge(telemetry.STATS_POSITION, "Records given by /getdata", registry=registry)
    position.set_function(lambda: feed.position)
    _add_data_routes(app, feed, given)
    _add_service_routes(app, feed, registry)
    app.add_exception_handler(StoreError, _unavailable)
    app.add_exception_handler(OSError, _unavailable)
    return app


def serve(
    origin: Origin,
    folder: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    progress: Progress | None = None,
) -> None:
    """Serve an origin until a signal ends it; `folder` keeps the archive and the position."""
    import uvicorn

    archive = open_archive(origin, folder, progress)
    app = create_app(archive, folder / f"position-{archive.identity}.json")
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)


def as_json(records: pl.DataFrame) -> str:
    """Records as a JSON list of objects; cells that are no number in a column of numbers stay text.

    An empty cell is an empty text, or null in a column of numbers. A whole number loses its leading
    zeros. How a cell is written depends on nothing but the cell.
    """
    texts = records.with_columns(pl.col(NUMBERS).replace("", None))
    numbers = texts.with_columns(pl.col(NUMBERS).cast(pl.Int64, strict=False))
    # The usual page holds whole numbers only, and Polars writes it whole. A page with another cell
    # is written row by row, which is slower: its whole numbers as in any other page.
    if numbers.null_count().equals(texts.null_count()):
        return numbers.write_json()
    pairs = zip(numbers.iter_rows(named=True), texts.iter_rows(named=True), strict=True)
    return strict_json.text([_typed(row, text_of) for row, text_of in pairs])


def _typed(row: dict[str, Any], text_of: dict[str, str | None]) -> dict[str, Any]:
    """The cells of a row; those that the cast to whole numbers made null, from their texts."""
    return {
        name: _number_or_text(text_of[name]) if cell is None else cell for name, cell in row.items()
    }


def _number_or_text(text: str | None) -> Any:
    return json.loads(text) if text is not None and _NUMBER.fullmatch(text) else text


async def _unavailable(_: Request, error: Exception) -> Response:
    """The archive or the position cannot be read or written now, as when the disk is full."""
    body = strict_json.text({"detail": f"{type(error).__name__}: {error}"})
    return Response(body, status_code=503, media_type="application/json")


def _offset(cursor: str | None, archive: Archive) -> int:
    if cursor is None:
        return 0
    match = _CURSOR.fullmatch(cursor)
    if not match:
        raise ValueError(
            f"after is {cursor[:80]!r}; expected the 'next' of an earlier answer, such as "
            f"'{archive.identity}-1500'. Leave it out to start from the first record."
        )
    if match[1] != archive.identity:
        raise LookupError(
            f"after belongs to the archive {match[1]}, but this is {archive.identity}. "
            "Leave it out to start from the first record."
        )
    if int(match[2]) > archive.size:
        raise ValueError(
            f"after points to record {match[2]}; expected at most {archive.size}, the archive's "
            "size. Leave it out to start from the first record."
        )
    return int(match[2])


def _add_data_routes(app: FastAPI, feed: Feed, given: Counter) -> None:
    @app.get("/getdata/{n}")
    def get_data(
        n: Annotated[int, PathParameter(ge=1, le=MAX_RECORDS, description="how many records")],
    ) -> Response:
        """The next n records that nobody was given before; an empty list at the end.

        Headers tell the position: X-Feed-Position, X-Feed-Left, and X-Feed-End: true when nothing
        is left.
        """
        records, position = feed.take(n)
        given.labels(_GET_DATA).inc(records.height)
        headers = {
            "X-Feed-Position": str(position),
            "X-Feed-Left": str(feed.size - position),
            "X-Feed-End": "true" if position >= feed.size else "false",
        }
        return Response(as_json(records), headers=headers, media_type="application/json")

    @app.get("/shots")
    def get_shots(
        after: Annotated[str | None, Query(description="'next' of the answer before")] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_RECORDS)] = DEFAULT_LIMIT,
        league: Annotated[str, Query(description="nba, wnba or gleague; all without")] = "",
        season_type: Annotated[str, Query(description="Playoffs and so on; all without")] = "",
    ) -> Response:
        """A page of records; readers that hand `next` back lose none and get none twice."""
        try:
            records, cursor, more = feed.page(after, limit, league, season_type)
        except (ValueError, SettingsError) as error:
            raise HTTPException(422, str(error)) from error
        except LookupError as error:
            raise HTTPException(409, str(error)) from error
        given.labels(_SHOTS).inc(records.height)
        rest = strict_json.text({"next": cursor, "more": more})
        # Joined as text: the records are JSON by now, and are not read to be written again.
        body = f'{{"records": {as_json(records)}, {rest[1:]}'
        return Response(body, media_type="application/json")


def _add_service_routes(app: FastAPI, feed: Feed, registry: CollectorRegistry) -> None:
    @app.get("/reset", deprecated=True)
    @app.post("/reset")
    def reset() -> dict[str, Any]:
        """Let /getdata start again from the first record; cursors of /shots are not touched."""
        feed.reset()
        return {"status": "reset", "position": feed.position, "size": feed.size}

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Whether the API can serve, how far /getdata is, and how long the archive is."""
        return {"status": "ok", "position": feed.position, "size": feed.size}

    @app.get("/metrics")
    def metrics() -> Response:
        """Metrics in the Prometheus text format."""
        return Response(exposition(registry), media_type=CONTENT_TYPE_LATEST)
