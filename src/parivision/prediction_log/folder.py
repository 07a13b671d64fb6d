"""Batches as files: the store of one machine, and where a process spills while its store is away.

A batch is a file of JSON lines, KIND/STREAM/NUMBER.jsonl: what its records share, then the records.
A file appears whole and on disk, or not at all, and is never replaced.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from parivision.durable import sync
from parivision.errors import StoreError
from parivision.prediction_log.batch import RecordBatch

_SUFFIX: Final = ".jsonl"
_GAMES: Final = "games"


class FolderStore:
    """A store (`prediction_log.batch.Store`) in a folder, which the first write makes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def append(self, batch: RecordBatch) -> bool:
        """Keep a batch unless there is one of its number."""
        with _translating_errors(self._root):
            # Marks come first: a game that is noted without a batch only costs its reader a look.
            for game in batch.games:
                mark = self._root / _GAMES / str(game)
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
            return write(self._root, batch)

    def ends(self, kind: str) -> dict[str, int]:
        """The streams of a kind and the number after their last batch."""
        with _translating_errors(self._root):
            return {stream: there[-1] + 1 for stream, there in numbers(self._root, kind).items()}

    def read(self, kind: str, stream: str, number: int) -> RecordBatch | None:
        """A batch, or None when it is not there."""
        with _translating_errors(self._root):
            return read(self._root, kind, stream, number)

    def games(self) -> set[int]:
        """Ids of all games that batches named."""
        with _translating_errors(self._root):
            return {int(mark.name) for mark in _listed(self._root / _GAMES)}

    def close(self) -> None:
        """Nothing is held open."""


def path_of(root: Path, kind: str, stream: str, number: int) -> Path:
    """Where a batch is kept."""
    return root / kind / stream / f"{number:08d}{_SUFFIX}"


def write(root: Path, batch: RecordBatch) -> bool:
    """Write a batch and bring it to disk; False when there is one. Raises OSError."""
    path = path_of(root, batch.kind, batch.stream, batch.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    # A hidden name without the suffix: `numbers` never takes it for a batch.
    temporary = path.with_name(f".{uuid4().hex}")
    try:
        with temporary.open("wb") as stream:
            stream.write(batch.to_lines())
            stream.flush()
            os.fsync(stream.fileno())
        # Not `durable.replacing`: unlike a rename, a link leaves alone what is there.
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink(missing_ok=True)
    # A name in a folder is on disk only once the folder itself is.
    sync(path.parent)
    return True


def read(root: Path, kind: str, stream: str, number: int) -> RecordBatch | None:
    """A batch, or None when it is not there.

    Raises OSError, and ValueError or KeyError for a broken file.
    """
    try:
        content = path_of(root, kind, stream, number).read_bytes()
    except FileNotFoundError:
        return None
    return RecordBatch.of_lines(kind, stream, number, content)


def numbers(root: Path, kind: str) -> dict[str, list[int]]:
    """The numbers of the batches that are there, sorted, by stream. Raises OSError."""
    by_stream = {
        folder.name: sorted(int(path.stem) for path in _listed(folder) if path.suffix == _SUFFIX)
        for folder in _listed(root / kind)
    }
    return {stream: there for stream, there in sorted(by_stream.items()) if there}


def remove(root: Path, kind: str, stream: str, number: int) -> None:
    """Take a batch away, and its stream's folder with the last of them. Raises OSError."""
    path = path_of(root, kind, stream, number)
    path.unlink(missing_ok=True)
    with suppress(OSError):  # it holds others
        path.parent.rmdir()


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


@contextmanager
def _translating_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise StoreError(
            f"{root} could not be used ({type(error).__name__}: {error}): check that the folder "
            "can be written and that its disk is not full."
        ) from error
