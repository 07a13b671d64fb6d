"""Predictions joined with their outcomes, each once for each label it gets, in an order that stays.

An outcome names a prediction by its id or by its shot (game id, event id), which may be that of
several predictions. It may come before the prediction, late, or again. Of those that disagree the
one with the latest `at` holds, and of two at the same moment the one that says the shot went in.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from parivision import strict_json
from parivision.errors import StoreError
from parivision.prediction_log.batch import (
    BATCH_RECORDS,
    LABELLED,
    OUTCOMES,
    PREDICTIONS,
    RecordBatch,
    Store,
)
from parivision.prediction_log.lines import Record
from parivision.prediction_log.records import (
    LabelledPrediction,
    ServedPrediction,
    as_labelled,
    labelled,
    served,
    shot_of,
)

Item = TypeVar("Item")
_DueLabel = tuple[str, int, int, str, int | None]
"""A prediction's stream, batch and row; its newest outcome, as `_DUE` gives it; its last label."""

# The labels' only stream: who joins adds to it, one at a time.
_STREAM: Final = "all"
_STEP_BATCHES: Final = 200
# Labels that are due come sorted by batch, so few batches are in use at a time.
_KEPT_BATCHES: Final = 8
_TABLES: Final = """
create table if not exists predictions (
  id text primary key, shot text, stream text, number int, row int) without rowid;
create index if not exists by_shot on predictions (shot) where shot is not null;
create table if not exists outcomes (key text primary key, at text, made int) without rowid;
create table if not exists labels (id text primary key, made int) without rowid;
create table if not exists cursors (kind text primary key, cursor text) without rowid;
create temp table touched (id text primary key) without rowid;
"""
# Predictions whose newest outcome is not their label. An outcome names a prediction by its id or by
# its shot, so both are keys of a prediction. `at || made` is the moment as text and 0 or 1 behind
# it: its maximum is the newest outcome, and of two at one moment the made shot, as promised above.
_DUE: Final = """
with final as (
  select p.id, p.stream, p.number, p.row, max(o.at || o.made) as last
  from (
    select touched.id as id, touched.id as key from touched
    union all
    select p.id, p.shot from touched join predictions p using (id) where p.shot is not null
  ) keys
  join outcomes o using (key) join predictions p on p.id = keys.id
  group by p.id
)
select f.stream, f.number, f.row, f.last, l.made
from final f left join labels l using (id)
where l.made is null or l.made <> cast(substr(f.last, -1) as int)
order by f.stream, f.number, f.row
"""


@dataclass(frozen=True)
class Page(Generic[Item]):
    """Some records, and the cursor behind them."""

    records: list[Item]
    cursor: str


@dataclass(frozen=True)
class Joined:
    """How many predictions got a label, and how many of these another label than before."""

    labelled: int
    corrected: int


def predictions_since(store: Store, cursor: str = "") -> Iterator[Page[ServedPrediction]]:
    """All predictions behind a cursor, page by page; those of one process in their order.

    Start with an empty cursor and keep the last page's. Raises StoreError.
    """
    for batch, behind in _batches(store, PREDICTIONS, cursor):
        yield Page(served(batch), behind)


def labelled_since(store: Store, cursor: str = "") -> Iterator[Page[LabelledPrediction]]:
    """What `Joiner.join` labelled behind a cursor, page by page, always in the same order."""
    for batch, behind in _batches(store, LABELLED, cursor):
        yield Page(labelled(batch), behind)


