"""Commands on models: train, evaluate, promote, watch for drift."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import out, print_json, print_scores, say, working
from parivision.cli.data import SOURCE_HELP, Json
from parivision.errors import FilesError

if TYPE_CHECKING:
    from parivision.models.training import Recipe

commands = typer.Typer()

STANDARD = "logistic_regression,random_forest,gradient_boosting,xgboost,lightgbm"
CLASSIC = "lightgbm_classic"


def _recipe(name: str, seed: int, search: int) -> "Recipe":
    from parivision.models.training import Recipe

    family, dash, feature_set = name.rpartition("_")
    if dash and feature_set == "classic":
        return Recipe(family, "classic", seed=seed, search_trials=search)
    return Recipe(name, seed=seed, search_trials=search)


@commands.command()
def train(
    models: Annotated[
        str, typer.Option(help="Names, separated by commas; FAMILY_classic for the classic set.")
    ] = f"{STANDARD},{CLASSIC}",
    search: Annotated[int, typer.Option(min=0, help="Parameter draws to try beside defaults.")] = 0,
) -> None:
    """Train models on the snapshot that `refine` wrote; each becomes a run in MLflow."""
    from parivision.stages import models as stages

    settings = context.current()
    registry = context.registry(settings, is_long=True)
    names = models.split(",")
    for done, name in enumerate(names, start=1):
        say(f"training {name} ({done} of {len(names)})")
        recipe = _recipe(name, settings.seed, search)
        with working(f"training {name} ({done} of {len(names)})"):
            bundle = stages.train_model(settings.shots, recipe, settings.models / name, registry)
        say(f"  fitted on {bundle.card['shots_fitted']:,} shots in {settings.models / name}")


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
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots
    from parivision.stages import models as stages

    settings = context.current()
    registry = context.registry(settings, is_long=True)
    folder = report or settings.reports
    unread: list[FilesError] = []
    if data:
        with working("reading the shots"):
            shots, bad = read_shots(open_source(data), unread)
        if len(bad):
            say(f"{len(bad):,} records of {data} are no valid shots and are left out")
        with working("evaluating the models on games that they have not seen"):
            judgement = stages.examine(
                shots, registry, settings.cache, folder, title=f"Evaluation on {data}"
            )
        if len(judgement.made) < len(shots):
            known = len(shots) - len(judgement.made)
            say(f"{known:,} shots of games that the champion knows are left out")
        scores = judgement.scores()
    else:
        names = [p.name for p in sorted(settings.models.glob("*")) if p.is_dir()]
        models = context.models(settings, names)
        with working("evaluating the models on the later games"):
            scores = stages.evaluate_models(
                settings.shots, models, registry, settings.cache, folder
            )
    if json:
        best = scores.get("champion") or min(scores.values(), key=lambda score: score.log_loss)
        models_json = {name: score.to_dict() for name, score in scores.items()}
        print_json({**best.to_dict(), "models": models_json, "report": folder / stages.EVALUATION})
    else:
        print_scores(scores, data or "later games")
        out.print(f"report: {folder / stages.EVALUATION}", markup=False, soft_wrap=True)
    if unread:
        raise unread[0]


@commands.command()
def promote(json: Json = False) -> None:
    """Decide by the last `evaluate` whether a challenger becomes champion."""
    from parivision.stages import models as stages

    settings = context.current()
    names = [p.name for p in sorted(settings.models.glob("*")) if p.is_dir()]
    with working("promoting"):
        result = stages.promote(
            settings.reports,
            settings.shots,
            context.models(settings, names),
            context.registry(settings, is_long=True),
            settings.cache,
            settings.home / "champion",
        )
    if json:
        version = result.champion and result.champion.number
        print_json({**result.decision.to_dict(), "version": version})
        return
    verb = "promoted" if result.decision.promoted else "not promoted"
    out.print(f"{verb}: {result.decision.reason}", markup=False, soft_wrap=True)
    if result.champion:
        out.print(f"champion: version {result.champion.number}", markup=False)
