"""Refine: bronze becomes silver, and silver a snapshot that the later stages share."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Dataset, Markdown, Metrics, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def refine(
    shots: Output[Dataset],
    refused: Output[Markdown],
    metrics: Output[Metrics],
    until: str = "",
    league: str = "nba",
    season_types: str = "Regular Season",
) -> int:
    """Refine what is new in bronze and write a league's shots as one file in time order.

    Args:
        shots: The snapshot, Parquet.
        refused: Why records could not become shots.
        metrics: Records refined, shots, quarantined and duplicate, rows of the snapshot, games
            left out of it, outcomes told to the prediction log.
        until: First day (2023-04-10) to leave out of the snapshot; empty for none.
        league: League of the snapshot: nba or gleague.
        season_types: Parts of the season in the snapshot, separated by commas.

    Returns:
        The number of shots in the snapshot.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import refine as stage

    chosen = settings.read(os.environ)
    refined = stage.refine(
        chosen, until, Path(shots.path), league=league, season_types=season_types
    )
    Path(refused.path).write_text(refined.refused)
    metrics.metadata.update(refined.counts)
    return refined.snapshot.rows
