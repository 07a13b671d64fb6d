"""Commands on rollouts that are made up or replayed: how often the verdict would be wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from parivision.cli import context
from parivision.cli.console import bar, out, print_json
from parivision.cli.data import Json
from parivision.reports.numbers import number

if TYPE_CHECKING:
    from parivision.simulation.study import Path as VerdictPath
    from parivision.simulation.study import Plan, RolloutSource, Study

commands = typer.Typer(no_args_is_help=True)

WAYS = "noise, level or slope"
SPREADS = (0.0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25)
BETTER = (0.0, 0.003, 0.01)


@commands.callback()
def _group() -> None:
    """Rollouts: judged, looked at, ended."""


Equal = Annotated[bool, typer.Option("--equal", help="Only equal models, all kinds: false alarms.")]
Runs = Annotated[
    int,
    typer.Option(
        min=1, help="Rollouts of equal models, of all kinds together, and as many of the worse."
    ),
]
Worse = Annotated[
    float, typer.Option(min=0.0001, help="Nats a shot by which the bad challenger is worse.")
]
Way = Annotated[str, typer.Option(help=f"How it is worse: {WAYS}.")]
Shots = Annotated[int, typer.Option(min=300, help="Labelled shots in a rollout.")]
Batch = Annotated[int, typer.Option(min=1, help="Labelled shots between two looks.")]
Threshold = Annotated[
    float, typer.Option(help="The fixed rule's limit of a 5-minute mean, in nats.")
]
ShotsAMinute = Annotated[
    int,
    typer.Option(min=1, help="Labelled shots in a minute, for the fixed rule; default: ten games."),
]
PredictionsFile = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="Logged shots, JSON lines or CSV: p_champion, p_challenger, made; zone, period "
        "and player_volume if known.",
    ),
]
Seed = Annotated[int | None, typer.Option(min=0, help="Default: PARIVISION_SEED.")]
Plot = Annotated[Path | None, typer.Option(help="Folder for the page and the PNGs.")]


@commands.command()
def simulate(
    equal: Equal = False,
    runs: Runs = 200,
    worse: Worse = 0.02,
    way: Way = "noise",
    shots: Shots = 4000,
    batch: Batch = 100,
    threshold: Threshold = 0.02,
    shots_a_minute: ShotsAMinute = 12,
    predictions: PredictionsFile = None,
    seed: Seed = None,
    plot: Plot = None,
    json: Json = False,
) -> None:
    """Replay shots through two models, asking for the verdict all along.

    Says how often equal models are failed, how often a worse one is found, after how many
    labelled shots, and what a fixed threshold on a 5-minute mean would do. With --predictions the
    shots are drawn from a log; equal is then the same log with the models swapped by a coin.
    """
    from parivision.reports import rollout
    from parivision.simulation.study import Plan

    settings = context.current()
    seed = settings.seed if seed is None else seed
    plan = Plan(shots, batch, shots_a_minute, threshold)
    sources, path = _sources(predictions, worse, way, plan, seed)
    equals = (sources[:-1] if equal or predictions else sources[1:3])[:runs]
    good = _studies(equals, runs, plan, seed)
    bad = [] if equal else _studies(sources[-1:], runs, plan, seed)
    page = rollout.write(plot or settings.reports / "rollout", good, bad, path)
    summary = rollout.summary(good, bad)
    if json:
        print_json({"seed": seed, **summary, "path": path.verdict.to_dict(), "report": page})
        return
    _print([*good, *bad], summary)
    out.print(f"one rollout: {path.verdict.outcome}: {path.verdict.reason}", markup=False)
    out.print(f"report: {page}", markup=False, soft_wrap=True)


@commands.command()
def needed(
    margin: Annotated[
        float, typer.Option(min=0.0001, help="How much worse may pass, in nats a shot.")
    ] = 0.005,
    json: Json = False,
) -> None:
    """Say how many labelled shots a promotion takes, by how much the two models differ."""
    from parivision.verdict import Rules
    from parivision.verdict.quality import shots_to_pass

    rules = Rules(margin=margin)
    rows = [
        {"spread": spread}
        | {f"{better:g}": shots_to_pass(spread**2, -better, rules) for better in BETTER}
        for spread in SPREADS
    ]
    if json:
        print_json({"margin": margin, "rows": rows})
        return
    table = Table(title=f"labelled shots to a pass, margin {margin:g}", title_justify="left")
    table.add_column("difference on a shot +-", justify="right")
    for better in BETTER:
        table.add_column(f"{better:g} better" if better else "equal", justify="right")
    for row in rows:
        spread, *counts = row.values()
        table.add_row(f"{spread:g}", *(f"{count:,}" for count in counts))
    out.print(table)


def _studies(
    sources: Sequence["RolloutSource"], runs: int, plan: "Plan", seed: int
) -> list["Study"]:
    """A study of each source; the runs are shared out among them, the first get one more."""
    from parivision.simulation.study import study

    studies = []
    for index, source in enumerate(sources):
        share = len(range(index, runs, len(sources)))
        with bar(source.name) as progress:
            studies.append(study(source, share, plan, seed, progress=progress))
    return studies


def _sources(
    predictions: Path | None, worse: float, way: str, plan: "Plan", seed: int
) -> tuple[list["RolloutSource"], "VerdictPath"]:
    """Kinds of equal models, last the challenger to be found; and one rollout of that, in full."""
    import numpy as np

    from parivision.simulation.replay import Resampled, read_file
    from parivision.simulation.study import follow
    from parivision.simulation.worlds import equal_worlds, worse_world

    rng = np.random.default_rng(seed)
    if predictions is None:
        bad = worse_world(worse, way)
        return [*equal_worlds(), bad], follow(bad.shots(rng, plan.shots), rng, plan)
    logged = read_file(predictions)
    kinds = [
        Resampled("logged, models swapped", logged, is_equal=True),
        Resampled("logged", logged, is_equal=False),
    ]
    return list(kinds), follow(logged, rng, plan)


def _print(studies: list["Study"], summary: dict[str, Any]) -> None:
    table = Table(title="rollouts", title_justify="left")
    table.add_column("world", no_wrap=True)
    for name in ("failed", "95 %", "passed", "median shots", "fixed rule failed"):
        table.add_column(name, justify="right")
    for study in studies:
        failed, median = study.failed(), study.median_shots()
        table.add_row(
            study.world,
            number(failed.rate, ".1%"),
            f"{failed.low:.1%} to {failed.high:.1%}",
            number(study.passed().rate, ".1%"),
            "-" if median is None else f"{median:,.0f}",
            number(study.fixed_failed().rate, ".1%"),
        )
    out.print(table)
    out.print(
        f"false alarms {summary['false_alarm_rate']:.1%}, at most {summary['alpha']:.0%} are "
        "allowed",
        markup=False,
    )
