"""The command that serves Alertmanager's webhook: retraining when an alert fires."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from parivision.cli import context
from parivision.cli.console import now_serving, say
from parivision.cli.data import SOURCE_HELP
from parivision.cli.kubeflow import STATS_API, Endpoint, Image, compiled_pipeline
from parivision.errors import SettingsError
from parivision.settings import Settings

commands = typer.Typer()

PIPELINE: Final = "training"
Window = Annotated[float, typer.Option(min=0.01, help="Hours in which at most one run starts.")]
LongestWait = Annotated[
    float,
    typer.Option(min=0.01, help="Hours to wait at most while runs fail, doubling each time."),
]


@commands.command("retrain-on-alerts")
def retrain_on_alerts(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8090,
    endpoint: Endpoint = "",
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = STATS_API,
    image: Image = "",
    window: Window = 24.0,
    longest: LongestWait = 192.0,
) -> None:
    """Start the training pipeline when an alert fires whose label `retrain` is "true".

    Runs are counted as Kubeflow lists them, whoever started them. POST /alerts takes messages from
    who bears PARIVISION_ALERTS_TOKEN, GET / tells what an alert would be answered now.
    """
    import uvicorn

    from parivision.retraining.app import create_app
    from parivision.retraining.policy import RetrainingPolicy
    from parivision.retraining.retrainer import Retrainer

    settings = context.current()
    _check_access(settings, endpoint)
    if not settings.alerts_token:
        say("PARIVISION_ALERTS_TOKEN is not set: whoever reaches this may start a training")
    retrainer = Retrainer(
        lambda: context.kubeflow(settings, endpoint),
        compiled_pipeline(PIPELINE, image),
        {"source": source, "target": "kubernetes"},
        RetrainingPolicy(timedelta(hours=window), timedelta(hours=longest)),
    )
    app = create_app(retrainer, settings.alerts_token)
    now_serving(f"alerts on http://{host}:{port}/alerts")
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False)


def _check_access(settings: Settings, endpoint: str) -> None:
    """Raise SettingsError for an address or login that cannot work: now, not at the first alert."""
    from parivision.kubeflow.access import checked_endpoint

    if not (endpoint or settings.kfp):
        raise SettingsError(
            "no Kubeflow Pipelines is named: give --endpoint or PARIVISION_KFP, such as "
            "http://ml-pipeline.kubeflow:8888"
        )
    context.kfp_access(settings)
    checked_endpoint(endpoint or settings.kfp)
