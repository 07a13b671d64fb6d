"""The service as an ASGI application: dispatch to the endpoints, refusals, and request counts.

BentoML mounts it and adds health endpoints. It is written against ASGI itself: a framework's
routing and validation would cost several times what a prediction does.
"""

import asyncio
import logging
import time
from functools import partial
from typing import Final

from parivision import telemetry
from parivision.serving import answers, edge, openapi
from parivision.serving.asgi import (
    JSON,
    ClientGoneError,
    Receive,
    Response,
    Scope,
    Send,
    refused,
    send_whole,
)
from parivision.serving.edge import OPEN, Edge
from parivision.serving.endpoints import PREDICT, Endpoints
from parivision.serving.handlers import RequestHandlers
from parivision.serving.logs import LogCounts, Logs
from parivision.serving.metrics import VersionCounters
from parivision.serving.predictor import Predictor
from parivision.serving.refusals import Refused
from parivision.serving.request_body import TOO_MUCH, BodyProcessor
from parivision.serving.requests import Refusal
from parivision.serving.stream import MAX_STREAMS, Stream, is_lines
from parivision.serving.trace import NO_TRACE, Trace

OPTIONS: Final = "OPTIONS"
# What is answered for `OPTIONS *`, and for the paths of the application around this one.
_ELSEWHERE: Final = {"*": ("GET", "POST"), **dict.fromkeys(edge.HEALTH, ("GET",))}

_CANNOT_ANSWER: Final = "cannot answer %s"
_RETRY_SOON: Final = (b"retry-after", b"1")
_CLOSE: Final = (b"connection", b"close")

_logger = logging.getLogger(__name__)


