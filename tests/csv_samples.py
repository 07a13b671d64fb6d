"""Files of shots to read: a season of two games in both layouts, whole and damaged."""

import io
import zipfile
from pathlib import Path

import polars as pl

from parivision.shots import schema
from parivision.sources import feed22, season_csv
from parivision.sources.base import Batch
from parivision.sources.csv_files import FeedCsv
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2023,), games_a_season=2)).select(schema.NAMES)
RECORDS = feed22.records_from_shots(SHOTS)
SEASON_RECORDS = season_csv.records_from_shots(SHOTS)
CSV = RECORDS.write_csv().encode()
LINES = CSV.decode().splitlines()


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip of contents by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def read(path: Path, after: str | None = None, batch_rows: int = 100) -> list[Batch]:
    """All batches of feed files."""
    return list(FeedCsv(path, batch_rows).batches(after))


def joined(batches: list[Batch]) -> pl.DataFrame:
    """The records of batches."""
    return pl.concat([batch.records for batch in batches])


def cut(content: bytes) -> bytes:
    """The first two thirds."""
    return content[: len(content) * 2 // 3]


def faulty(batches: list[Batch]) -> list[tuple[int, str]]:
    """Number and reason of the faulty lines of batches."""
    return [row for batch in batches for row in batch.faulty.select("line", "reason").rows()]


def file_of(tmp_path: Path, lines: list[str], end: str = "\n") -> Path:
    """A file of these lines."""
    (tmp_path / "a.csv").write_bytes(end.join(lines).encode())
    return tmp_path / "a.csv"
