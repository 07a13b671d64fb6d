"""The pipeline `etl`: new records of a source become shots."""

from components.ingest.component import ingest
from components.refine.component import refine
from kfp import dsl
from pipelines.resources import configure


@dsl.pipeline(name="etl", description="New records of a source become shots.")
def etl(
    source: str = "synthetic:?seed=1&seasons=2021-2023&games=300",
    until: str = "",
    league: str = "nba",
    season_types: str = "Regular Season",
) -> None:
    """Ingest and refine.

    Args:
        source: URI of the source of shots.
        until: First day (2023-04-10) to leave out of the snapshot; empty for none.
        league: League of the snapshot, and so of the model: nba or gleague.
        season_types: Parts of the season in the snapshot, separated by commas.
    """
    ingested = configure(ingest(source=source), "ingest")
    configure(refine(until=until, league=league, season_types=season_types), "refine").after(
        ingested
    )
