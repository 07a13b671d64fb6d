"""Records in memory that wait to be written: batches that fill, within a bounded room."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from parivision.prediction_log.batch import BATCH_RECORDS
from parivision.prediction_log.lines import Entry


@dataclass
class FillingBatch:
    """A batch to be; `since` is when its first record came, in seconds since 1970."""

    since: float = 0.0
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    games: set[int] = field(default_factory=set)


class RecordQueue:
    """Records of many threads, for one thread that takes them batch by batch.

    `size` counts the records that came and are not `release`d, `refused` those that found no room.
    A batch that was taken still needs its room: until it is stored it is in memory.
    """

    def __init__(
        self, capacity: int, on_full: Callable[[], object], clock: Callable[[], float]
    ) -> None:
        """`capacity` is the room for records; `clock` gives seconds since 1970.

        `on_full` is called by whoever fills a batch.
        """
        self.size = 0
        self.refused = 0
        self._capacity = capacity
        self._on_full = on_full
        self._clock = clock
        self._filling = FillingBatch()
        self._full: deque[FillingBatch] = deque()
        self._lock = threading.Lock()

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the room is taken."""
        return self.size > self._capacity // 2

    def add(self, entries: Sequence[Entry]) -> bool:
        """Take all entries; False, and counted, when there is no room for all of them."""
        size = sum([entry.size for entry in entries])
        with self._lock:
            waiting = len(self._full)
            if self.size + size > self._capacity:
                self.refused += size
                return False
            self.size += size
            for entry in entries:
                # A block is never cut: one that is larger than a batch becomes a batch of its own.
                if self._filling.size + entry.size > BATCH_RECORDS:
                    self._close_batch()
                filling = self._filling
                # The age of a batch is that of its first record, which has waited longest.
                filling.since = filling.since or self._clock()
                filling.lines.append(entry.text)
                filling.games.update(entry.games)
                filling.size += entry.size
                if filling.size >= BATCH_RECORDS:
                    self._close_batch()
            is_full = len(self._full) > waiting
        # Outside of the lock: the thread that is woken takes it first.
        if is_full:
            self._on_full()
        return True

    def flush(self) -> None:
        """Let the batch that fills be taken, however small it is."""
        with self._lock:
            self._close_batch()

    def take(self) -> FillingBatch | None:
        """The oldest batch that is full, or flushed."""
        with self._lock:
            return self._full.popleft() if self._full else None

    def release(self, size: int) -> None:
        """Give back the room of so many records: they are stored."""
        with self._lock:
            self.size -= size

    def since(self) -> list[float]:
        """When the first record of each waiting batch came."""
        with self._lock:
            return [batch.since for batch in (*self._full, self._filling) if batch.since]

    def _close_batch(self) -> None:
        """Let the batch that fills be taken; the lock must be held."""
        if self._filling.size:
            self._full.append(self._filling)
            self._filling = FillingBatch()
