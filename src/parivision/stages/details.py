"""One model of a judgement in detail, as files: report, confusion matrix, importances.

The best model of an evaluation, every model that is trained, and the champion in an exam get the
same files from here, so that the runs in MLflow can be laid side by side.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from matplotlib.figure import Figure

from parivision import durable
from parivision.models.bundle import Bundle
from parivision.promotion.holdout import Judgement
from parivision.reports import evaluation, plots
from parivision.scoring import scores
from parivision.stages import views
from parivision.stages.files import CONFUSION, EVALUATION, IMPORTANCES


def write(
    folder: Path,
    judgement: Judgement,
    model: str,
    bundle: Bundle,
    *,
    tiles: Mapping[str, str] | None = None,
    title: str = "Evaluation on later games",
) -> list[Path]:
    """Write the details of one of the models judged to `folder`; returns the files, report first.

    `bundle` is the model's and tells its importances; a model that has none leaves their two files
    out. `tiles` say what the model is, see `reports.evaluation.write`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    importances = bundle.importances()
    report = evaluation.write(
        folder / EVALUATION,
        judgement.made,
        judgement.predictions,
        judgement.games,
        shown=model,
        tiles=tiles,
        segments=judgement.segments(),
        importances=importances,
        title=title,
    )
    scored = scores.scores(judgement.made, judgement.predictions[model], judgement.games)
    figure = plots.confusion_plot(scored.confusion)
    files = [report, *_written(folder / CONFUSION, asdict(views.confusion(scored)), figure)]
    if importances:
        figure = plots.importance_plot(importances)
        files += _written(folder / IMPORTANCES, importances, figure)
    return files


def _written(path: Path, numbers: Mapping[str, object], figure: Figure) -> list[Path]:
    """Numbers for machines as NAME.json, and what people look at as NAME.svg."""
    data, picture = path.with_suffix(".json"), path.with_suffix(".svg")
    durable.put_json(data, numbers)
    picture.write_text(plots.figure_svg(figure), encoding="utf-8")
    return [data, picture]
