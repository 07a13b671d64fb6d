"""The stage `ingest`: new records of a source go to bronze."""

from parivision.lake import ingest as bronze
from parivision.lake.ingest import IngestReport, Progress
from parivision.settings import Settings
from parivision.sources.open import open_source
from parivision.stages import stores
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message


@writes_termination_message
@logs_heartbeat
def ingest(
    settings: Settings,
    source: str,
    *,
    limit: int | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Bring new records of a source into bronze; see `parivision.lake.ingest`.

    Raises UnreadFilesError when files of it cannot be used; what the others hold is in bronze then.
    """
    lake = stores.lake(settings)
    opened = open_source(source, stores.retry(settings))
    return bronze.ingest(opened, lake, limit=limit, progress=progress)