class Joiner:
    """Labels predictions; two at the same time do each other's work and disturb nothing."""

    def __init__(self, store: Store, index: Path | None = None) -> None:
        """`index` is a file to remember by, which may be lost: without it all is read again.

        In memory it takes some 150 bytes a prediction.
        """
        self._store = store
        # No implicit transactions: `join` begins and ends its own, one for each step.
        self._index = sqlite3.connect(index or ":memory:", isolation_level=None)
        self._index.executescript(_TABLES)
        self._read: Callable[[str, int], RecordBatch | None] = lru_cache(_KEPT_BATCHES)(
            lambda stream, number: store.read(PREDICTIONS, stream, number)
        )

    def close(self) -> None:
        """Close the index; the store stays open."""
        self._index.close()

    def join(self) -> Joined:
        """Label what can be labelled since the last time. Raises StoreError."""
        total, corrected, more = 0, 0, True
        while more:
            self._index.execute("begin")
            try:
                more = self._absorb()
                done = self._label()
                self._index.execute("commit")
            except BaseException:
                self._index.execute("rollback")
                raise
            total, corrected = total + done.labelled, corrected + done.corrected
        return Joined(total, corrected)

    def _absorb(self) -> bool:
        """Take in what is new, labels first; whether there is more than one step takes.

        Labels first, so that what another process has labelled meanwhile is not due here.
        """
        self._index.execute("delete from touched")
        self._take(LABELLED, self._take_labels, None)
        is_full = self._take(PREDICTIONS, self._take_predictions, _STEP_BATCHES)
        return self._take(OUTCOMES, self._take_outcomes, _STEP_BATCHES) or is_full

    def _take(self, kind: str, take: Callable[[RecordBatch], None], limit: int | None) -> bool:
        count, cursor = 0, self._cursor(kind)
        for batch, behind in islice(_batches(self._store, kind, cursor), limit):
            take(batch)
            count, cursor = count + 1, behind
        self._reach(kind, cursor)
        return count == limit

    def _cursor(self, kind: str) -> str:
        row = self._index.execute("select cursor from cursors where kind = ?", (kind,)).fetchone()
        return row[0] if row else ""

    def _reach(self, kind: str, cursor: str) -> None:
        self._index.execute("insert or replace into cursors values (?, ?)", (kind, cursor))

    def _take_labels(self, batch: RecordBatch) -> None:
        rows = [(record["id"], record["made"]) for record in batch.records]
        self._index.executemany("insert or replace into labels values (?, ?)", rows)

    def _take_predictions(self, batch: RecordBatch) -> None:
        rows = [
            (record["id"], shot_of(record), batch.stream, batch.number, row)
            for row, record in enumerate(batch.records)
        ]
        self._index.executemany("insert or ignore into predictions values (?, ?, ?, ?, ?)", rows)
        self._touch([(row[0],) for row in rows])

    def _take_outcomes(self, batch: RecordBatch) -> None:
        rows = [(record["key"], record["at"], record["made"]) for record in batch.records]
        self._index.executemany(
            # Rows compare from left to right in SQLite: by moment, and at the same one by 1 over 0.
            "insert into outcomes values (?, ?, ?) on conflict (key) do update "
            "set at = excluded.at, made = excluded.made where (excluded.at, excluded.made) > "
            "(outcomes.at, outcomes.made)",
            rows,
        )
        keys = [(row[0],) for row in rows]
        self._touch(keys)
        self._index.executemany(
            "insert or ignore into touched select id from predictions where shot = ?", keys
        )

    def _touch(self, ids: list[tuple[Any]]) -> None:
        self._index.executemany("insert or ignore into touched values (?)", ids)

    def _label(self) -> Joined:
        """Write the labels that are due; those that another wrote first are due no more."""
        total = corrected = 0
        while rows := self._index.execute(_DUE).fetchall():
            for start in range(0, len(rows), BATCH_RECORDS):
                chunk = rows[start : start + BATCH_RECORDS]
                if not self._write_labels(chunk):
                    break  # what is due has changed: ask again
                total += len(chunk)
                corrected += sum(previous is not None for *_, previous in chunk)
        return Joined(total, corrected)

    def _write_labels(self, rows: list[_DueLabel]) -> bool:
        """Add a batch of labels; False when another process has taken its number.

        The index then holds what that process wrote.
        """
        batch = self._labels(rows)
        if not self._store.append(batch):
            self._take(LABELLED, self._take_labels, None)
            return False
        self._take_labels(batch)
        self._reach(LABELLED, strict_json.text({_STREAM: batch.number + 1}))
        return True

    def _labels(self, rows: list[_DueLabel]) -> RecordBatch:
        """The batch that labels these predictions, with the next number of its stream."""
        number = _parsed(self._cursor(LABELLED)).get(_STREAM, 0)
        records = [self._labelled(*row) for row in rows]
        return RecordBatch(LABELLED, _STREAM, number, records)

    def _labelled(
        self, stream: str, number: int, row: int, last: str, previous: int | None
    ) -> Record:
        """The record of a prediction with its label; `last` is the outcome's moment and 0 or 1."""
        predictions = self._read(stream, number)
        if predictions is None:
            raise StoreError(
                f"batch {number} of {stream} is gone: does the index belong to another "
                "store? Remove the index file; what is there is read again."
            )
        return as_labelled(
            predictions,
            row,
            made=last[-1] == "1",
            outcome_at=last[:-1],
            was=None if previous is None else bool(previous),
        )


def _batches(store: Store, kind: str, cursor: str) -> Iterator[tuple[RecordBatch, str]]:
    """The batches behind a cursor, each with the cursor behind it."""
    reached = _parsed(cursor)
    for stream, end in sorted(store.ends(kind).items()):
        for number in range(reached.get(stream, 0), end):
            batch = store.read(kind, stream, number)
            if batch is None:  # not written yet: to go past it would lose it for this reader
                break
            reached[stream] = number + 1
            yield batch, strict_json.text(reached, sort_keys=True)


def _parsed(cursor: str) -> dict[str, int]:
    return dict(json.loads(cursor)) if cursor else {}
