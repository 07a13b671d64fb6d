"""The endpoints: which paths the service has, by method, and the response of each."""

from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from functools import partial
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from parivision.serving import answers, columns, trace, what_if
from parivision.serving.asgi import Receive, Response, Scope, bears, refused
from parivision.serving.handlers import RequestHandlers
from parivision.serving.request_body import BodyProcessor
from parivision.serving.requests import Refusal

PREDICT: Final = "/predict"
INFER: Final = "/v2/models/shots/infer"

_NO_LOG: Final = "This service keeps no outcomes: it runs without PARIVISION_PREDICTION_LOG."
_NOT_BELIEVED: Final = "Outcomes are taken from who sends the header Authorization: Bearer TOKEN."
_LOG_FULL: Final = "The log has no room now; send the same outcomes again in a few seconds."

Endpoint = Callable[[RequestHandlers, Scope, Receive], Awaitable[Response]]


class Endpoints:
    """All endpoints; each is called with the model's handlers and raises Refusal."""

    def __init__(self, bodies: BodyProcessor) -> None:
        self._bodies = bodies
        self._table: Mapping[str, Mapping[str, Endpoint]] = {
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

    def __contains__(self, path: str) -> bool:
        """Whether there is such a path."""
        return path in self._table

    def of(self, path: str) -> Mapping[str, Endpoint] | None:
        """The endpoints of a path by method; None for a path that there is not."""
        return self._table.get(path)

    def not_found(self, path: str) -> str:
        """What to tell who asks for a path that there is not."""
        near = get_close_matches(path[:40], self._table, n=1)
        known = f"did you mean {near[0]}?" if near else f"there are {', '.join(self._table)}"
        return f"There is no such path; {known}"

    async def _predict(self, handlers: RequestHandlers, scope: Scope, receive: Receive) -> Response:
        answer = partial(handlers.answer, trace=trace.of(scope["headers"]))
        return Response(200, await self._bodies.answered(answer, scope, receive))

    async def _infer(self, handlers: RequestHandlers, scope: Scope, receive: Receive) -> Response:
        infer = partial(handlers.infer, trace=trace.of(scope["headers"]))
        return Response(200, await self._bodies.answered(infer, scope, receive))

    # With inline=-1 a body of any size is answered in the thread for large ones: people who look at
    # the model hold up no shot.
    async def _explain(self, handlers: RequestHandlers, scope: Scope, receive: Receive) -> Response:
        body = await self._bodies.answered(handlers.explained, scope, receive, inline=-1)
        return Response(200, body)

    async def _what_if(self, handlers: RequestHandlers, scope: Scope, receive: Receive) -> Response:
        body = await self._bodies.answered(handlers.what_if, scope, receive, inline=-1)
        return Response(200, body)

    async def _outcomes(
        self, handlers: RequestHandlers, scope: Scope, receive: Receive
    ) -> Response:
        if handlers.logs is None:
            return refused(Refusal(503, _NO_LOG), (b"retry-after", b"600"))
        if not bears(scope, handlers.outcomes_token):
            return refused(Refusal(401, _NOT_BELIEVED), (b"www-authenticate", b"Bearer"))
        accepted = await self._bodies.answered(handlers.accept, scope, receive)
        if accepted is None:
            return refused(Refusal(503, _LOG_FULL), (b"retry-after", b"10"))
        return Response(202, accepted)

    async def _server(self, *_: object) -> Response:
        return Response(200, answers.as_json({"name": "parivision", "extensions": []}))

    # Ready as well: without a model no endpoint is asked.
    async def _healthy(self, *_: object) -> Response:
        return Response(200, b"{}")

    async def _model(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, answers.as_json(columns.metadata(handlers.predictor)))

    async def _full_model(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, what_if.model(handlers.predictor))

    async def _champion(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, answers.as_json(handlers.predictor.described()))

    async def _players(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, handlers.predictor.players)

    async def _metrics(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, handlers.counters.render(), CONTENT_TYPE_LATEST)

    async def _docs(self, handlers: RequestHandlers, *_: object) -> Response:
        return Response(200, handlers.document)

    async def _index(self, handlers: RequestHandlers, *_: object) -> Response:
        routes = {path: list(methods) for path, methods in self._table.items()}
        content = {"model": handlers.predictor.model, "routes": routes}
        return Response(200, answers.as_json(content))
