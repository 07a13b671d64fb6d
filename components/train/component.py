"""Train: one model family on the snapshot."""

from components.image import IMAGE
from components.source import rewritten
from kfp import dsl
from kfp.dsl import Dataset, Input, Metrics, Model, Output

from parivision.models.families import LEARNERS


@dsl.component(base_image=IMAGE, install_kfp_package=False)
@rewritten({"FAMILY": f"{', '.join(LEARNERS[:-1])} or {LEARNERS[-1]}"})
def train(
    shots: Input[Dataset],
    family: str,
    model: Output[Model],
    metrics: Output[Metrics],
    feature_set: str = "full",
    seed: int = 0,
    search_trials: int = 0,
) -> str:
    """Train one model, knowing nothing of the games it will be judged on.

    Its run in MLflow has its report on those games, its confusion matrix and its importances.

    Args:
        shots: The snapshot that `refine` wrote.
        family: FAMILY.
        model: The bundle: estimators, form of the league, recalibration.
        metrics: Shots it was fitted on, seed, its scores on the later games.
        feature_set: full or classic.
        seed: Seed of every random choice.
        search_trials: Parameter draws to try beside the defaults.

    Returns:
        The model's name in tables.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.models.training import Recipe
    from parivision.stages import train as stage

    recipe = Recipe(family, feature_set, seed, search_trials)
    chosen = settings.read(os.environ)
    trained = stage.train(chosen, Path(shots.path), recipe, Path(model.path))
    model.metadata.update({"name": trained.name, "run_id": trained.run_id})
    metrics.metadata.update(trained.metrics)
    return trained.name
