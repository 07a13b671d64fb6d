"""Commands on Kubeflow Pipelines: submit a pipeline, follow its run, and have it run by itself."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from parivision.cli import context
from parivision.cli.console import out, print_json, say, working
from parivision.cli.data import LEAGUE_HELP, SEASON_TYPES_HELP, SOURCE_HELP, Json
from parivision.errors import PipelineError, SettingsError
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.kubeflow.schedule import DEFAULTS, OFF

if TYPE_CHECKING:
    from parivision.kubeflow.client import Kubeflow
    from parivision.kubeflow.local_runs import Event, OnEvent
    from parivision.kubeflow.schedule import RecurringRun, Trigger

commands = typer.Typer()

STATS_API = "http://parivision-stats-api.parivision.svc:8000"
PIPELINES = tuple(DEFAULTS)
NO_PAGES = (
    "this endpoint is KFP's API and has no pages: use svc/ml-pipeline-ui, which serves both, "
    "or name its address in PARIVISION_KFP_UI"
)
INTERRUPTED = 130  # what a shell gives a command that Ctrl-C ended

Endpoint = Annotated[
    str, typer.Option(help="Address of Kubeflow Pipelines; default PARIVISION_KFP.")
]
Image = Annotated[
    str, typer.Option(help="Image of the components, REPOSITORY@sha256:...; default as compiled.")
]
_TRIGGER_HELP = f"When {{}} runs: 90m, 1h, 7d, cron, or `{OFF}`."


@commands.command()
def submit(
    pipeline: Annotated[
        str | None, typer.Argument(help="etl, training or monitoring", show_default=False)
    ] = None,
    source: Annotated[str | None, typer.Option(help=SOURCE_HELP)] = None,
    until: Annotated[str | None, typer.Option(help="First day to leave out.")] = None,
    league: Annotated[str | None, typer.Option(help=LEAGUE_HELP)] = None,
    season_types: Annotated[str | None, typer.Option(help=SEASON_TYPES_HELP)] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random choice.")] = None,
    search_trials: Annotated[int | None, typer.Option(help="Parameter draws a family.")] = None,
    target: Annotated[str | None, typer.Option(help="auto, kubernetes or local.")] = None,
    endpoint: Endpoint = "",
    image: Image = "",
    follow: Annotated[bool, typer.Option(help="Stay until the run has ended.")] = True,
    attach: Annotated[
        str, typer.Option(help="Follow this run instead of starting one.", metavar="RUN")
    ] = "",
) -> None:
    """Run a compiled pipeline on Kubeflow Pipelines and follow its tasks.

    What is not given has the pipeline's default. Ctrl-C stops following and leaves the run going.
    """
    if bool(pipeline) == bool(attach):
        raise typer.BadParameter("expected a pipeline to run, or --attach RUN to follow a run")
    kubeflow = context.kubeflow(context.current(), endpoint)
    if attach:
        _follow(kubeflow, attach)
        return
    given = {
        "source": source,
        "until": until,
        "league": league,
        "season_types": season_types,
        "seed": seed,
        "search_trials": search_trials,
        "target": target,
    }
    run_id = _start(kubeflow, compiled_pipeline(str(pipeline), image), given)
    if follow:
        _follow(kubeflow, run_id)
    else:
        out.print(run_id, markup=False)


@commands.command()
def runs(
    endpoint: Endpoint = "",
    limit: Annotated[int, typer.Option(min=1, help="Show so many.")] = 20,
    json: Json = False,
) -> None:
    """List the newest runs on Kubeflow Pipelines."""
    kubeflow = context.kubeflow(context.current(), endpoint)
    names = kubeflow.pipelines.names()
    rows = [
        {
            "run": run.run_id,
            "pipeline": names.get(run.pipeline_id, run.name),
            "state": run.state,
            "began": run.created_at and f"{run.created_at:%Y-%m-%d %H:%M:%S}",
            "ended": run.finished_at and f"{run.finished_at:%Y-%m-%d %H:%M:%S}",
        }
        for run in kubeflow.runs.recent(limit)
    ]
    if json:
        print_json({"runs": rows})
        return
    table = Table("run", "pipeline", "state", "began", "ended")
    for row in rows:
        table.add_row(*(str(value or "") for value in row.values()))
    out.print(table)


@commands.command()
def schedule(
    endpoint: Endpoint = "",
    etl: Annotated[str, typer.Option(help=_TRIGGER_HELP.format("etl"))] = DEFAULTS["etl"],
    monitoring: Annotated[str, typer.Option(help=_TRIGGER_HELP.format("monitoring"))] = DEFAULTS[
        "monitoring"
    ],
    training: Annotated[str, typer.Option(help=_TRIGGER_HELP.format("training"))] = DEFAULTS[
        "training"
    ],
    source: Annotated[str, typer.Option(help=SOURCE_HELP)] = STATS_API,
    image: Image = "",
    remove: Annotated[bool, typer.Option("--remove", help="Remove the recurring runs.")] = False,
) -> None:
    """Have the pipelines run by themselves: etl hourly, monitoring daily, training weekly.

    Times are UTC. What is as wanted is left alone, so this may be run again at any time.
    """
    from parivision.kubeflow.schedule import Trigger, plan

    texts = {"etl": etl, "monitoring": monitoring, "training": training}
    triggers = {name: None if remove else Trigger.parse(text) for name, text in texts.items()}
    kubeflow = context.kubeflow(context.current(), endpoint)
    arguments = {"etl": {"source": source}, "training": {"source": source}}
    wanted = [
        _recurring(kubeflow, compiled_pipeline(name, image), trigger, arguments.get(name, {}))
        for name, trigger in triggers.items()
        if trigger is not None
    ]
    for change in plan(wanted, kubeflow.recurring_runs.list(), PIPELINES):
        # The new one first: a schedule is never without its run.
        if change.create is not None:
            kubeflow.recurring_runs.create(change.create)
        for recurring_id in change.delete:
            kubeflow.recurring_runs.delete(recurring_id)
        out.print(f"{change.name}: {change.outcome}", markup=False)


def compiled_pipeline(name: str, image: str) -> Compiled:
    """The committed pipeline of a name, on another image if one is named."""
    if name not in PIPELINES:
        raise SettingsError(f"there is no pipeline {name!r}: expected {', '.join(PIPELINES)}")
    compiled = Compiled.read(compiled_file(name))
    return compiled.with_image(image) if image else compiled


def _start(kubeflow: "Kubeflow", compiled: Compiled, given: Mapping[str, Any]) -> str:
    """Upload the pipeline unless it is there, and start a run; returns the run's id."""
    arguments = compiled.arguments({k: v for k, v in given.items() if v is not None})
    version = kubeflow.pipelines.upload(compiled)
    say(f"version {version.name} ({'uploaded' if version.is_new else 'was there'})")
    return kubeflow.runs.start(version, arguments)


