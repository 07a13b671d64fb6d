"""A process to be killed: reads `URL PATH` from its input, fills the lake, says what it does."""

import sys
from pathlib import Path

from parivision.ingest import Progress, ingest
from parivision.lake import Lake, mongo, open_lake
from parivision.refine import refine
from parivision.sources.csv_files import FeedCsv

BATCH_ROWS = 25

__all__ = ["fill", "mongo"]  # imported before the process says ready, as it takes its time


def fill(lake: Lake, path: Path, progress: Progress | None = None) -> None:
    """Ingest and refine in turns, as a schedule would, until there is nothing more."""
    source = FeedCsv(path, BATCH_ROWS)
    while ingest(source, lake, limit=3 * BATCH_ROWS, progress=progress).records:
        refine(lake, progress=progress)
    refine(lake, progress=progress)


def main() -> None:
    """Say ready, wait for the work, say a word after each part of it."""
    say("ready")
    url, _, path = sys.stdin.readline().strip().partition(" ")
    lake = open_lake(url)
    say("begun")
    fill(lake, Path(path), progress=lambda done, total: say("part"))
    say("done")


def say(word: str) -> None:
    """Write a line now."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
