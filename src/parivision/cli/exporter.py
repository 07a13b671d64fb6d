"""Commands that watch: the exporter."""

import signal
import threading
from functools import cache
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from parivision.cli import context
from parivision.cli.console import now_serving
from parivision.exporter.cache import EVERY_S
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kubeflow.client import Kubeflow
    from parivision.registry import Registry
    from parivision.registry.records import PipelineRun

commands = typer.Typer()

PORT = 9108
ANSWER_WAIT_S = 20


@commands.command()
def exporter(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = PORT,
    every: Annotated[
        float, typer.Option(min=1, help="Seconds between two looks at a source.")
    ] = EVERY_S,
) -> None:
    """Export what the lake, the registry and the pipelines say as metrics, until a signal ends it.

    A source that is down is told by parivision_exporter_source_up and does not end it.
    """
    from parivision.exporter.cache import Cached
    from parivision.exporter.metrics import Exporter, LakeFacts, RegistryFacts, serving

    settings = context.current()
    # Opened by the thread that asks, and again until they are there.
    lake = cache(lambda: context.lake(settings))
    registry = cache(lambda: _impatient_registry(settings))
    kfp = cache(lambda: context.kubeflow(settings))
    exports = Exporter(
        Cached("lake", lambda: LakeFacts.of(lake()), every_s=every),
        Cached("mlflow", lambda: RegistryFacts.of(registry()), every_s=every),
        Cached("kfp", lambda: _runs(kfp()), every_s=every) if settings.kfp else None,
    )
    # The first process of a container gets no signal that it does not handle.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with serving(exports, host=host, port=port) as used:
        now_serving(f"metrics on http://{host}:{used}/metrics")
        threading.Event().wait()


def _runs(kubeflow: "Kubeflow") -> "list[PipelineRun]":
    # With its package comes MLflow, which takes seconds to import; no other command waits for it.
    from parivision.registry.records import PipelineRun

    return [PipelineRun(*run) for run in kubeflow.runs.summaries()]


def _end(*_: object) -> NoReturn:
    raise typer.Exit


def _impatient_registry(settings: Settings) -> "Registry":
    opened = context.unasked_registry(settings)
    from parivision.registry import impatient

    impatient(ANSWER_WAIT_S)
    return opened
