"""The command that runs a compiled pipeline on this machine, and its record in the registry."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parivision.cli import context
from parivision.cli.console import out, say, working
from parivision.cli.data import LEAGUE_HELP, SEASON_TYPES_HELP
from parivision.cli.serving import TARGET_HELP
from parivision.errors import PipelineError, RegistryError
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kubeflow.local_runs import Event, Run

commands = typer.Typer()

CAUSE_HELP = "Why training runs, such as an alert; the decision is recorded with it."
SYNTHETIC = "synthetic:?seed=1&seasons=2021-2023&games=300"


@commands.command()
def run(
    pipeline: Annotated[str, typer.Argument(help="etl, training or monitoring")],
    source: Annotated[str, typer.Option(help="Source of shots, for etl and training.")] = SYNTHETIC,
    until: Annotated[str, typer.Option(help="First day to leave out; empty for none.")] = "",
    league: Annotated[str, typer.Option(help=LEAGUE_HELP)] = "nba",
    season_types: Annotated[str, typer.Option(help=SEASON_TYPES_HELP)] = "Regular Season",
    target: Annotated[str, typer.Option(help=TARGET_HELP)] = "auto",
    cause: Annotated[str, typer.Option(help=CAUSE_HELP)] = "",
) -> None:
    """Run a compiled pipeline on this machine, each task a process of its own."""
    which = {"league": league, "season_types": season_types}
    given = {
        "etl": {"source": source, **which},
        "training": {"source": source, "until": until, "target": target, "cause": cause, **which},
        "monitoring": {"target": target, **which},
    }
    result = run_pipeline(pipeline, given.get(pipeline, {}), context.current())
    for task, outputs in result.tasks.items():
        for name, value in outputs.parameters.items():
            out.print(f"{task}.{name}: {value}", markup=False, soft_wrap=True)


def run_pipeline(name: str, arguments: Mapping[str, Any], settings: Settings) -> "Run":
    """Run a pipeline, tell of its tasks as they end, and let the registry know how it went."""
    from parivision.kubeflow.local_runs import run_local

    say(f"pipeline {name}")
    with _recorded(name, settings), working(f"starting the pipeline {name}") as stage:

        def tell(event: "Event") -> None:
            if event.state == "running":
                stage.rename(event.task)
            else:
                say(f"  {event.task:32} {event.state} in {event.seconds:5.1f} s")
                stage.rename(f"the next task of the pipeline {name}")

        return run_local(name, arguments, settings, on_event=tell)


@contextmanager
def _recorded(pipeline: str, settings: Settings) -> Iterator[None]:
    """Record in the registry how the pipeline run of the block ended."""
    began_s = time.monotonic()
    try:
        yield
    except PipelineError as error:
        _record(pipeline, settings, began_s, failure=str(error))
        raise
    _record(pipeline, settings, began_s)


def _record(pipeline: str, settings: Settings, began_s: float, failure: str | None = None) -> None:
    """Record a run; when that fails it is said and no more, since the run's own end counts."""
    seconds = time.monotonic() - began_s
    try:
        context.registry(settings, is_long=True).record_pipeline(
            pipeline, seconds=seconds, failure=failure
        )
    except RegistryError as error:
        say(f"the run is not recorded: {error}")
