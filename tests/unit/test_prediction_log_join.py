"""Predictions and outcomes in any order, repeated and corrected, join to the right labels."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import StoreError
from parivision.prediction_log import LABELLED, OUTCOMES, PREDICTIONS, RecordBatch, Store, join
from parivision.prediction_log.folder import FolderStore
from parivision.prediction_log.join import Joiner, labelled_since, predictions_since
from parivision.prediction_log.records import LabelledPrediction, outcome

SHARED = {"model": "shots", "version": "3", "track": "primary", "pod": "p"}
# Predictions by number: the shot that each names; two are about one shot, one about none known.
SHOTS = ("1:1", "1:1", "1:2", None, "2:1")
KEYS = ("0", "1", "3", "1:1", "1:2", "2:1", "9:9", "unknown")


class Memory:
    """A store as a dictionary, which does what the real ones do."""

    def __init__(self) -> None:
        self.batches: dict[tuple[str, str, int], RecordBatch] = {}

    def append(self, batch: RecordBatch) -> bool:
        """Keep a batch unless it is there."""
        key = (batch.kind, batch.stream, batch.number)
        return self.batches.setdefault(key, batch) is batch

    def ends(self, kind: str) -> dict[str, int]:
        """Streams and their ends."""
        return {s: n + 1 for (k, s, n) in sorted(self.batches) if k == kind}

    def read(self, kind: str, stream: str, number: int) -> RecordBatch | None:
        """A batch or None."""
        return self.batches.get((kind, stream, number))

    def games(self) -> set[int]:
        """None are noted here."""
        return set()

    def close(self) -> None:
        """Nothing is held open."""


def prediction(number: int) -> dict[str, Any]:
    """The record of one of SHOTS."""
    shot = SHOTS[number]
    facts: dict[str, float] = {"x_ft": 1.0}
    if shot:
        game, event = shot.split(":")
        facts = {"game_id": int(game), "event_id": int(event)}
    return {"id": str(number), "at": f"2024-01-0{number + 1}", "p_made": 0.5, "facts": facts}


def expected(outcomes: Sequence[tuple[str, str, bool]]) -> dict[str, bool]:
    """The label of each prediction by the rule as it is written, told plainly."""
    labels = {}
    for number, shot in enumerate(SHOTS):
        fitting = [(at, made) for key, at, made in outcomes if key in (str(number), shot)]
        if fitting:
            labels[str(number)] = max(fitting)[1]
    return labels


def last_labels(store: Store) -> dict[str, bool]:
    """What labels say in the end; each one said must differ from the one before."""
    labels: dict[str, bool] = {}
    for page in labelled_since(store):
        for one in page.records:
            assert one.was == labels.get(one.served.id)
            assert one.made != one.was
            labels[one.served.id] = one.made
    return labels


MOMENTS = st.sampled_from(["2024-02-01", "2024-02-02", "2024-02-03"])
SAID = st.lists(st.tuples(st.sampled_from(KEYS), MOMENTS, st.booleans()), max_size=12)


@given(
    said=SAID,
    order=st.randoms(use_true_random=False),
    sizes=st.lists(st.integers(1, 4), min_size=1),
    restarts=st.booleans(),
)
def test_any_order_gives_the_same_labels(
    said: list[tuple[str, str, bool]], order: random.Random, sizes: list[int], restarts: bool
) -> None:
    """Early, late, repeated, contradictory, by either key, with restarts: the rule holds."""
    store = Memory()
    events: list[tuple[str, dict[str, Any]]] = [
        *((PREDICTIONS, prediction(number)) for number in range(len(SHOTS))),
        *((OUTCOMES, outcome(key, at, made=made)) for key, at, made in [*said, *said[:3]]),
    ]
    order.shuffle(events)
    joiner, numbers = Joiner(store), dict.fromkeys((PREDICTIONS, OUTCOMES), 0)
    while events:
        size = sizes[len(events) % len(sizes)]
        for kind in (PREDICTIONS, OUTCOMES):
            records = [record for each, record in events[:size] if each == kind]
            if records:
                # Each from a process of its own, or the next of one: both happen.
                stream = f"s{len(events) % 2}"
                numbers[kind + stream] = numbers.get(kind + stream, -1) + 1
                store.append(RecordBatch(kind, stream, numbers[kind + stream], records, SHARED))
        del events[:size]
        joiner.join()
        if restarts:
            joiner.close()
            joiner = Joiner(store)
    assert last_labels(store) == expected(said)
    assert joiner.join().labelled == 0
    joiner.close()


def filled(store: Memory, predictions: int) -> Memory:
    """Predictions of one stream, and as many outcomes."""
    for number in range(predictions):
        facts = {"game_id": 1, "event_id": number}
        record = {"id": f"p{number}", "at": "2024-01-01", "p_made": 0.5, "facts": facts}
        store.append(RecordBatch(PREDICTIONS, "w", number, [record], SHARED))
        store.append(
            RecordBatch(OUTCOMES, "o", number, [outcome(f"1:{number}", "2024", made=True)])
        )
    return store


def ids(records: Sequence[LabelledPrediction]) -> list[str]:
    """Ids of labelled predictions."""
    return [one.served.id for one in records]


def test_a_cursor_survives_a_restart() -> None:
    """Who goes on from a page's cursor gets what is behind it, once, in the same order."""
    store = filled(Memory(), 3)
    joiner = Joiner(store)
    assert joiner.join().labelled == 3
    first = list(labelled_since(store))
    store.append(RecordBatch(PREDICTIONS, "late", 0, [prediction(0)], SHARED))
    store.append(RecordBatch(OUTCOMES, "o", 3, [outcome("0", "2023", made=False)]))
    assert joiner.join().labelled == 1
    assert [ids(page.records) for page in labelled_since(store, first[-1].cursor)] == [["0"]]
    everything = [each for page in labelled_since(store) for each in ids(page.records)]
    assert everything == ["p0", "p1", "p2", "0"]
    pages = list(predictions_since(store))
    assert [page.records[0].id for page in pages] == ["0", "p0", "p1", "p2"]
    assert list(predictions_since(store, pages[-1].cursor)) == []
    assert pages[0].records[0].version == "3"
    joiner.close()


