"""The command that serves Alertmanager's webhook: retraining when an alert fires."""

from datetime import timedelta
from typing import Annotated, Final

import typer

from parivision.cli import context
from parivision.cli.console import now_serving, say
from parivision.cli.data import SOURCE_HELP
from parivision.cli.kubeflow import STATS_API, Endpoint, Image, compiled_pipeline
from parivision.errors import SettingsError

commands = typer.Typer()

PIPELINE: Final = "training"
HOURS_HELP: Final = "Hours {}."


@commands.command("retrain-on-alerts")
def retrain_on_alerts(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8090,
    endpoint: Endpoint = "",
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = STATS_API,
    image: Image = "",
    window: Annotated[
        float, typer.Option(min=0.01, help=HOURS_HELP.format("in which at most one run starts"))
    ] = 24.0,
    longest: Annotated[
        float,
        typer.Option(
            min=0.01, help=HOURS_HELP.format("to wait at most while runs fail, doubling each time")
        ),
    ] = 192.0,
) -> None:
    """Start the training pipeline when an alert fires whose label `retrain` is "true".

    Runs are counted as Kubeflow lists them, whoever started them. POST /alerts takes messages from
    who bears PARIVISION_ALERTS_TOKEN, GET / tells what an alert would be answered now.
    """
    import uvicorn

    from parivision.kubeflow.access import checked_endpoint
    from parivision.retraining.app import create_app
    from parivision.retraining.policy import RetrainingPolicy
    from parivision.retraining.retrainer import Retrainer

    chosen = context.current()
    if not (endpoint or chosen.kfp):
        raise SettingsError(
            "no Kubeflow Pipelines is named: give --endpoint or PARIVISION_KFP, such as "
            "http://ml-pipeline.kubeflow:8888"
        )
    # What is wrong with it is told now, and not to the first alert.
    context.kfp_access(chosen)
    checked_endpoint(endpoint or chosen.kfp)
    if not chosen.alerts_token:
        say("PARIVISION_ALERTS_TOKEN is not set: whoever reaches this may start a training")
    retrainer = Retrainer(
        lambda: context.kubeflow(chosen, endpoint),
        compiled_pipeline(PIPELINE, image),
        {"source": source, "target": "kubernetes"},
        RetrainingPolicy(timedelta(hours=window), timedelta(hours=longest)),
    )
    app = create_app(retrainer, chosen.alerts_token)
    now_serving(f"alerts on http://{host}:{port}/alerts")
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False)
