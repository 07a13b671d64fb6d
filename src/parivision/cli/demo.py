"""The main job from end to end: shots in, a judged and served champion out, and what to look at."""

import shutil
import time
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parivision.cli import context
from parivision.cli.console import bar, out, print_json, print_scores, say, working
from parivision.cli.demo_drift import show_drift
from parivision.cli.pipelines import SYNTHETIC, run_pipeline
from parivision.cli.serving import bento_of_champion
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kubeflow.local_runs import Run
    from parivision.promotion.holdout import Judgement

commands = typer.Typer()

SHOT: Mapping[str, Any] = {
    "player_id": 201939,
    "period": 4,
    "clock_s": 24.0,
    "x_ft": -22.5,
    "y_ft": 3.0,
    "action_type": "Jump Shot",
}
"""A corner three late in the fourth quarter, from the league's right."""


@commands.command()
def demo(
    data: Annotated[
        str, typer.Option(help="Folder of season files; default: the embedded synthetic league.")
    ] = "",
) -> None:
    """Run the whole way of a shot: source, lake, training, judgement, Bento, prediction, drift.

    With season files the last season is kept for an exam, and then learnt from too.
    """
    settings = context.current()
    if data:
        first_of_last = _load(data, settings)
        trained = _train(settings, data, first_of_last.isoformat())
        _exam(settings, first_of_last)
        say("once more, with the last season:")
    trained = _train(settings, data or SYNTHETIC, "")
    reports = _reports(settings, trained)
    _show_judgement(trained)
    _show_prediction(settings)
    _show_verdicts(trained, settings)
    reports |= show_drift(settings, is_synthetic=not data)
    out.print("\nreports")
    for name, path in reports.items():
        out.print(f"  {name}: {path}", markup=False, soft_wrap=True)


def _load(data: str, settings: Settings) -> date:
    """Bring season files to silver and say how long it took; the last season's first day."""
    from parivision.lake.ingest import ingest
    from parivision.lake.refine import refine
    from parivision.sources.open import open_source

    started_s = time.monotonic()
    lake = context.lake(settings)
    with bar("records to bronze") as progress:
        ingest(open_source(data), lake, progress=progress)
    with bar("records to silver") as progress:
        refine(lake, progress=progress)
    counts = lake.counts()
    say(
        f"{counts.bronze:,} records in bronze, {counts.silver:,} shots in silver, "
        f"{counts.quarantine:,} in quarantine, after {time.monotonic() - started_s:.0f} s"
    )
    days = lake.silver(["season", "game_date"])
    last = days.filter(days["season"] == days["season"].max())["game_date"].min()
    if not isinstance(last, date):
        raise typer.BadParameter(f"{data} holds no shots")
    return last


def _train(settings: Settings, source: str, until: str) -> "Run":
    return run_pipeline(
        "training",
        {"source": source, "until": until, "seed": settings.seed, "target": "local"},
        settings,
    )


def _exam(settings: Settings, since: date) -> None:
    from parivision.stages.examine import examine

    with working("the exam on the last season"):
        shots = context.lake(settings).silver(since=since)
        context.registry(settings, is_long=True)
        folder = settings.reports / "exam"
        title = f"Exam on the games from {since} on"
        judgement = examine(settings, shots, folder, title=title)
    print_scores(judgement.scores(), f"exam: games from {since} on, never seen before")


def _judged(run: "Run") -> "Judgement":
    import polars as pl

    from parivision.promotion.holdout import Judgement
    from parivision.stages.files import JUDGEMENT

    folder = run.tasks["evaluate"].artifacts["judged"].path
    return Judgement.from_frame(pl.read_parquet(folder / JUDGEMENT))


def _show_judgement(run: "Run") -> None:
    judgement = _judged(run)
    days = judgement.shots["game_date"]
    print_scores(judgement.scores(), f"later games, {days.min()!s} to {days.max()!s}")
    decided = run.tasks["promote"].parameters
    out.print(
        f"\nchampion: {decided['family']}, version {decided['version']}"
        f" ({'new' if decided['Output'] else 'stays'})",
        markup=False,
    )
    out.print(f"why: {decided['reason']}", markup=False, soft_wrap=True)


def _show_prediction(settings: Settings) -> None:
    from parivision.packaging import local_deployment
    from parivision.serving.client import ServiceClient

    bento = bento_of_champion(settings)
    with working("starting the service"):
        served = local_deployment.start(bento.path, port=settings.port, state_dir=settings.serving)
        with ServiceClient(served.url) as client:
            answer = client.predict_one(SHOT)
    out.print(f"\nPOST {served.url}/predict", markup=False, soft_wrap=True)
    print_json({"shot": SHOT, "answer": answer})


def _show_verdicts(run: "Run", settings: Settings) -> None:
    """What a rollout of the best model would come to, and one of the same model gone bad.

    On the later games as if they were served and labelled in a rollout: the best model against
    the next best, and its probabilities squared against the best model itself.
    """
    from dataclasses import replace

    import numpy as np

    from parivision.models.families import BASELINES
    from parivision.promotion.holdout import best_of
    from parivision.simulation.replay import of_judgement
    from parivision.simulation.study import Plan, follow

    judgement = _judged(run)
    models = {n: p for n, p in judgement.predictions.items() if n not in BASELINES}
    best = best_of(judgement.made, models) or "zone_rate"
    others = {name: p for name, p in models.items() if name != best}
    next_best = best_of(judgement.made, others) or "zone_rate"
    good = of_judgement(judgement, next_best, best)
    bad = replace(good, p_champion=good.p_challenger, p_challenger=good.p_challenger**2)
    out.print("\nverdicts of a rollout on the later games")
    for what, shots in ((f"{best} against {next_best}", good), (f"{best}, squared", bad)):
        with working(f"replaying a rollout: {what}"):
            path = follow(shots, np.random.default_rng(settings.seed), Plan(shots=len(shots)))
        after = f"{path.verdict.outcome} after {path.shots[-1]:,} labelled shots"
        out.print(f"  {what}: {after}", markup=False)
        out.print(f"    {path.verdict.reason}", markup=False, soft_wrap=True)


def _reports(settings: Settings, run: "Run") -> dict[str, Path]:
    """Reports of the last run and of the shots, in one place."""
    from parivision.reports.eda import write

    folder = settings.reports
    folder.mkdir(parents=True, exist_ok=True)
    pages = {}
    wanted = [("evaluate", "report"), ("drift", "report"), ("drift", "evidently")]
    if not run.tasks["drift"].parameters["Output"]:  # no champion to compare with, at that time
        wanted = wanted[:1]
    for task, artifact in wanted:
        written = run.tasks[task].artifacts.get(artifact)
        if written is not None and written.path.is_file():
            name = task if artifact == "report" else f"{task} ({artifact})"
            pages[name] = folder / f"{task}-{artifact}.html"
            shutil.copyfile(written.path, pages[name])
    with bar("exploring the shots") as progress:
        pages["shots"] = write(
            context.lake(settings).silver(), folder / "eda.html", progress=progress
        )
    return pages