def test_two_joiners_label_once() -> None:
    """The one that comes second finds the labels of the first."""
    store = filled(Memory(), 5)
    one, two = Joiner(store), Joiner(store)
    assert one.join().labelled == 5
    assert two.join().labelled == 0
    assert len(last_labels(store)) == 5


def test_a_joiner_that_is_overtaken_starts_again() -> None:
    """Labels that another wrote in between are taken in, and the rest is still labelled."""
    store = filled(Memory(), 5)
    rival = Joiner(store)

    class Overtaken(Memory):
        """The store of a joiner that loses its first race."""

        def append(self, batch: RecordBatch) -> bool:
            if batch.kind == LABELLED and batch.number == 0:
                rival.join()
            return super().append(batch)

    slow_store = Overtaken()
    slow_store.batches = store.batches
    slow = Joiner(slow_store)
    assert slow.join().labelled == 0
    assert len(last_labels(store)) == 5


def test_a_correction_is_told_as_one() -> None:
    """A later word of the league changes the label, once, and says what it was."""
    store = filled(Memory(), 1)
    joiner = Joiner(store)
    joiner.join()
    for number, (at, made) in enumerate([("2025", False), ("2025", False), ("2023", True)], 1):
        store.append(RecordBatch(OUTCOMES, "o", number, [outcome("1:0", at, made=made)]))
    done = joiner.join()
    assert (done.labelled, done.corrected) == (1, 1)
    assert last_labels(store) == {"p0": False}


def test_an_index_on_disk_goes_on_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails in the middle leaves the index as it was; nothing is labelled twice."""
    monkeypatch.setattr(join, "_STEP_BATCHES", 2)
    store = filled(Memory(), 9)
    index = tmp_path / "index.sqlite"

    class Failing(Memory):
        """A store whose answer to the second labelled batch gets lost."""

        def append(self, batch: RecordBatch) -> bool:
            done = super().append(batch)
            if batch.kind == LABELLED and batch.number == 1:
                raise StoreError("gone")
            return done

    failing = Failing()
    failing.batches = store.batches
    first = Joiner(failing, index)
    with pytest.raises(StoreError):
        first.join()
    first.close()
    second = Joiner(store, index)
    second.join()
    assert len(last_labels(store)) == 9
    second.close()


def test_an_index_of_another_store_is_told(tmp_path: Path) -> None:
    """An index that knows predictions which the store does not have is an error with a way out."""
    store = filled(Memory(), 1)
    joiner = Joiner(store, tmp_path / "index.sqlite")
    joiner.join()
    joiner.close()
    other = Memory()
    for number in (0, 1):
        record = outcome("1:0", "2025", made=False)
        other.append(RecordBatch(OUTCOMES, "o", number, [record]))
    stale = Joiner(other, tmp_path / "index.sqlite")
    with pytest.raises(StoreError, match="Remove the index file"):
        stale.join()
    stale.close()


def test_a_missing_batch_is_waited_for(tmp_path: Path) -> None:
    """What is behind a gap is read when the gap is filled, not before and not never."""
    store = FolderStore(tmp_path)
    record = prediction(0)
    store.append(RecordBatch(PREDICTIONS, "w", 1, [{**record, "id": "b"}], SHARED))
    assert list(predictions_since(store)) == []
    store.append(RecordBatch(PREDICTIONS, "w", 0, [{**record, "id": "a"}], SHARED))
    assert [page.records[0].id for page in predictions_since(store)] == ["a", "b"]
