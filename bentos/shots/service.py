"""The champion's service: POST /predict, GET /champion, /metrics, and health endpoints.

`parivision.packaging.bento` puts this file into a Bento beside the champion's bundle,
`champion.json` and the part of the library that it needs.
"""

import os
from pathlib import Path

import bentoml

from parivision import settings
from parivision.serving.app import create_app
from parivision.serving.edge import Edge
from parivision.serving.logs import Logs, spill_to
from parivision.serving.predictor import Predictor

CONTENT = Path(__file__).parent

app = create_app()


# One worker a process: it counts for itself, and replicas are cheaper to reason about than forks.
# BentoML's own metrics are off because they keep a time series for every path a client invents;
# /metrics is answered by the application. Access log and tracing would cost as much as an answer.
@bentoml.service(
    name="shots",
    workers=1,
    traffic={"timeout": 10},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    tracing={"excluded_urls": ".*"},
    # One row is too little for threads to share.
    envs=[{"name": "OMP_NUM_THREADS", "value": "1"}],
)
@bentoml.asgi_app(app, path="/")
class Shots:
    """Probability and expected points of NBA shots."""

    def __init__(self) -> None:
        """Load the model; the process is not ready before."""
        chosen = settings.read(os.environ)
        predictor = Predictor.load(CONTENT)
        spill = spill_to(chosen.spill, chosen.spill_mb)
        log = chosen.prediction_log
        logs = Logs.open(log, spill, predictor.champion, chosen.track) if log else None
        edge = Edge.of(chosen.cors_origins, chosen.allowed_hosts)
        app.serve(predictor, logs, chosen.outcomes_token, edge)

    @bentoml.on_shutdown
    def close(self) -> None:
        """Leave nothing of the log in memory; called once all requests are answered."""
        app.close()

    async def __is_ready__(self) -> bool:
        """Drives /readyz."""
        return app.is_ready

    async def __is_alive__(self) -> bool:
        """Drives /livez and /healthz."""
        return True
