"""Commands on models: train, evaluate, promote, watch for drift."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import out, print_json, print_scores, say, working
from parivision.cli.data import SOURCE_HELP, Json
from parivision.errors import FilesError
from parivision.models.families import MODELS

if TYPE_CHECKING:
    from parivision.promotion.holdout import Judgement
    from parivision.settings import Settings

commands = typer.Typer()


@commands.command()
def train(
    models: Annotated[
        str, typer.Option(help="Names, separated by commas; FAMILY_classic for the classic set.")
    ] = ",".join(MODELS),
    search: Annotated[int, typer.Option(min=0, help="Parameter draws to try beside defaults.")] = 0,
) -> None:
    """Train models on the snapshot that `refine` wrote; each becomes a run in MLflow."""
    from parivision.models.training import Recipe
    from parivision.stages import train as stage

    settings = context.current()
    context.registry(settings, is_long=True)
    # By now the registry has answered: one that is away is told before the first fit, not after it.
    names = models.split(",")
    for done, name in enumerate(names, start=1):
        say(f"training {name} ({done} of {len(names)})")
        recipe = Recipe.named(name, seed=settings.seed, search_trials=search)
        folder = settings.models / name
        with working(f"training {name} ({done} of {len(names)})"):
            trained = stage.train(settings, settings.shots, recipe, folder)
        say(f"  fitted on {trained.bundle.card['shots_fitted']:,} shots in {folder}")


@commands.command()
def evaluate(
    data: Annotated[str, typer.Option(help=f"Games never seen by the models: {SOURCE_HELP}")] = "",
    json: Json = False,
    report: Annotated[Path | None, typer.Option(help="Folder for the HTML report.")] = None,
) -> None:
    """Score models, baselines and the champion: on the later games of the snapshot, or on --data.

    With --data the state of all models is brought up to date after every day of games, as in
    production; `champion, frozen` is the champion without that. Games the champion knows already
    are left out. Files that cannot be used are listed at the end, with exit code 1.
    """
    from parivision.stages import evaluate as stage
    from parivision.stages.files import EVALUATION

    settings = context.current()
    context.registry(settings, is_long=True)
    folder = report or settings.reports
    unread: list[FilesError] = []
    if data:
        scores = _examined(settings, data, folder, unread).scores()
    else:
        models = context.models(settings)
        with working("evaluating the models on the later games"):
            scores = dict(stage.evaluate(settings, settings.shots, models, folder).scores)
    if json:
        best = scores.get("champion") or min(scores.values(), key=lambda score: score.log_loss)
        models_json = {name: score.to_dict() for name, score in scores.items()}
        print_json({**best.to_dict(), "models": models_json, "report": folder / EVALUATION})
    else:
        print_scores(scores, data or "later games")
        out.print(f"report: {folder / EVALUATION}", markup=False, soft_wrap=True)
    if unread:
        raise unread[0]


def _examined(
    settings: "Settings", data: str, folder: Path, unread: list[FilesError]
) -> "Judgement":
    """The exam on games of a source; files of it that cannot be used are added to `unread`."""
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots
    from parivision.stages.examine import examine

    with working("reading the shots"):
        shots, invalid = read_shots(open_source(data), unread)
    if len(invalid):
        say(f"{len(invalid):,} records of {data} are no valid shots and are left out")
    with working("evaluating the models on games that they have not seen"):
        judgement = examine(settings, shots, folder, title=f"Evaluation on {data}")
    known = len(shots) - len(judgement.made)
    if known:
        say(f"{known:,} shots of games that the champion knows are left out")
    return judgement


@commands.command()
def promote(json: Json = False) -> None:
    """Decide by the last `evaluate` whether a challenger becomes champion."""
    from parivision.stages import promote as stage

    settings = context.current()
    models = context.models(settings)
    folder = settings.home / "champion"
    with working("promoting"):
        context.registry(settings, is_long=True)
        promotion = stage.promote(settings, settings.shots, settings.reports, models, folder)
    if json:
        print_json({**promotion.decision.to_dict(), "version": promotion.version or None})
        return
    verb = "promoted" if promotion.decision.promoted else "not promoted"
    out.print(f"{verb}: {promotion.decision.reason}", markup=False, soft_wrap=True)
    if promotion.champion:
        out.print(f"champion: version {promotion.version}", markup=False)
