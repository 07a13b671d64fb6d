"""Commands that watch: the exporter."""

import signal
from functools import cache
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cached import EVERY_S
from parivision.cli import context
from parivision.cli.console import say
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.registry import Registry

commands = typer.Typer()

PORT = 9108
ANSWER_WAIT_S = 10
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


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
    from parivision.cached import Cached
    from parivision.exporter import Exporter, LakeFacts, RegistryFacts, serving

    settings = context.current()
    # Opened by the thread that asks, and again until they are there.
    lake = cache(lambda: context.lake(settings))
    registry = cache(lambda: _impatient_registry(settings))
    exports = Exporter(
        Cached("lake", lambda: LakeFacts.of(lake()), every_s=every),
        Cached("mlflow", lambda: RegistryFacts.of(registry()), every_s=every),
    )
    # Waited for and not handled: nothing is interrupted, and PID 1 of a container sees them too.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDINGS)
    with serving(exports, host=host, port=port) as used:
        say(f"metrics on http://{host}:{used}/metrics")
        signal.sigwait(_ENDINGS)


def _impatient_registry(settings: Settings) -> "Registry":
    opened = context.registry(settings)
    from parivision.registry import impatient

    impatient(ANSWER_WAIT_S)
    return opened
