"""A log that never makes its writer wait: a bounded queue, a thread, and a folder to spill to.

`add` appends to a queue in memory. A thread makes batches of it, some records at a time lest it
keeps answers waiting, and brings them to the store; while the store is away they go to files in the
spill folder, in order, and from there to the store when it is back, also those that an earlier
process left. What finds the queue full is dropped and counted. A batch keeps its number on the way,
so that trying again never doubles it.
"""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final
from uuid import uuid4

from parivision.errors import StoreError
from parivision.served.batch import BATCH_RECORDS, Batch, Record, Store, line
from parivision.served.spill import Spill, SpillFolder

QUEUE_RECORDS: Final = 40_000
"""Room for four of the largest requests; some 40 MB."""
FLUSH_S: Final = 1.0
"""How long a record waits in memory: what SIGKILL may take. A batch costs 2 ms, however small."""
SLICE_RECORDS: Final = 256
"""So many are made ready in one go: a millisecond of the processor for those of a list."""
PAUSE_S: Final = 0.02
"""How long records gather in between, when they come one by one."""
HURRY_RECORDS: Final = 3 * BATCH_RECORDS
"""From so many waiting ones on there are no pauses."""
DRAIN_S: Final = 5.0
"""How long an orderly stop waits for the store before it leaves the rest on disk."""
QUEUE_FULL: Final = "queue_full"
UNREADABLE: Final = "unreadable"
STOPPED: Final = "stopped"
_RETRY_S: Final = 2.0
_LAST_RETRY_S: Final = 0.25
_COMPLAIN_S: Final = 60.0

_logger = logging.getLogger(__name__)
Entry = tuple[bytes, int | None]
"""A record's line, as `batch.line` makes it, and the game that it names."""
Expand = Callable[[float, Any], Iterable[Record]]
"""Makes records of what was added: when (seconds since 1970), and what."""


@dataclass(frozen=True)
class LogState:
    """What became of records so far; `lag_s` is the age of the oldest one not in the store yet.

    `written` counts those in the store, with those that an earlier process spilled; `spilled` those
    that went to disk first; `queued` those in memory only.
    """

    queued: int
    written: int
    spilled: int
    spill_bytes: int
    errors: int
    lag_s: float
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class Contents:
    """What a log's batches hold: their kind, how records are made, what all share, their games."""

    kind: str
    expand: Expand
    shared: Record = field(default_factory=dict)
    game: Callable[[Record], int | None] = lambda _: None

    def entry(self, record: Record) -> Entry:
        """A record as it waits to be written."""
        return line(record), self.game(record)


