"""A process to be killed: fills a lake and says how far it is."""

from multiprocessing.connection import Connection
from pathlib import Path

from parivision.lake import Lake, open_lake
from parivision.lake.ingest import Progress, ingest
from parivision.lake.refine import refine
from parivision.sources.csv_files import FeedCsv

BATCH_ROWS = 25


def fill(lake: Lake, path: Path, progress: Progress | None = None) -> None:
    """Ingest and refine in turns, as a schedule would, until there is nothing more."""
    source = FeedCsv(path, BATCH_ROWS)
    while ingest(source, lake, limit=3 * BATCH_ROWS, progress=progress).records:
        refine(lake, progress=progress)
    refine(lake, progress=progress)


def run(url: str, path: Path, voice: Connection) -> None:
    """Fill the lake; say begun when it is open, part after each part, and done."""
    lake = open_lake(url)
    voice.send("begun")
    fill(lake, path, progress=lambda done, total: voice.send("part"))
    voice.send("done")
