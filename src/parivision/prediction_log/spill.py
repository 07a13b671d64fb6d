"""Where batches wait on disk while their store is away, bounded and in order."""

import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from parivision.prediction_log import folder
from parivision.prediction_log.batch import RecordBatch

SPILL_BYTES: Final = 512 * 2**20


@dataclass(frozen=True)
class Spill:
    """A folder for what the store cannot take, and how many bytes it may hold."""

    root: Path
    max_bytes: int = SPILL_BYTES


class SpillFolder:
    """Batches that wait on disk, the oldest first; used by one thread."""

    def __init__(self, spill: Spill, kind: str) -> None:
        self._spill = spill
        self._kind = kind
        self._waiting: deque[tuple[str, int, int]] = deque()
        self.bytes = 0

    def find(self) -> float | None:
        """Find what an earlier process left, and since when it waits. Raises OSError."""
        since = [
            self._add(stream, number)
            for stream, numbers in folder.numbers(self._spill.root, self._kind).items()
            for number in numbers
        ]
        return min(since, default=None)

    @property
    def waiting(self) -> int:
        """How many batches wait."""
        return len(self._waiting)

    def keep(self, batch: RecordBatch) -> bool:
        """Write a batch; False when the folder holds all that it may. Raises OSError."""
        # Asked before the batch's size is known: the folder may exceed its bound by one batch.
        if self.bytes >= self._spill.max_bytes:
            return False
        folder.write(self._spill.root, batch)
        self._add(batch.stream, batch.number)
        return True

    def first(self) -> RecordBatch | None:
        """The oldest batch; None when another process has delivered it. Raises ValueError."""
        stream, number, _ = self._waiting[0]
        try:
            return folder.read(self._spill.root, self._kind, stream, number)
        except (KeyError, OSError) as error:
            raise ValueError(
                f"the spilled batch {stream}/{number} cannot be read: {error}"
            ) from error

    def drop_first(self) -> None:
        """Forget the oldest batch: it is delivered."""
        stream, number, size = self._waiting[0]
        folder.remove(self._spill.root, self._kind, stream, number)
        self._waiting.popleft()
        self.bytes -= size

    def put_away(self) -> None:
        """Keep the oldest batch under a name that nothing reads: it is broken."""
        stream, number, size = self._waiting.popleft()
        self.bytes -= size
        path = folder.path_of(self._spill.root, self._kind, stream, number)
        if path.exists():
            path.rename(path.with_suffix(".unreadable"))

    def _add(self, stream: str, number: int) -> float:
        path = folder.path_of(self._spill.root, self._kind, stream, number)
        try:
            status = path.stat()
            size, since = status.st_size, status.st_mtime
        except FileNotFoundError:  # another process has delivered it meanwhile
            size, since = 0, time.time()
        self._waiting.append((stream, number, size))
        self.bytes += size
        return since
