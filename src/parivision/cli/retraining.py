"""The command that serves Alertmanager's webhook: retraining when an alert fires."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

import typer

from parivision.cli import context
from parivision.cli.console import now_serving, say
from parivision.cli.data import SOURCE_HELP
from parivision.cli.kubeflow import STATS_API, Endpoint, Image, compiled_pipeline
from parivision.errors import SettingsError
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.retraining.runner import TrainingRunner

commands = typer.Typer()

PIPELINE: Final = "training"
Window = Annotated[float, typer.Option(min=0.01, help="Hours in which at most one run starts.")]
LongestWait = Annotated[
    float,
    typer.Option(min=0.01, help="Hours to wait at most while runs fail, doubling each time."),
]
CronJob = Annotated[
    str,
    typer.Option(
        metavar="NAMESPACE/NAME",
        help="Without Kubeflow Pipelines: the CronJob whose template a run's Job is made of.",
    ),
]


@commands.command("retrain-on-alerts")
def retrain_on_alerts(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8090,
    endpoint: Endpoint = "",
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = STATS_API,
    image: Image = "",
    cron_job: CronJob = "",
    window: Window = 24.0,
    longest: LongestWait = 192.0,
) -> None:
    """Start the training pipeline when an alert fires whose label `retrain` is "true".

    Runs are counted as Kubeflow, or with --cron-job the cluster, lists them, whoever started them.
    POST /alerts takes messages from who bears PARIVISION_ALERTS_TOKEN, GET / tells what an alert
    would be answered now.
    """
    import uvicorn

    from parivision.retraining.app import create_app
    from parivision.retraining.policy import RetrainingPolicy
    from parivision.retraining.retrainer import Retrainer

    settings = context.current()
    if cron_job and endpoint:
        raise SettingsError("--endpoint and --cron-job are both given: expected one of them")
    runner = _jobs(cron_job) if cron_job else _kubeflow(settings, endpoint, source, image)
    if not settings.alerts_token:
        say("PARIVISION_ALERTS_TOKEN is not set: whoever reaches this may start a training")
    policy = RetrainingPolicy(timedelta(hours=window), timedelta(hours=longest))
    app = create_app(Retrainer(runner, policy), settings.alerts_token)
    now_serving(f"alerts on http://{host}:{port}/alerts")
    uvicorn.run(app, host=host, port=port, log_level="info", access_log=False)


def _jobs(cron_job: str) -> "TrainingRunner":
    from parivision.kubernetes import cron_job_runs
    from parivision.retraining.job_runner import JobRunner

    return JobRunner(cron_job_runs(cron_job))


def _kubeflow(settings: Settings, endpoint: str, source: str, image: str) -> "TrainingRunner":
    """Raise SettingsError for an address or login that cannot work: now, not at the first alert."""
    from parivision.kubeflow.access import checked_endpoint
    from parivision.retraining.kubeflow_runner import KubeflowRunner

    if not (endpoint or settings.kfp):
        raise SettingsError(
            "nothing that runs trainings is named: give --endpoint or PARIVISION_KFP, such as "
            "http://ml-pipeline.kubeflow:8888, or --cron-job, such as "
            "parivision/parivision-training"
        )
    context.kfp_access(settings)
    checked_endpoint(endpoint or settings.kfp)
    return KubeflowRunner(
        lambda: context.kubeflow(settings, endpoint),
        compiled_pipeline(PIPELINE, image),
        {"source": source, "target": "kubernetes"},
    )