class App:
    """The application. Until `serve` gives it a model it answers 503."""

    def __init__(self) -> None:
        self._handlers: RequestHandlers | None = None
        self._edge = OPEN
        self._refused = Refused()
        self._bodies = BodyProcessor()
        self._streams = 0
        self._endpoints = Endpoints(self._bodies)

    @property
    def is_ready(self) -> bool:
        """Whether there is a model to answer with."""
        return self._handlers is not None

    def serve(
        self,
        predictor: Predictor,
        logs: Logs | None = None,
        outcomes_token: str = "",
        edge: Edge = OPEN,
    ) -> None:
        """Answer with this model from now on, and log what is answered.

        Models are judged by outcomes: with a token, only who bears it may tell them. `edge` says
        which origins and hosts may ask.
        """
        self._edge = edge
        champion, bundle = predictor.champion, predictor.bundle
        counters = VersionCounters(
            champion.version, bundle.family, bundle.feature_set, champion.name
        )
        if logs is not None:
            counters.include(LogCounts(logs, champion.version))
        document = answers.as_json(openapi.document(champion.version))
        self._handlers = RequestHandlers(predictor, counters, document, logs, outcomes_token)

    def close(self) -> None:
        """Bring what was logged to where it stays; nothing is answered afterwards."""
        if self._handlers is not None and self._handlers.logs is not None:
            self._handlers.logs.close()

    def is_stream(self, scope: Scope) -> bool:
        """Whether a request is one of lines, which is answered while it comes."""
        return scope["path"] == PREDICT and scope["method"] == "POST" and is_lines(scope["headers"])

    def admits(self, host: bytes) -> bool:
        """Whether a host may be asked for."""
        return self._edge.admits(host)

    def answers(self, scope: Scope) -> bool:
        """Whether a request is for this application, and not for what is around it: health."""
        return scope["path"] not in edge.HEALTH or scope["method"] not in ("GET", "HEAD")

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

    def predict_now(self, body: bytes, trace: Trace = NO_TRACE) -> Response:
        """The answer to a small `POST /predict` with nothing unusual about it."""
        started = time.perf_counter()
        handlers = self._handlers
        if handlers is None:
            return _LOADING
        try:
            response = Response(200, handlers.answer(body, trace), JSON, trace.headers)
        except Refusal as refusal:
            response = refused(refusal, *trace.headers)
        except Exception:
            _logger.exception(_CANNOT_ANSWER, PREDICT)
            response = _fault(*trace.headers)
        handlers.counters.request(PREDICT, response.status, time.perf_counter() - started)
        return response

    def refuse_late(self) -> Response:
        """The answer to a request that there was no time for."""
        self._count(PREDICT, 503, time.perf_counter())
        return refused(Refusal(503, TOO_MUCH), _RETRY_SOON)

    def refuse(self, refusal: Refusal) -> Response:
        """The answer to what came in on a connection and is no request, or not in time."""
        self._count(telemetry.OTHER_ROUTE, refusal.status, time.perf_counter())
        self._refused.note(refusal)
        return refused(refusal)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = scope["path"] if scope["path"] in self._endpoints else telemetry.OTHER_ROUTE
        more = self._edge.headers(scope["headers"])
        try:
            response = await self._respond(scope, receive, send)
        # Nobody is left to be answered, and that a client left says nothing about the model.
        except ClientGoneError:
            return
        # By the server, when its stop has waited long enough: counted, and not answered any more.
        except asyncio.CancelledError:
            self._count(route, 504, started)
            raise
        except Refusal as refusal:
            response = refused(refusal, *_headers_of(refusal.status))
        except Exception:
            _logger.exception(_CANNOT_ANSWER, route)
            response = _fault()
        if response is _STREAMED:
            return
        # How long a client takes to send a request says nothing about the model that answers.
        route = telemetry.OTHER_ROUTE if response.status == 408 else route
        self._count(route, response.status, started)
        await send_whole(response, send, more)

    async def _stream(
        self, handlers: RequestHandlers, scope: Scope, receive: Receive, send: Send
    ) -> Response:
        """Answer lines as they come; the time that is counted is that to the first answer."""
        if self._streams >= MAX_STREAMS:
            raise Refusal(503, TOO_MUCH)
        started, headers = time.perf_counter(), self._edge.headers(scope["headers"])
        on_begin = partial(self._count, PREDICT, 200, started)
        self._streams += 1
        try:
            stream = Stream(handlers, send, headers, self._bodies.in_thread, on_begin)
            await stream.answer(receive)
        finally:
            self._streams -= 1
        return _STREAMED

    def _count(self, route: str, status: int, started: float) -> None:
        if self._handlers is not None:
            self._handlers.counters.request(route, status, time.perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> Response:
        path, method = scope["path"], scope["method"]
        self._check_host(scope)
        # HEAD is answered as GET is; the server leaves out the body.
        methods, known = self._endpoints.of(path), "GET" if method == "HEAD" else method
        allowed = methods or _ELSEWHERE.get(path, ())
        if method == OPTIONS and allowed:
            return Response(204, b"", headers=self._edge.preflight(scope["headers"], allowed))
        if allowed and known not in allowed:
            sentence = f"{path} answers {', '.join(allowed)}, not {method[:20]}."
            return refused(Refusal(405, sentence), (b"allow", edge.allow(allowed)))
        if methods is None:
            return refused(Refusal(404, self._endpoints.not_found(path)))
        # Only behind the checks above: a wrong path or method stays wrong when the model is loaded.
        if self._handlers is None:
            return _LOADING
        if self.is_stream(scope):
            return await self._stream(self._handlers, scope, receive, send)
        return await methods[known](self._handlers, scope, receive)

    def _check_host(self, scope: Scope) -> None:
        """Raises Refusal (421) for a host that is not listed."""
        if not self._edge.hosts or scope["path"] in edge.BY_ADDRESS:
            return
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if not self._edge.admits(host):
            came = host[:60].decode("latin-1")
            raise Refusal(421, f"Host: this service does not answer for {came!r}.")


def create_app(predictor: Predictor | None = None, logs: Logs | None = None) -> App:
    """The application, with a model or still without."""
    app = App()
    if predictor is not None:
        app.serve(predictor, logs)
    return app


def _fault(*headers: tuple[bytes, bytes]) -> Response:
    """The answer when something is wrong with us, which is said in the log, not to the client."""
    return refused(Refusal(500, "The service failed to answer; its log says why."), *headers)


def _headers_of(status: int) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal: when to try again, and that more of the body is not read."""
    return {503: [_RETRY_SOON], 408: [_CLOSE], 413: [_CLOSE]}.get(status, [])


_STREAMED: Final = Response(200, b"")
_LOADING: Final = refused(
    Refusal(503, "The model is still being loaded; try again in a few seconds."),
    (b"retry-after", b"2"),
)
