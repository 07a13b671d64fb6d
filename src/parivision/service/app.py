"""The service as an ASGI application: routes, bodies, statuses, and the counting of both.

BentoML mounts it and adds health endpoints. It is written against ASGI itself: a framework's
routing and validation would cost several times what a prediction does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from prometheus_client import CONTENT_TYPE_LATEST

from parivision import telemetry
from parivision.served.records import new_id, shot_ids
from parivision.service import answers, openapi, outcomes
from parivision.service.counts import Counts
from parivision.service.logs import Answered, LogCounts, Logs
from parivision.service.predictor import Predictor
from parivision.service.requests import MAX_BODY_BYTES, Refusal, parse
from parivision.service.shot import Shot

JSON: Final = "application/json"
# Bodies beyond this are answered in a thread, so that health checks and small requests go on.
INLINE_BYTES: Final = 32 * 2**10
# How much of a body that is too large is read, so that the client gets to see the refusal.
DRAINED_BYTES: Final = 8 * MAX_BODY_BYTES

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Body = TypeVar("Body")

_NO_LOG: Final = "This service keeps no outcomes: it runs without PARIVISION_PREDICTION_LOG."
_LOG_FULL: Final = "The log has no room now; send the same outcomes again in a few seconds."

_logger = logging.getLogger(__name__)


class _ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


@dataclass(frozen=True)
class _Response:
    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class _Loaded:
    """A model, its counts and its logs, if it keeps any; they come and go together."""

    predictor: Predictor
    counts: Counts
    document: bytes
    logs: Logs | None


class App:
    """The application. Until `serve` gives it a model it answers 503."""

    def __init__(self) -> None:
        self._loaded: _Loaded | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._routes: Mapping[str, Mapping[str, Callable[..., Awaitable[_Response]]]] = {
            "/predict": {"POST": self._predict},
            "/outcomes": {"POST": self._outcomes},
            "/champion": {"GET": self._champion},
            "/metrics": {"GET": self._metrics},
            "/docs.json": {"GET": self._docs},
            "/": {"GET": self._index},
        }

    @property
    def is_ready(self) -> bool:
        """Whether there is a model to answer with."""
        return self._loaded is not None

    def serve(self, predictor: Predictor, logs: Logs | None = None) -> None:
        """Answer with this model from now on, and log what is answered."""
        champion, bundle = predictor.champion, predictor.bundle
        counts = Counts(champion.version, bundle.family, bundle.feature_set, champion.name)
        if logs is not None:
            counts.include(LogCounts(logs, champion.version))
        document = answers.as_json(openapi.document(champion.version))
        self._loaded = _Loaded(predictor, counts, document, logs)

    def close(self) -> None:
        """Bring what was logged to where it stays; nothing is answered afterwards."""
        if self._loaded is not None and self._loaded.logs is not None:
            self._loaded.logs.close()

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

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        route = scope["path"] if scope["path"] in self._routes else telemetry.OTHER_ROUTE
        try:
            response = await self._respond(scope, receive)
        except _ClientGoneError:
            return
        except asyncio.CancelledError:
            self._count(route, 504, started)
            raise
        except Exception:
            # Whatever is wrong here is ours: said in the log, not to the client.
            _logger.exception("cannot answer %s", route)
            sentence = "The service failed to answer; its log says why."
            response = _Response(500, answers.of_refusal(Refusal(500, sentence)))
        self._count(route, response.status, started)
        await _send(response, send)

    def _count(self, route: str, status: int, started: float) -> None:
        if self._loaded is not None:
            self._loaded.counts.request(route, status, time.perf_counter() - started)

    async def _respond(self, scope: Scope, receive: Receive) -> _Response:
        methods = self._routes.get(scope["path"])
        if methods is None:
            return _refused(Refusal(404, self._unknown(scope["path"])))
        allowed = "GET" if scope["method"] == "HEAD" else scope["method"]
        if allowed not in methods:
            sentence = f"{scope['path']} answers {', '.join(methods)}, not {scope['method'][:20]}."
            return _refused(Refusal(405, sentence), (b"allow", ", ".join(methods).encode()))
        if self._loaded is None:
            refusal = Refusal(503, "The model is still being loaded; try again in a few seconds.")
            return _refused(refusal, (b"retry-after", b"2"))
        try:
            return await methods[allowed](self._loaded, scope, receive)
        except Refusal as refusal:
            return _refused(refusal)

    def _unknown(self, path: str) -> str:
        near = get_close_matches(path[:40], self._routes, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._routes)}"
        return f"There is no such path; {known}"

    async def _predict(self, loaded: _Loaded, scope: Scope, receive: Receive) -> _Response:
        return _Response(200, await self._with_body(_answer, loaded, scope, receive))

    async def _outcomes(self, loaded: _Loaded, scope: Scope, receive: Receive) -> _Response:
        if loaded.logs is None:
            return _refused(Refusal(503, _NO_LOG), (b"retry-after", b"600"))
        accepted = await self._with_body(_accept, loaded, scope, receive)
        if accepted is None:
            return _refused(Refusal(503, _LOG_FULL), (b"retry-after", b"10"))
        return _Response(202, accepted)

    async def _with_body(
        self,
        answer: Callable[[_Loaded, bytes], Body],
        loaded: _Loaded,
        scope: Scope,
        receive: Receive,
    ) -> Body:
        """What `answer` makes of the request's body, in a thread if it is large."""
        body = await _read(receive)
        _check_headers(scope)
        if len(body) <= INLINE_BYTES:
            return answer(loaded, body)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="large-requests")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, answer, loaded, body)

    async def _champion(self, loaded: _Loaded, *_: object) -> _Response:
        return _Response(200, answers.as_json(loaded.predictor.described()))

    async def _metrics(self, loaded: _Loaded, *_: object) -> _Response:
        return _Response(200, loaded.counts.render(), CONTENT_TYPE_LATEST)

    async def _docs(self, loaded: _Loaded, *_: object) -> _Response:
        return _Response(200, loaded.document)

    async def _index(self, loaded: _Loaded, *_: object) -> _Response:
        routes = {path: list(methods) for path, methods in self._routes.items()}
        return _Response(200, answers.as_json({"model": loaded.predictor.model, "routes": routes}))


