"""What the retraining service answers: Alertmanager's webhook, people who look, Prometheus.

Alertmanager tries again for every status of 5xx, so 503 while Kubeflow or the Kubernetes API is
away loses no alert. It sends a firing alert again after its repeat interval, so what comes too soon
comes again.
"""

import hmac
import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge
from prometheus_client import generate_latest as exposition

from parivision import strict_json, telemetry
from parivision.errors import DataError, PipelineError, ServiceError, SettingsError
from parivision.retraining.notices import MOST_BYTES, read
from parivision.retraining.policy import AlertAnswer, RunDecision
from parivision.retraining.retrainer import Retrainer

NOT_ASKED: Final = "not_asked"
UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"
RETRY_S: Final = 30
AWAY: Final = (PipelineError, ServiceError, SettingsError)
"""Kubeflow, the Kubernetes API or a token's file may be gone for a moment."""
_BEARER: Final = "Bearer "
_UNAUTHORISED: Final = "Send the token of the Secret parivision-retraining as a bearer token."

_logger = logging.getLogger(__name__)


def create_app(retrainer: Retrainer, token: str = "") -> FastAPI:
    """The service; with a `token` only who bears it may post alerts."""
    app = FastAPI(title="PariVision's retraining", docs_url=None, redoc_url=None)
    registry = CollectorRegistry()
    _add_alerts(app, retrainer, _metrics(registry, retrainer), token)

    @app.get("/")
    def index() -> Response:
        """What an alert would be answered now, and why."""
        try:
            return _described(retrainer.preview())
        except AWAY as error:
            return _away(error)

    @app.get("/metrics")
    def metrics() -> Response:
        """Metrics in the Prometheus text format."""
        return Response(exposition(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    @app.get("/readyz")
    def healthz() -> Response:
        """Whether it answers; whether what runs trainings does is in its answers."""
        return PlainTextResponse("ok")

    return app


def _add_alerts(app: FastAPI, retrainer: Retrainer, notices: Counter, token: str) -> None:
    """Alertmanager's webhook; `notices` counts its messages by what became of them."""

    @app.post("/alerts")
    async def alerts(request: Request) -> Response:
        """A message of Alertmanager's; answers what became of it."""
        if token and not _bears(request, token):
            notices.labels(REFUSED).inc()
            return PlainTextResponse(_UNAUTHORISED, 401, {"WWW-Authenticate": "Bearer"})
        try:
            notice = read(await _body(request))
        except DataError as error:
            notices.labels(REFUSED).inc()
            return PlainTextResponse(str(error), 400)
        if not notice.alerts:
            notices.labels(NOT_ASKED).inc()
            return PlainTextResponse("no alert that fires asks for a retraining")
        try:
            # It asks what runs trainings and waits: the event loop goes on meanwhile.
            decision = await run_in_threadpool(retrainer.answer, notice)
        except AWAY as error:
            notices.labels(UNREACHABLE).inc()
            _logger.warning("%s: %s", ", ".join(notice.names), error)
            return _away(error)
        notices.labels(decision.outcome).inc()
        return _described(decision)


def _metrics(registry: CollectorRegistry, retrainer: Retrainer) -> Counter:
    """The counter of messages by what became of them; what the retrainer knows comes beside it."""
    name, help_ = telemetry.RETRAINING_NOTICES, "Messages of Alertmanager, by what became of them"
    notices = Counter(name, help_, ["outcome"], registry=registry)
    for outcome in (*AlertAnswer, NOT_ASKED, UNREACHABLE, REFUSED):
        # From zero on: Prometheus sees no increase in a series that appears with its first count.
        notices.labels(outcome)
    help_ = "Runs of the training pipeline that failed since the last that succeeded"
    failures = Gauge(telemetry.RETRAINING_FAILURES, help_, registry=registry)
    failures.set_function(lambda: retrainer.failures)
    help_ = "When an alert last started a run; 0 for never since this process began"
    started = Gauge(telemetry.RETRAINING_STARTED, help_, registry=registry)
    started.set_function(
        lambda: retrainer.started_at.timestamp() if retrainer.started_at is not None else 0.0
    )
    return notices


def _bears(request: Request, token: str) -> bool:
    given = request.headers.get("authorization", "")
    # In constant time, so that how long a refusal takes tells nothing about the token.
    return hmac.compare_digest(given.encode(), (_BEARER + token).encode())


async def _body(request: Request) -> bytes:
    """The body, but not more of it than is taken."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        # One byte too many is enough for `read` to refuse it.
        if len(body) > MOST_BYTES:
            break
    return bytes(body)


def _described(decision: RunDecision) -> Response:
    next_at = decision.next_at.isoformat() if decision.next_at else None
    body = strict_json.text(
        {
            "outcome": decision.outcome,
            "reason": decision.reason,
            "run": decision.run_id,
            "next_at": next_at,
        },
        compact=True,
    )
    return Response(body, media_type="application/json")


def _away(error: Exception) -> Response:
    return PlainTextResponse(str(error), 503, {"Retry-After": str(RETRY_S)})
