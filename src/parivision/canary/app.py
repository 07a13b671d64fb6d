"""What the verdict service answers: Flagger's webhooks, people who look, and Prometheus.

Flagger takes every status above 202 for a no, and keeps the body as its reason in an event. 409 is
a no that is meant: hold, or do not roll back.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from parivision import strict_json
from parivision.canary import page
from parivision.canary.approval import Answer, Question
from parivision.canary.loop import Loop
from parivision.canary.views import described
from parivision.canary.watcher import Watcher

REFRESH_S: Final = 10
ALIVE_S: Final = 300.0
"""A loop that has not come round for so long hangs."""
WEBHOOKS: Final[Mapping[str, Question]] = {
    "/confirm-traffic-increase": "increase",
    "/confirm-promotion": "promote",
    "/rollback": "roll_back",
}
"""Paths of webhooks, and what they ask."""

_logger = logging.getLogger(__name__)


def create_app(watcher: Watcher, loop: Loop, *exports: Collector) -> FastAPI:
    """The service around a watcher; `loop`, which steps it, is run by somebody else."""
    app = FastAPI(title="PariVision's verdict on rollouts", docs_url=None, redoc_url=None)
    registry = CollectorRegistry()
    for export in exports:
        registry.register(export)
    _add_webhooks(app, watcher, loop)
    _add_views(app, watcher)

    @app.get("/metrics")
    def metrics() -> Response:
        """Metrics in the Prometheus text format."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/healthz")
    def healthz() -> Response:
        """Whether the loop comes round; what it finds does not matter."""
        idle_s = loop.idle_s()
        if idle_s > ALIVE_S:
            return PlainTextResponse(f"no step ended for {idle_s:.0f} s", status_code=503)
        return PlainTextResponse("ok")

    @app.get("/readyz")
    def readyz() -> Response:
        """Whether it can be asked; that evidence is away is an answer, too."""
        return PlainTextResponse("ok")

    return app


# Handlers that ask the watcher are plain functions, which FastAPI runs in threads: while one waits
# for a step to end, health, metrics and the other hooks are answered.
def _add_webhooks(app: FastAPI, watcher: Watcher, loop: Loop) -> None:
    @app.post("/confirm-rollout")
    def confirm_rollout() -> Response:
        """Whether the rollout may begin."""
        return _answer(watcher.confirm_rollout())

    for path, question in WEBHOOKS.items():
        app.add_api_route(path, _asking(watcher, question), methods=["POST"])

    @app.post("/event")
    async def event(request: Request) -> Response:
        """Flagger says what it does; it is kept in the log."""
        body: Any = await request.json()
        metadata = body.get("metadata", {}) if isinstance(body, dict) else {}
        _logger.info("flagger: %s", str(metadata.get("eventMessage", ""))[:500])
        return PlainTextResponse("noted")

    @app.post("/post-rollout")
    def post_rollout() -> Response:
        """It is over: the loop sees to what follows, and now."""
        loop.wake()
        return PlainTextResponse("noted")


def _asking(watcher: Watcher, question: Question) -> Any:
    def ask() -> Response:
        return _answer(watcher.ask(question))

    ask.__doc__ = f"Whether to {question.replace('_', ' ')}."
    return ask


def _answer(answer: Answer) -> Response:
    is_approved, reason = answer
    return PlainTextResponse(reason, status_code=200 if is_approved else 409)


def _json(values: dict[str, Any]) -> Response:
    return Response(strict_json.text(values, compact=True), media_type="application/json")


def _add_views(app: FastAPI, watcher: Watcher) -> None:
    @app.get("/")
    def index() -> Response:
        """The newest rollout with plots; it loads itself anew."""
        text = page.of(watcher.view)
        return HTMLResponse(text, headers={"Refresh": str(REFRESH_S)})

    @app.get("/rollouts")
    def rollouts() -> Response:
        """Every rollout, the newest first."""
        known = (described(rollout) for rollout in reversed(watcher.view.rollouts))
        # The list is for an overview: the history alone has hundreds of points for each rollout.
        long_fields = {"history", "verdict"}
        short = [{k: v for k, v in values.items() if k not in long_fields} for values in known]
        return _json({"rollouts": short})

    @app.get("/rollouts/current")
    def current() -> Response:
        """The newest rollout in full: weights, evidence and bounds over time."""
        view = watcher.view
        if not view.rollouts:
            raise HTTPException(404, "there has been no rollout yet")
        return _json(described(view.rollouts[-1]) | {"troubles": list(view.troubles)})