def create_app(predictor: Predictor | None = None, logs: Logs | None = None) -> App:
    """The application, with a model or still without."""
    app = App()
    if predictor is not None:
        app.serve(predictor, logs)
    return app


def _answer(loaded: _Loaded, body: bytes) -> bytes:
    request = parse(body)
    if request.is_single:
        return _answer_one(loaded, request.shots)
    answer = loaded.predictor.answer(request.shots)
    loaded.counts.predictions(answer.p_made, answer.zone)
    request_id, size = new_id(), len(request.shots)
    if loaded.logs is not None:
        p_made = answer.p_made.tolist()
        answered = Answered(request_id, request.shots, p_made, is_single=False)
        loaded.logs.predictions.add(answered, size)
    return answers.of_shots(answer, shot_ids(request_id, size, is_single=False), loaded.predictor)


def _answer_one(loaded: _Loaded, shots: list[Shot]) -> bytes:
    answer = loaded.predictor.answer_one(shots[0])
    loaded.counts.prediction(answer.p_made, answer.zone)
    request_id = new_id()
    if loaded.logs is not None:
        answered = Answered(request_id, shots, [answer.p_made], is_single=True)
        loaded.logs.predictions.add(answered, 1)
    return answers.of_one(answer, request_id, loaded.predictor)


def _accept(loaded: _Loaded, body: bytes) -> bytes | None:
    """Take a body's outcomes; None when there is no room for them, or no log."""
    records = outcomes.parse(body, time.time())
    if loaded.logs is None or not loaded.logs.outcomes.add(records, len(records)):
        return None
    return answers.as_json(answers.Accepted(accepted=len(records)))


def _check_headers(scope: Scope) -> None:
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
    if kind != b"application/json" and not kind.endswith(b"+json"):
        came = kind.decode("latin-1")[:40]
        raise Refusal(415, f"Content-Type: expected application/json; got {came!r}.")
    coding = headers.get(b"content-encoding", b"identity").lower()
    if coding != b"identity":
        came = coding.decode("latin-1")[:40]
        raise Refusal(415, f"Content-Encoding: expected none; got {came!r}. Send plain JSON.")


async def _read(receive: Receive) -> bytes:
    """The body; raises Refusal (413) when it is too large, without keeping it."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more and size <= DRAINED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY_BYTES:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if size > MAX_BODY_BYTES:
        limit = f"{MAX_BODY_BYTES // 2**20} MiB"
        raise Refusal(413, f"The body is too large: expected at most {limit}. Send fewer shots.")
    return b"".join(chunks)


def _refused(refusal: Refusal, *headers: tuple[bytes, bytes]) -> _Response:
    return _Response(refusal.status, answers.of_refusal(refusal), headers=headers)


async def _send(response: _Response, send: Send) -> None:
    headers = [
        (b"content-type", response.content_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
