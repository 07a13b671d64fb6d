"""Refine: bronze becomes silver, and silver a snapshot that the later stages share."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Dataset, Markdown, Metrics, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refine(
    shots: Output[Dataset], refused: Output[Markdown], metrics: Output[Metrics], until: str = ""
) -> int:
    """Refine what is new in bronze and write all shots as one file in time order.

    Args:
        shots: The snapshot, Parquet.
        refused: Why records could not become shots.
        metrics: Records refined, shots, quarantined and duplicate, rows of the snapshot, games
            left out of it, outcomes told to the prediction log.
        until: First day (2023-04-10) to leave out of the snapshot; empty for none.

    Returns:
        The number of shots in the snapshot.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import refine as stage

    refined = stage.refine(settings.read(os.environ), until, Path(shots.path))
    Path(refused.path).write_text(refined.refused)
    metrics.metadata.update(refined.counts)
    return refined.snapshot.rows