class Log:
    """A log of one kind of records; `add` may be called from any thread."""

    def __init__(
        self,
        contents: Contents,
        connect: Callable[[], Store],
        spill: Spill,
        *,
        capacity: int = QUEUE_RECORDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`connect` is called by the thread, not before: what it imports delays no start."""
        self._contents = contents
        self._connect = connect
        self._capacity = capacity
        self._clock = clock
        self._stream = uuid4().hex
        self._number = 0
        self._store: Store | None = None
        self._queue: deque[tuple[float, int, Any]] = deque()
        self._queued = 0
        self._lock = threading.Lock()
        self._unread = self._records()
        self._taken: list[Entry] = []
        self._taken_since = 0.0
        self._held: Batch | None = None
        self._spill = SpillFolder(spill, contents.kind)
        self._late_since: float | None = None
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._retry_at = self._complain_at = 0.0
        self._stop, self._wake = threading.Event(), threading.Event()
        self._is_idle = False
        self._drain_until = 0.0
        self._thread = threading.Thread(target=self._run, name=contents.kind, daemon=True)
        self._thread.start()

    def add(self, item: Any, records: int) -> bool:
        """Take what makes so many records; False, and counted, when there is no room for it."""
        with self._lock:
            if self._queued + records > self._capacity:
                self._dropped[QUEUE_FULL] += records
                return False
            self._queued += records
        self._queue.append((self._clock(), records, item))
        if self._is_idle:
            self._wake.set()
        return True

    def add_record(self, record: Record) -> bool:
        """Take one record, made ready at once; else like `add`."""
        return self.add(self._contents.entry(record), 1)

    def stop(self, drain_s: float = DRAIN_S) -> None:
        """Begin to bring all to the store within `drain_s`, and what is left to disk."""
        if not self._stop.is_set():
            self._drain_until = time.monotonic() + drain_s
            self._stop.set()
            self._wake.set()

    def close(self, drain_s: float = DRAIN_S) -> None:
        """Do what `stop` begins, to its end; nothing may be added afterwards."""
        self.stop(drain_s)
        self._thread.join()

    def state(self) -> LogState:
        """What became of the records so far."""
        since = [self._late_since] if self._late_since is not None else []
        with suppress(IndexError):
            since.append(self._queue[0][0])
        with self._lock:
            return LogState(
                queued=self._queued,
                written=self._counts["written"],
                spilled=self._counts["spilled"],
                spill_bytes=self._spill.bytes,
                errors=self._counts["errors"],
                lag_s=max(0.0, self._clock() - min(since)) if since else 0.0,
                dropped={reason: self._dropped[reason] for reason in (QUEUE_FULL, *self._dropped)},
            )

    def _run(self) -> None:
        try:
            self._late_since = self._spill.find()
        except OSError as error:
            self._complain(error)
        while not self._stop.is_set():
            self._rest(self._turn())
        self._retry_at = 0.0
        self._turn()
        while self._is_behind() and (left := self._drain_until - time.monotonic()) > 0:
            time.sleep(min(_LAST_RETRY_S, left))
            self._retry_at = 0.0
            self._turn()
        self._turn()
        with self._lock:
            self._dropped[STOPPED] += self._queued
        if self._store is not None:
            self._store.close()

    def _rest(self, took_any: bool | None) -> None:
        """Wait as what the last turn says; not at all when too many records are waiting."""
        if took_any is None:
            self._wake.wait(FLUSH_S)
        elif self._queued > HURRY_RECORDS:
            return
        elif took_any:
            self._wake.wait(PAUSE_S)
        else:
            left = self._taken_since + FLUSH_S - time.monotonic() if self._taken else FLUSH_S
            # In this order: what is added meanwhile is either seen here or wakes.
            self._is_idle = True
            if not self._queue:
                self._wake.wait(max(left, 0.0))
            self._is_idle = False
        self._wake.clear()

    def _is_behind(self) -> bool:
        return bool(self._queued or self._spill.waiting)

    def _turn(self) -> bool | None:
        """Deliver what is due; whatever goes wrong is counted, and tried again by the next.

        Returns whether there were records to take, and None when it is held up.
        """
        taken = len(self._taken)
        try:
            self._replay()
            while batch := self._held or self._next():
                self._held = batch
                if not self._deliver(batch) and not self._set_aside(batch):
                    break
                self._held = None
                with self._lock:
                    self._queued -= batch.size
                if self._queued <= self._capacity // 2:
                    self._replay()
        except Exception as error:  # noqa: BLE001 - without its thread the log would be silent
            self._complain(error)
            return None
        return None if self._held else len(self._taken) != taken

    def _next(self) -> Batch | None:
        """The next batch, if it is full or its first record has waited long enough."""
        self._take()
        is_due = (
            len(self._taken) == BATCH_RECORDS
            or self._stop.is_set()
            or time.monotonic() >= self._taken_since + FLUSH_S
        )
        if not self._taken or not is_due:
            return None
        lines, named = zip(*self._taken, strict=True)
        self._taken = []
        self._number += 1
        kind, shared, games = self._contents.kind, self._contents.shared, sorted({*named} - {None})
        return Batch(kind, self._stream, self._number - 1, (), shared, games, lines)

    def _take(self) -> None:
        """Make some records of the next batch ready, all of them when there is no time."""
        if not self._taken:
            self._taken_since = time.monotonic()
        most = BATCH_RECORDS - len(self._taken)
        if self._queued <= HURRY_RECORDS and not self._stop.is_set():
            most = min(most, SLICE_RECORDS)
        taken = list(islice(self._unread, most))
        if not taken and self._queue:  # the last one ended when the queue was empty
            self._unread = self._records()
            taken = list(islice(self._unread, most))
        self._taken += taken

    def _records(self) -> Iterator[Entry]:
        while self._queue:
            taken_at, count, item = self._queue.popleft()
            if self._late_since is None:
                self._late_since = taken_at
            try:
                if isinstance(item, tuple):
                    yield item
                    continue
                for record in self._contents.expand(taken_at, item):
                    yield self._contents.entry(record)
                    count -= 1
            except Exception as error:  # noqa: BLE001 - one item must not hold up the others
                self._complain(error)
                with self._lock:
                    self._queued -= count
                    self._dropped[UNREADABLE] += count

    def _deliver(self, batch: Batch) -> bool:
        """Bring a batch to the store, unless earlier ones wait on disk."""
        if self._spill.waiting or not self._append(batch):
            return False
        self._late_since = None
        return True

    def _append(self, batch: Batch) -> bool:
        now = time.monotonic()
        if now < self._retry_at or (self._stop.is_set() and now >= self._drain_until):
            return False
        try:
            if self._store is None:
                self._store = self._connect()
            self._store.append(batch)
        except Exception as error:  # noqa: BLE001 - no error of a store may end the log
            self._retry_at = time.monotonic() + _RETRY_S
            self._complain(error)
            return False
        with self._lock:
            self._counts["written"] += batch.size
        return True

    def _set_aside(self, batch: Batch) -> bool:
        try:
            is_kept = self._spill.keep(batch)
        except OSError as error:
            self._complain(error)
            return False
        with self._lock:
            self._counts["spilled"] += batch.size if is_kept else 0
        return is_kept

    def _replay(self) -> None:
        """Bring to the store what waits on disk, while it takes it and the queue has room."""
        while self._spill.waiting and time.monotonic() >= self._retry_at:
            try:
                batch = self._spill.first()
            except ValueError as error:
                self._spill.put_away()
                with self._lock:
                    self._dropped[UNREADABLE] += 1
                self._complain(error)
                continue
            if batch is not None and not self._append(batch):
                return
            self._spill.drop_first()
            if not self._spill.waiting:
                self._late_since = None
            if self._queued > self._capacity // 2:
                return

    def _complain(self, error: Exception) -> None:
        with self._lock:
            self._counts["errors"] += 1
        if time.monotonic() < self._complain_at:
            return
        self._complain_at = time.monotonic() + _COMPLAIN_S
        if isinstance(error, (StoreError, OSError, ValueError)):
            _logger.warning("the log of %s is held up: %s", self._contents.kind, error)
        else:
            _logger.error("the log of %s is held up", self._contents.kind, exc_info=error)
