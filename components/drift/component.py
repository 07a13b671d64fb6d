"""Drift: current shots against the champion's training data."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Metrics, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def drift(
    shots: Input[Dataset],
    report: Output[HTML],
    evidently: Output[HTML],
    summary: Output[Artifact],
    table: Output[Markdown],
    metrics: Output[Metrics],
    drifted: dsl.OutputPath(bool),
) -> bool:
    """Compare the games that the champion does not know yet with its training data.

    Args:
        shots: The snapshot that `refine` wrote.
        report: The verdicts, with every test and effect.
        evidently: Evidently's report of the same shots.
        summary: The verdicts as JSON, for machines.
        table: The verdicts in short.
        metrics: Shots, severities and log losses.
        drifted: Whether the data or their meaning moved further than they may.

    Returns:
        Whether there is a champion that still fits the shots, and needs no training for them.
    """
    import os
    import shutil
    import tempfile
    from pathlib import Path

    from parivision import settings
    from parivision.stages import drift as stage
    from parivision.stages import views

    with tempfile.TemporaryDirectory() as out:
        outcome = stage.drift(settings.read(os.environ), Path(shots.path), Path(out))
        shutil.copyfile(outcome.page, report.path)
        shutil.copyfile(outcome.evidently, evidently.path)
        shutil.copyfile(outcome.summary_json, summary.path)
    Path(table.path).write_text(views.drift_text(outcome))
    Path(drifted).write_text(str(outcome.drifted).lower())
    metrics.metadata.update(outcome.metrics())
    return outcome.champion_fits
