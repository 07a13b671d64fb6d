"""A log that never makes its writer wait: batches that fill, a thread, and a folder to spill to.

`add` appends to the batch that fills. A thread brings batches to the store, when they are full or a
second old; while the store is away they go to files in the spill folder, in order, and from there
to the store when it is back, also those that an earlier process left. What finds no room is dropped
and counted. A batch keeps its number on the way, so that trying again never doubles it.

The thread has nothing to do but that, a few times a second: whenever it runs, it shares the
interpreter, and often the processor, with those who answer.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from parivision.errors import StoreError
from parivision.prediction_log.batch import RecordBatch, Store
from parivision.prediction_log.lines import Entry, Record
from parivision.prediction_log.queue import RecordQueue
from parivision.prediction_log.spill import Spill, SpillFolder

QUEUE_RECORDS: Final = 40_000
"""Room for four of the largest requests; some 20 MB."""
FLUSH_S: Final = 1.0
"""How long a record waits in memory: what SIGKILL may take. A batch costs a millisecond, however
small."""
DRAIN_S: Final = 5.0
"""How long an orderly stop waits for the store before it leaves the rest on disk."""
QUEUE_FULL: Final = "queue_full"
UNREADABLE: Final = "unreadable"
STOPPED: Final = "stopped"
# How long a store that failed is left alone; shorter at the end, when little time is left.
_RETRY_S: Final = 2.0
_LAST_RETRY_S: Final = 0.25
# A store that is away fails every turn: one line a minute says as much.
_COMPLAIN_S: Final = 60.0

_logger = logging.getLogger(__name__)


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


class RecordLog:
    """A log of one kind of records; `add` may be called from any thread."""

    def __init__(
        self,
        kind: str,
        connect: Callable[[], Store],
        spill: Spill,
        shared: Record | None = None,
        *,
        capacity: int = QUEUE_RECORDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`shared` holds for all records.

        `connect` is called by the thread, not before: what it imports delays no start.
        """
        self._kind = kind
        self._shared = shared or {}
        self._connect = connect
        self._clock = clock
        # A stream of its own for each process, so that nobody else gives out its numbers.
        self._stream = uuid4().hex
        self._number = 0
        self._store: Store | None = None
        self._stop, self._wake = threading.Event(), threading.Event()
        self._queue = RecordQueue(capacity, self._wake.set, clock)
        self._held: RecordBatch | None = None
        self._spill = SpillFolder(spill, kind)
        self._late_since: float | None = None
        # The thread writes the counts, and others read them.
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._retry_at = self._complain_at = 0.0
        self._drain_until = 0.0
        self._thread = threading.Thread(target=self._run, name=kind, daemon=True)
        self._thread.start()

    def add(self, entries: Sequence[Entry]) -> bool:
        """Take all of them; False, and counted, when there is no room."""
        return self._queue.add(entries)

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
        waiting = [self._late_since, *self._queue.since()]
        since = [moment for moment in waiting if moment]
        with self._lock:
            return LogState(
                queued=self._queue.size,
                written=self._counts["written"],
                spilled=self._counts["spilled"],
                spill_bytes=self._spill.bytes,
                errors=self._counts["errors"],
                lag_s=max(0.0, self._clock() - min(since)) if since else 0.0,
                dropped={QUEUE_FULL: self._queue.refused, **self._dropped},
            )

    def _run(self) -> None:
        try:
            self._late_since = self._spill.find()
        except OSError as error:
            self._complain(error)
        while not self._stop.is_set():
            # Woken by a full batch, or by nobody for a second: then what there is has to go.
            is_full = self._wake.wait(FLUSH_S)
            self._wake.clear()
            self._turn(flush=not is_full)
        self._retry_at = 0.0
        self._turn(flush=True)
        while self._is_behind() and (left := self._drain_until - time.monotonic()) > 0:
            time.sleep(min(_LAST_RETRY_S, left))
            self._retry_at = 0.0
            self._turn(flush=True)
        self._turn(flush=True)
        with self._lock:
            self._dropped[STOPPED] += self._queue.size
        if self._store is not None:
            self._store.close()

    def _is_behind(self) -> bool:
        return bool(self._queue.size or self._spill.waiting)

    def _turn(self, *, flush: bool) -> None:
        """Deliver what is full, and what is not if `flush`.

        Whatever goes wrong is counted, and tried again by the next turn. While nothing is taken the
        batch goes on filling, but for the last turns, so that few are to be taken later.
        """
        if flush and (self._held is None or self._stop.is_set()):
            self._queue.flush()
        try:
            self._replay()
            while batch := self._held or self._next():
                self._held = batch
                if not self._deliver(batch) and not self._set_aside(batch):
                    break
                self._held = None
                self._queue.release(batch.size)
                # What waits on disk gets its turn in between: steady traffic would hold it up.
                if not self._queue.is_half_full:
                    self._replay()
        except Exception as error:  # noqa: BLE001 - without its thread the log would be silent
            self._complain(error)

    def _next(self) -> RecordBatch | None:
        """The next batch, if there is one."""
        filled = self._queue.take()
        if filled is None:
            return None
        if self._late_since is None:
            self._late_since = filled.since
        self._number += 1
        return RecordBatch(
            self._kind,
            self._stream,
            self._number - 1,
            (),
            self._shared,
            sorted(filled.games),
            filled.lines,
            filled.size,
        )

    def _deliver(self, batch: RecordBatch) -> bool:
        """Bring a batch to the store, unless earlier ones wait on disk: the order is kept."""
        if self._spill.waiting or not self._append(batch):
            return False
        self._late_since = None
        return True

    def _append(self, batch: RecordBatch) -> bool:
        now = time.monotonic()
        # A store that is away makes each call wait for its time limit: it is not asked each time.
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

    def _set_aside(self, batch: RecordBatch) -> bool:
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
            if self._queue.is_half_full:  # memory is scarcer than the disk
                return

    def _complain(self, error: Exception) -> None:
        with self._lock:
            self._counts["errors"] += 1
        if time.monotonic() < self._complain_at:
            return
        self._complain_at = time.monotonic() + _COMPLAIN_S
        if isinstance(error, (StoreError, OSError, ValueError)):
            _logger.warning("the log of %s is held up: %s", self._kind, error)
        else:
            _logger.error("the log of %s is held up", self._kind, exc_info=error)
