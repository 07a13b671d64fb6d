"""Ingest: new records of a source go to bronze, each of them once."""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Metrics, Output


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def ingest(source: str, metrics: Output[Metrics]) -> int:
    """Bring new records of a source into bronze, from where the last run stopped.

    Args:
        source: synthetic:?seed=1, http://stats-api:8000, live:?seasons=current&until=yesterday, or
            a path to season files or feed CSVs.
        metrics: Records read, new, duplicate and in conflict; faulty lines; games without a miss.

    Returns:
        The number of new records.
    """
    import os

    from parivision import settings
    from parivision.stages import ingest as stage

    report = stage.ingest(settings.read(os.environ), source)
    metrics.metadata.update(report.counts)
    return report.new
