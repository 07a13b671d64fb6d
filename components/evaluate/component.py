"""Evaluate: models, baselines and the champion answer the same later games."""

from components.image import IMAGE
from components.source import rewritten
from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

from parivision.models.families import FAMILIES, FULL, MODELS


def _description(family: str, feature_set: str) -> str:
    if feature_set == FULL:
        return "A trained model."
    return f"{FAMILIES[family].title or family} on the {feature_set} feature set."


# Here `model` stands for each of the trained models; what KFP sees has an input for every one.
@dsl.component(base_image=IMAGE, install_kfp_package=False)
@rewritten(
    {
        "    model: Input[Model],\n": "".join(f"    {name}: Input[Model],\n" for name in MODELS),
        "        model: A trained model.\n": "".join(
            f"        {name}: {_description(*model)}\n" for name, model in MODELS.items()
        ),
        "[model]": f"[{', '.join(MODELS)}]",
    }
)
def evaluate(
    shots: Input[Dataset],
    model: Input[Model],
    judged: Output[Dataset],
    best: Output[Model],
    report: Output[HTML],
    table: Output[Markdown],
    metrics: Output[Metrics],
    curves: Output[ClassificationMetrics],
) -> str:
    """Judge the trained models on the later games of the snapshot.

    Args:
        shots: The snapshot that `refine` wrote.
        model: A trained model.
        judged: The later shots and what every model said of them.
        best: The trained model of the lowest log loss.
        report: The evaluation, with the best model in detail.
        table: All models with their scores.
        metrics: The best model's scores, the others' log losses.
        curves: The best model's ROC curve and confusion matrix.

    Returns:
        The best model's name.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import evaluate as stage
    from parivision.stages import views

    models = {trained.metadata["name"]: Path(trained.path) for trained in [model]}
    paths = (Path(judged.path), Path(best.path))
    evaluation = stage.evaluate(settings.read(os.environ), Path(shots.path), models, *paths)
    views.show_evaluation(
        evaluation, best=best, report=report, table=table, metrics=metrics, curves=curves
    )
    return evaluation.best


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_champion(
    shots: Input[Dataset],
    judged: Output[Dataset],
    best: Output[Model],
    report: Output[HTML],
    table: Output[Markdown],
    metrics: Output[Metrics],
    curves: Output[ClassificationMetrics],
) -> str:
    """Judge the champion against itself recalibrated, on the later games of the snapshot.

    Args:
        shots: The snapshot that `refine` wrote.
        judged: The later shots and what every model said of them.
        best: The champion's bundle.
        report: The evaluation, with the better of the two in detail.
        table: Both and the baselines with their scores.
        metrics: The better one's scores, the others' log losses.
        curves: The better one's ROC curve and confusion matrix.

    Returns:
        The better one's name: champion or champion_recalibrated.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import evaluate as stage
    from parivision.stages import views

    paths = (Path(judged.path), Path(best.path))
    evaluation = stage.evaluate(settings.read(os.environ), Path(shots.path), {}, *paths)
    views.show_evaluation(
        evaluation, best=best, report=report, table=table, metrics=metrics, curves=curves
    )
    return evaluation.best