def _recurring(
    kubeflow: "Kubeflow", compiled: Compiled, trigger: "Trigger", arguments: Mapping[str, Any]
) -> "RecurringRun":
    from parivision.kubeflow.schedule import RecurringRun

    version = kubeflow.pipelines.upload(compiled)
    return RecurringRun(
        name=compiled.name,
        pipeline_id=version.pipeline_id,
        version_id=version.version_id,
        trigger=trigger,
        arguments=compiled.arguments(arguments),
    )


def _follow(kubeflow: "Kubeflow", run_id: str) -> None:
    """Tell of a run's tasks until it has ended; raises a PipelineError if it failed."""
    from parivision.kubeflow.failure import check
    from parivision.kubeflow.runs import Follower, follow

    run = kubeflow.runs.get(run_id)
    pipeline = kubeflow.pipelines.names().get(run.pipeline_id, run.name)
    # Which nodes are tasks only the compiled file tells, and of other pipelines there is none here.
    tasks = Compiled.read(compiled_file(pipeline)).tasks() if pipeline in PIPELINES else []
    again = f"parivision submit --attach {run_id}"
    page = kubeflow.runs.page(run_id) or NO_PAGES
    say(f"run {run_id} of the pipeline {pipeline}: {page}")
    try:
        with _telling() as tell:
            run = follow(lambda: kubeflow.runs.get(run_id), Follower(tasks, tell))
    except KeyboardInterrupt:
        say(f"the run goes on: `parivision runs` lists it, `{again}` follows it again")
        raise typer.Exit(INTERRUPTED) from None
    except PipelineError as error:
        raise PipelineError(f"{error}\nThe run goes on: `{again}` follows it again") from error
    try:
        check(run, pipeline, tasks, kubeflow.runs)
    except PipelineError as error:
        raise PipelineError(f"{error}\n{page}") from error
    say(f"{run.name}: {run.state.lower()}")


@contextmanager
def _telling() -> "Iterator[OnEvent]":
    """What tells of tasks: those that run in one line that moves, those that ended a line each."""
    running: list[str] = []
    with working("waiting for the first task") as stage:

        def tell(event: "Event") -> None:
            if event.state == "running":
                running.append(event.task)
            else:
                running[:] = [task for task in running if task != event.task]
                say(f"  {event.task:32} {event.state} in {event.seconds:5.1f} s")
            stage.rename(", ".join(running) or "waiting for the next task")

        yield tell
