"""The service as an ASGI application: routes, bodies, statuses, and the counting of both.

BentoML mounts it and adds health endpoints. It is written against ASGI itself: a framework's
routing and validation would cost several times what a prediction does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from parivision import telemetry
from parivision.serving import answers, columns, edge, openapi, trace, what_if
from parivision.serving.asgi import (
    JSON,
    ClientGoneError,
    Receive,
    Response,
    Scope,
    Send,
    bears,
    refused,
    send_whole,
)
from parivision.serving.bodies import TOO_MUCH, Bodies
from parivision.serving.counts import VersionCounters
from parivision.serving.edge import OPEN, Edge
from parivision.serving.loaded import Loaded
from parivision.serving.logs import LogCounts, Logs
from parivision.serving.predictor import Predictor
from parivision.serving.refusals import Refused
from parivision.serving.requests import Refusal
from parivision.serving.stream import MAX_STREAMS, Stream, is_lines
from parivision.serving.trace import NO_TRACE, Trace

PREDICT: Final = "/predict"
OPTIONS: Final = "OPTIONS"
# What is answered for `OPTIONS *`, and for the paths of the application around this one.
_ELSEWHERE: Final = {"*": ("GET", "POST"), **dict.fromkeys(edge.HEALTH, ("GET",))}
INFER: Final = "/v2/models/shots/infer"

_NO_LOG: Final = "This service keeps no outcomes: it runs without PARIVISION_PREDICTION_LOG."
_NOT_BELIEVED: Final = "Outcomes are taken from who sends the header Authorization: Bearer TOKEN."
_LOG_FULL: Final = "The log has no room now; send the same outcomes again in a few seconds."

_CANNOT: Final = "cannot answer %s"
_SOON: Final = (b"retry-after", b"1")
_CLOSE: Final = (b"connection", b"close")

_logger = logging.getLogger(__name__)


class App:
    """The application. Until `serve` gives it a model it answers 503."""

    def __init__(self) -> None:
        self._loaded: Loaded | None = None
        self._edge = OPEN
        self._refused = Refused()
        self._bodies = Bodies()
        self._streams = 0
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
        counts = VersionCounters(champion.version, bundle.family, bundle.feature_set, champion.name)
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
        loaded = self._loaded
        if loaded is None:
            return _LOADING
        try:
            response = Response(200, loaded.answer(body, trace), JSON, trace.headers)
        except Refusal as refusal:
            response = refused(refusal, *trace.headers)
        except Exception:
            _logger.exception(_CANNOT, PREDICT)
            response = _fault(*trace.headers)
        loaded.counts.request(PREDICT, response.status, time.perf_counter() - started)
        return response

    def refuse_late(self) -> Response:
        """The answer to a request that there was no time for."""
        self._count(PREDICT, 503, time.perf_counter())
        return refused(Refusal(503, TOO_MUCH), _SOON)

    def refuse(self, refusal: Refusal) -> Response:
        """The answer to what came in on a connection and is no request, or not in time."""
        self._count(telemetry.OTHER_ROUTE, refusal.status, time.perf_counter())
        self._refused.note(refusal)
        return refused(refusal)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = scope["path"] if scope["path"] in self._routes else telemetry.OTHER_ROUTE
        more = self._edge.headers(scope["headers"])
        try:
            response = await self._respond(scope, receive, send)
        except ClientGoneError:
            return
        except asyncio.CancelledError:
            self._count(route, 504, started)
            raise
        except Refusal as refusal:
            response = refused(refusal, *_beside(refusal.status))
        except Exception:
            _logger.exception(_CANNOT, route)
            response = _fault()
        if response is _STREAMED:
            return
        # How long a client takes to send a request says nothing about the model that answers.
        route = telemetry.OTHER_ROUTE if response.status == 408 else route
        self._count(route, response.status, started)
        await send_whole(response, send, more)

    async def _stream(self, loaded: Loaded, scope: Scope, receive: Receive, send: Send) -> Response:
        """Answer lines as they come; the time that is counted is that to the first answer."""
        if self._streams >= MAX_STREAMS:
            raise Refusal(503, TOO_MUCH)
        started, headers = time.perf_counter(), self._edge.headers(scope["headers"])
        begun = partial(self._count, PREDICT, 200, started)
        self._streams += 1
        try:
            stream = Stream(loaded, send, headers, self._bodies.in_thread, begun)
            await stream.answer(receive)
        finally:
            self._streams -= 1
        return _STREAMED

    def _count(self, route: str, status: int, started: float) -> None:
        if self._loaded is not None:
            self._loaded.counts.request(route, status, time.perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> Response:
        path, method = scope["path"], scope["method"]
        self._check_host(scope)
        methods, known = self._routes.get(path), "GET" if method == "HEAD" else method
        allowed = methods or _ELSEWHERE.get(path, ())
        if method == OPTIONS and allowed:
            return Response(204, b"", headers=self._edge.preflight(scope["headers"], allowed))
        if allowed and known not in allowed:
            sentence = f"{path} answers {', '.join(allowed)}, not {method[:20]}."
            return refused(Refusal(405, sentence), (b"allow", edge.allow(allowed)))
        if methods is None:
            return refused(Refusal(404, self._unknown(path)))
        if self._loaded is None:
            return _LOADING
        if self.is_stream(scope):
            return await self._stream(self._loaded, scope, receive, send)
        return await methods[known](self._loaded, scope, receive)

    def _check_host(self, scope: Scope) -> None:
        """Raises Refusal (421) for a host that is not listed."""
        if not self._edge.hosts or scope["path"] in edge.BY_ADDRESS:
            return
        host = next((value for name, value in scope["headers"] if name == b"host"), b"")
        if not self._edge.admits(host):
            came = host[:60].decode("latin-1")
            raise Refusal(421, f"Host: this service does not answer for {came!r}.")

    def _unknown(self, path: str) -> str:
        near = get_close_matches(path[:40], self._routes, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._routes)}"
        return f"There is no such path; {known}"

    async def _predict(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        answer = partial(loaded.answer, trace=trace.of(scope["headers"]))
        return Response(200, await self._bodies.answered(answer, scope, receive))

    async def _infer(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        infer = partial(loaded.infer, trace=trace.of(scope["headers"]))
        return Response(200, await self._bodies.answered(infer, scope, receive))

    async def _model(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, answers.as_json(columns.metadata(loaded.predictor)))

    async def _explain(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(
            200, await self._bodies.answered(loaded.explained, scope, receive, inline=-1)
        )

    async def _what_if(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        return Response(200, await self._bodies.answered(loaded.what_if, scope, receive, inline=-1))

    async def _full_model(self, loaded: Loaded, *_: object) -> Response:
        return Response(200, what_if.model(loaded.predictor))

    async def _server(self, *_: object) -> Response:
        return Response(200, answers.as_json({"name": "parivision", "extensions": []}))

    async def _healthy(self, *_: object) -> Response:
        return Response(200, b"{}")

    async def _outcomes(self, loaded: Loaded, scope: Scope, receive: Receive) -> Response:
        if loaded.logs is None:
            return refused(Refusal(503, _NO_LOG), (b"retry-after", b"600"))
        if not bears(scope, loaded.outcomes_token):
            return refused(Refusal(401, _NOT_BELIEVED), (b"www-authenticate", b"Bearer"))
        accepted = await self._bodies.answered(loaded.accept, scope, receive)
        if accepted is None:
            return refused(Refusal(503, _LOG_FULL), (b"retry-after", b"10"))
        return Response(202, accepted)

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


def _fault(*headers: tuple[bytes, bytes]) -> Response:
    """The answer when something is wrong with us, which is said in the log, not to the client."""
    return refused(Refusal(500, "The service failed to answer; its log says why."), *headers)


def _beside(status: int) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal: when to try again, and that more of the body is not read."""
    return {503: [_SOON], 408: [_CLOSE], 413: [_CLOSE]}.get(status, [])


_STREAMED: Final = Response(200, b"")
_LOADING: Final = refused(
    Refusal(503, "The model is still being loaded; try again in a few seconds."),
    (b"retry-after", b"2"),
)
