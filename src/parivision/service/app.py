"""The service as an ASGI application: routes, bodies, statuses, and the counting of both.

BentoML mounts it and adds health endpoints. It is written against ASGI itself: a framework's
routing and validation would cost several times what a prediction does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST

from parivision import telemetry
from parivision.service import answers, columns, imagined, lines, openapi
from parivision.service.asgi import (
    ClientGoneError,
    Message,
    Receive,
    Response,
    Scope,
    Send,
    bears,
    check_headers,
    declared_size,
    read,
    refused,
    send_whole,
)
from parivision.service.counts import Counts
from parivision.service.loaded import Loaded
from parivision.service.logs import LogCounts, Logs
from parivision.service.predictor import Predictor
from parivision.service.requests import Refusal

PREDICT: Final = "/predict"
INFER: Final = "/v2/models/shots/infer"
# Bodies beyond this are answered in a thread, so that health checks and small requests go on.
INLINE_BYTES: Final = 32 * 2**10
# How many bodies beyond that are held at a time: what more would do is make all wait.
MAX_LARGE: Final = 8
# How long a body may take to arrive.
READ_S: Final = 30.0

Body = TypeVar("Body")

_NO_LOG: Final = "This service keeps no outcomes: it runs without PARIVISION_PREDICTION_LOG."
_NOT_BELIEVED: Final = "Outcomes are taken from who sends the header Authorization: Bearer TOKEN."
_LOG_FULL: Final = "The log has no room now; send the same outcomes again in a few seconds."

_TOO_MUCH: Final = "The service has more to do than it can; try again in a second."
_TOO_SLOW: Final = "The request did not arrive in time."
_CANNOT: Final = "cannot answer %s"
_SOON: Final = (b"retry-after", b"1")

_logger = logging.getLogger(__name__)


class App:
    """The application. Until `serve` gives it a model it answers 503."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._large = 0
        self._pool: ThreadPoolExecutor | None = None
        self._routes: Mapping[str, Mapping[str, Callable[..., Awaitable[Response]]]] = {
            PREDICT: {"POST": self._predict},
            INFER: {"POST": self._infer},
            "/v2": {"GET": self._server},
            "/v2/health/live": {"GET": self._healthy},
            "/v2/health/ready": {"GET": self._healthy},
            "/v2/models/shots": {"GET": self._model},
            "/v2/models/shots/ready": {"GET": self._healthy},
            "/outcomes": {"POST": self._outcomes},
            "/explain": {"POST": self._explain},
            "/what-if": {"POST": self._what_if},
            "/model": {"GET": self._full_model},
            "/champion": {"GET": self._champion},
            "/players": {"GET": self._players},
            "/metrics": {"GET": self._metrics},
            "/docs.json": {"GET": self._docs},
            "/": {"GET": self._index},
        }

    @property
    def is_ready(self) -> bool:
        """Whether there is a model to answer with."""
        return self._loaded is not None

    def serve(
        self, predictor: Predictor, logs: Logs | None = None, outcomes_token: str = ""
    ) -> None:
        """Answer with this model from now on, and log what is answered.

        Models are judged by outcomes: with a token, only who bears it may tell them.
        """
        champion, bundle = predictor.champion, predictor.bundle
        counts = Counts(champion.version, bundle.family, bundle.feature_set, champion.name)
        if logs is not None:
            counts.include(LogCounts(logs, champion.version))
        document = answers.as_json(openapi.document(champion.version))
        self._loaded = Loaded(predictor, counts, document, logs, outcomes_token)

    def close(self) -> None:
        """Bring what was logged to where it stays; nothing is answered afterwards."""
        if self._loaded is not None and self._loaded.logs is not None:
            self._loaded.logs.close()

    def is_stream(self, scope: Scope) -> bool:
        """Whether a request is one of lines, which is answered while it comes."""
        kinds = (value for name, value in scope["headers"] if name == b"content-type")
        return (
            scope["path"] == PREDICT
            and scope["method"] == "POST"
            and self._loaded is not None
            and next(kinds, b"").split(b";")[0].strip().lower() == lines.CONTENT_TYPE
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; web sockets are closed."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1003, "reason": "use POST /predict"})
        elif scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})

    @property
    def paths(self) -> Collection[str]:
        """The paths that are answered."""
        return self._routes.keys()

    def predict_now(self, body: bytes) -> Response:
        """The answer to a small `POST /predict` with nothing unusual about it."""
        started = time.perf_counter()
        loaded = self._loaded
        if loaded is None:
            return _LOADING
        try:
            response = Response(200, loaded.answer(body))
        except Refusal as refusal:
            response = refused(refusal)
        except Exception:
            _logger.exception(_CANNOT, PREDICT)
            response = _fault()
        loaded.counts.request(PREDICT, response.status, time.perf_counter() - started)
        return response

    def refuse_late(self) -> Response:
        """The answer to a request that there was no time for."""
        self._count(PREDICT, 503, time.perf_counter())
        return refused(Refusal(503, _TOO_MUCH), _SOON)

    def refuse_slow(self) -> Response:
        """The answer to a request that did not arrive."""
        self._count(telemetry.OTHER_ROUTE, 408, time.perf_counter())
        return refused(Refusal(408, _TOO_SLOW))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = scope["path"] if scope["path"] in self._routes else telemetry.OTHER_ROUTE
        try:
            if self.is_stream(scope):
                response = await self._stream(receive, send)
            else:
                response = await self._respond(scope, receive)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            self._count(route, 504, started)
            raise
        except Exception:
            _logger.exception(_CANNOT, route)
            response = _fault()
        self._count(route, response.status, started)
        if response is not _STREAMED:
            await send_whole(response, send)

    async def _stream(self, receive: Receive, send: Send) -> Response:
        """Answer lines as they come; a line that cannot be used ends the answer, and says so."""
        loaded = self._loaded
        if loaded is None:
            return _LOADING
        if self._large >= MAX_LARGE:
            return refused(Refusal(503, _TOO_MUCH), _SOON)
        self._large += 1
        done = 0
        try:
            async for block in lines.blocks(receive):
                text = await self._in_thread(loaded.answer_lines, block, done)
                if not done:
                    await send(_STREAM_START)
                done += len(block)
                await send({"type": "http.response.body", "body": text, "more_body": True})
        except Refusal as refusal:
            if not done:
                return refused(refusal)
            fault = lines.fault(refusal)
            await send({"type": "http.response.body", "body": fault, "more_body": True})
        finally:
            self._large -= 1
        if not done:
            return refused(Refusal(400, "The body is empty: send a line of JSON for each shot."))
        await send({"type": "http.response.body", "body": b""})
        return _STREAMED

    async def _in_thread(self, function: Callable[..., Body], *arguments: Any) -> Body:
        """Run what takes long beside the event loop, one at a time."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="large-requests")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *arguments)

    def _count(self, route: str, status: int, started: float) -> None:
        if self._loaded is not None:
            self._loaded.counts.request(route, status, time.perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive) -> Response:
        methods = self._routes.get(scope["path"])
        if methods is None:
            return refused(Refusal(404, self._unknown(scope["path"])))
        allowed = "GET" if scope["method"] == "HEAD" else scope["method"]
        if allowed not in methods:
            sentence = f"{scope['path']} answers {', '.join(methods)}, not {scope['method'][:20]}."
            return refused(Refusal(405, sentence), (b"allow", ", ".join(methods).encode()))
        if self._loaded is None:
            return _LOADING
        try:
            return await methods[allowed](self._loaded, scope, receive)
        except Refusal as refusal:
            return refused(refusal, *([_SOON] if refusal.status == 503 else []))

    def _unknown(self, path: str) -> str:
        near = get_close_matches(path[:40], self._routes, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._routes)}"
        return f"There is no such path; {known}"

    async def _predict(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(200, await self._with_body(loaded.answer, scope, receive))

    async def _infer(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(200, await self._with_body(loaded.infer, scope, receive))

    async def _model(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, answers.as_json(columns.metadata(loaded.predictor)))

    async def _explain(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(200, await self._with_body(loaded.explained, scope, receive, inline=-1))

    async def _what_if(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(200, await self._with_body(loaded.what_if, scope, receive, inline=-1))

    async def _full_model(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, imagined.model(loaded.predictor))

    async def _server(self, *_: object) -> Response:
        return Response(200, answers.as_json({"name": "parivision", "extensions": []}))

    async def _healthy(self, *_: object) -> Response:
        return Response(200, b"{}")

    async def _outcomes(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        if loaded.logs is None:
            return refused(Refusal(503, _NO_LOG), (b"retry-after", b"600"))
        if not bears(scope, loaded.outcomes_token):
            return refused(Refusal(401, _NOT_BELIEVED), (b"www-authenticate", b"Bearer"))
        accepted = await self._with_body(loaded.accept, scope, receive)
        if accepted is None:
            return refused(Refusal(503, _LOG_FULL), (b"retry-after", b"10"))
        return Response(202, accepted)

    async def _with_body(
        self,
        answer: Callable[[bytes], Body],
        scope: Scope,
        receive: Receive,
        *,
        inline: int = INLINE_BYTES,
    ) -> Body:
        """What `answer` makes of the request's body, in a thread if it is larger than `inline`.

        Of large ones only so many are held at a time, from their first byte on.
        """
        if declared_size(scope) <= inline:
            body = await self._read_in_time(receive)
            check_headers(scope)
            return answer(body)
        if self._large >= MAX_LARGE:
            raise Refusal(503, _TOO_MUCH)
        self._large += 1
        try:
            body = await self._read_in_time(receive)
            check_headers(scope)
            return await self._in_thread(answer, body)
        finally:
            self._large -= 1

    async def _read_in_time(self, receive: Receive) -> bytes:
        try:
            async with asyncio.timeout(READ_S):
                return await read(receive)
        except TimeoutError as error:
            raise Refusal(408, _TOO_SLOW) from error

    async def _champion(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, answers.as_json(loaded.predictor.described()))

    async def _players(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, loaded.predictor.players)

    async def _metrics(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, loaded.counts.render(), CONTENT_TYPE_LATEST)

    async def _docs(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, loaded.document)

    async def _index(self, loaded: Loaded, *_: object) -> Response:
        routes = {path: list(methods) for path, methods in self._routes.items()}
        return Response(200, answers.as_json({"model": loaded.predictor.model, "routes": routes}))


def create_app(predictor: Predictor | None = None, logs: Logs | None = None) -> App:
    """The application, with a model or still without."""
    app = App()
    if predictor is not None:
        app.serve(predictor, logs)
    return app


def _fault() -> Response:
    """The answer when something is wrong with us, which is said in the log, not to the client."""
    return refused(Refusal(500, "The service failed to answer; its log says why."))


_STREAMED: Final = Response(200, b"")
_STREAM_START: Final[Message] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", lines.CONTENT_TYPE)],
}
_LOADING: Final = refused(
    Refusal(503, "The model is still being loaded; try again in a few seconds."),
    (b"retry-after", b"2"),
)
