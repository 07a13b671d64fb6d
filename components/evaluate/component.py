"""Evaluate: models, baselines and the champion answer the same later games."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import HTML, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate(
    shots: Input[Dataset],
    logistic_regression: Input[Model],
    random_forest: Input[Model],
    gradient_boosting: Input[Model],
    xgboost: Input[Model],
    lightgbm: Input[Model],
    lightgbm_classic: Input[Model],
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
        logistic_regression: A trained model.
        random_forest: A trained model.
        gradient_boosting: A trained model.
        xgboost: A trained model.
        lightgbm: A trained model.
        lightgbm_classic: LightGBM on the classic feature set.
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
    from parivision.stages import components

    trained = [logistic_regression, random_forest, gradient_boosting, xgboost, lightgbm]
    models = {m.metadata["name"]: Path(m.path) for m in [*trained, lightgbm_classic]}
    paths = (Path(judged.path), Path(best.path))
    outcome = components.evaluate(settings.read(os.environ), Path(shots.path), models, *paths)
    best.metadata["name"] = outcome.best
    Path(report.path).write_bytes(outcome.report.read_bytes())
    Path(table.path).write_text(outcome.table)
    metrics.metadata.update(outcome.metrics)
    curves.log_roc_curve(outcome.roc.fpr, outcome.roc.tpr, outcome.roc.threshold)
    curves.log_confusion_matrix(outcome.confusion.categories, outcome.confusion.matrix)
    return outcome.best


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
    from parivision.stages import components

    paths = (Path(judged.path), Path(best.path))
    outcome = components.evaluate(settings.read(os.environ), Path(shots.path), {}, *paths)
    best.metadata["name"] = outcome.best
    Path(report.path).write_bytes(outcome.report.read_bytes())
    Path(table.path).write_text(outcome.table)
    metrics.metadata.update(outcome.metrics)
    curves.log_roc_curve(outcome.roc.fpr, outcome.roc.tpr, outcome.roc.threshold)
    curves.log_confusion_matrix(outcome.confusion.categories, outcome.confusion.matrix)
    return outcome.best
