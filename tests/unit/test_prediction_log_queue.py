"""The log of predictions: its queue, its spill and its counts, on real folders."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.errors import StoreError
from parivision.prediction_log import RecordBatch, Store, log, open_store
from parivision.prediction_log.folder import FolderStore, numbers, path_of
from parivision.prediction_log.lines import Entry, line
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.records import new_id
from parivision.prediction_log.spill import Spill, SpillFolder

KIND = "predictions"


class Outage(FolderStore):
    """A store in a folder that can be away."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.is_away = False
        self.asked = 0

    def __call__(self) -> Store:
        """The store, as a log opens it."""
        return self

    def append(self, batch: RecordBatch) -> bool:
        """Keep a batch, or raise."""
        self.asked += 1
        if self.is_away:
            raise StoreError("away")
        return super().append(batch)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits for a flush or a retry of production's length."""
    monkeypatch.setattr(log, "FLUSH_S", 0.005)
    monkeypatch.setattr(log, "_RETRY_S", 0.01)
    monkeypatch.setattr(log, "_LAST_RETRY_S", 0.01)


@pytest.fixture
def outage(tmp_path: Path) -> Outage:
    """A store that is there, for the time being."""
    return Outage(tmp_path / "store")


@pytest.fixture
def spill(tmp_path: Path) -> Spill:
    """Room on disk."""
    return Spill(tmp_path / "spill")


Opened = Callable[..., RecordLog]


@pytest.fixture
def opened(outage: Outage, spill: Spill) -> Iterator[Opened]:
    """Opens logs of whole numbers."""
    logs: list[RecordLog] = []

    def open_log(**options: Any) -> RecordLog:
        logs.append(RecordLog(KIND, outage, options.pop("spill", spill), **options))
        return logs[-1]

    yield open_log
    for each in logs:
        each.close(0)


def numbered(numbers: Iterable[int]) -> list[Entry]:
    """Entries of whole numbers."""
    return [Entry(line({"n": n})) for n in numbers]


def stored(outage: Outage) -> list[int]:
    """All that is stored, in the order of streams and numbers."""
    found = []
    for stream, end in outage.ends(KIND).items():
        for number in range(end):
            batch = outage.read(KIND, stream, number)
            assert batch is not None, "a batch is missing before the last one"
            found += [record["n"] for record in batch.records]
    return found


def wait(condition: Callable[[], bool]) -> None:
    """Wait for a condition, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_slow_store_does_not_make_batches_small(
    opened: Opened, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch costs the same however small: what comes while one is written waits its time."""
    flush_s = 0.1
    monkeypatch.setattr(log, "FLUSH_S", flush_s)
    keep = outage.append

    def keep_slowly(batch: RecordBatch) -> bool:
        time.sleep(0.01)
        return keep(batch)

    monkeypatch.setattr(outage, "append", keep_slowly)
    writing, began = opened(), time.monotonic()
    for n in range(400):
        writing.add(numbered([n]))
        time.sleep(0.001)
    taken_s = time.monotonic() - began
    writing.close()
    assert stored(outage) == list(range(400))
    assert outage.asked <= taken_s / flush_s + 2


def test_a_disk_in_trouble_does_not_keep_the_processor_busy(
    opened: Opened, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong again and again is tried again after a while, also when records come."""
    flush_s, watched_s = 0.05, 0.5

    def fail(*_: object) -> None:
        raise OSError("the disk")

    monkeypatch.setattr(log, "FLUSH_S", flush_s)
    outage.is_away = True
    writing = opened()
    writing.add(numbered([0]))
    wait(lambda: writing.state().spilled == 1)
    monkeypatch.setattr(SpillFolder, "drop_first", fail)
    outage.is_away = False
    writing.add(numbered([1]))
    before = writing.state().errors
    time.sleep(watched_s)
    assert 0 < writing.state().errors - before <= watched_s / flush_s + 2
    monkeypatch.undo()
    writing.close()
    assert stored(outage) == [0, 1]


def test_what_is_added_is_stored_in_order(opened: Opened, outage: Outage) -> None:
    """Small and large requests arrive whole, in batches of at most a thousand."""
    writing = opened()
    writing.add(numbered([0]))
    writing.add(numbered(range(1, 2501)))
    writing.add(numbered([2501]))
    writing.close()
    assert stored(outage) == list(range(2502))
    state = writing.state()
    assert (state.queued, state.written, state.spilled, state.lag_s) == (0, 2502, 0, 0)
    assert sum(state.dropped.values()) == 0


def test_a_block_waits_for_what_came_before(opened: Opened, outage: Outage) -> None:
    """A block larger than a batch is one of its own, behind the records that were there first."""
    writing = opened()
    block = b"".join(entry.text for entry in numbered(range(1, 3001)))
    writing.add([*numbered([0]), Entry(block, 3000), *numbered([3001])])
    writing.close()
    assert stored(outage) == list(range(3002))
    assert outage.asked == 3


def test_its_thread_sleeps_while_a_batch_fills(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares the interpreter with those who answer: a record alone does not wake it."""
    monkeypatch.setattr(log, "FLUSH_S", 60.0)
    writing = opened()
    turns = []
    monkeypatch.setattr(writing, "_turn", lambda *, flush: turns.append(flush))
    writing.add(numbered(range(999)))
    time.sleep(0.05)
    assert turns == []
    writing.add(numbered([999]))
    wait(lambda: turns == [False])
    monkeypatch.undo()


def test_it_spills_while_the_store_is_away_and_replays(
    opened: Opened, outage: Outage, spill: Spill
) -> None:
    """What waits on disk is stored first, in order, when the store is back; the disk is empty."""
    writing = opened()
    outage.is_away = True

    def has_spilled(count: int) -> bool:
        return writing.state().spilled == count

    for n in range(3):
        writing.add(numbered([n]))
        wait(partial(has_spilled, n + 1))
    away = writing.state()
    assert (away.queued, away.written) == (0, 0)
    assert away.spill_bytes > 0
    assert away.lag_s > 0
    assert away.errors >= 1
    outage.is_away = False
    writing.add(numbered([3]))
    wait(lambda: writing.state().written == 4 and writing.state().lag_s == 0)
    assert stored(outage) == [0, 1, 2, 3]
    assert numbers(spill.root, KIND) == {}
    assert writing.state().spill_bytes == 0


def test_the_next_process_replays(opened: Opened, outage: Outage, spill: Spill) -> None:
    """What a process leaves on disk at its end is stored by the next one."""
    outage.is_away = True
    first = opened()
    first.add(numbered([1, 2]))
    first.close(0.02)
    assert sum(map(len, numbers(spill.root, KIND).values())) == 1
    outage.is_away = False
    second = opened()
    wait(lambda: second.state().written == 2)
    assert stored(outage) == [1, 2]


def test_a_stop_waits_for_the_store_to_come_back(opened: Opened, outage: Outage) -> None:
    """A store that returns before the deadline gets all, also what was on disk."""
    outage.is_away = True
    writing = opened()
    writing.add(numbered([1]))
    wait(lambda: writing.state().spilled == 1)
    back = threading.Timer(0.05, lambda: setattr(outage, "is_away", False))
    back.start()
    writing.close(10)
    assert stored(outage) == [1]


def test_a_stop_does_not_wait_for_a_slow_store(
    opened: Opened, outage: Outage, spill: Spill, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the deadline the rest goes to disk, and nothing is lost."""
    append = outage.append

    def slowly(batch: RecordBatch) -> bool:
        time.sleep(0.05)
        return append(batch)

    monkeypatch.setattr(outage, "append", slowly)
    writing = opened()
    writing.add(numbered(range(30_000)))
    started = time.monotonic()
    writing.close(0.1)
    assert time.monotonic() - started < 1.2
    state = writing.state()
    assert state.spilled > 10_000
    assert (state.queued, state.written + state.spilled) == (0, 30_000)
    monkeypatch.undo()
    opened().close(10)
    assert stored(outage) == list(range(30_000))


def test_a_full_queue_drops_and_counts(opened: Opened, outage: Outage, tmp_path: Path) -> None:
    """Without store and disk the queue fills; what finds it full is counted, the rest kept."""
    outage.is_away = True
    blocked = tmp_path / "file"
    blocked.touch()
    writing = opened(spill=Spill(blocked / "x"), capacity=3)
    assert [writing.add(numbered([n])) for n in range(4)] == [True, True, True, False]
    assert not writing.add(numbered([5, 6]))
    assert writing.state().dropped["queue_full"] == 3
    outage.is_away = False
    wait(lambda: writing.state().written == 3)
    assert stored(outage) == [0, 1, 2]


def test_a_full_disk_holds_the_queue_back(opened: Opened, outage: Outage, tmp_path: Path) -> None:
    """Beyond the bytes that may be spilled, records stay in memory and arrive later, in order."""
    outage.is_away = True
    writing = opened(spill=Spill(tmp_path / "little", max_bytes=1))
    writing.add(numbered([0]))
    wait(lambda: writing.state().spilled == 1)
    writing.add(numbered([1]))
    writing.add(numbered([2]))
    wait(lambda: outage.asked > 3)
    assert (writing.state().spilled, writing.state().queued) == (1, 2)
    outage.is_away = False
    wait(lambda: writing.state().written == 3)
    assert stored(outage) == [0, 1, 2]


def test_what_nothing_takes_for_long_is_few_batches(
    opened: Opened, outage: Outage, tmp_path: Path
) -> None:
    """While neither store nor disk takes anything, records wait in the batch that fills."""
    outage.is_away = True

    def was_asked_again(asked: int) -> bool:
        return outage.asked > asked + 1

    writing = opened(spill=Spill(tmp_path / "none", 0))
    for n in range(20):
        asked = outage.asked
        writing.add(numbered([n]))
        wait(partial(was_asked_again, asked))
    outage.is_away, outage.asked = False, 0
    wait(lambda: writing.state().written == 20)
    assert stored(outage) == list(range(20))
    assert outage.asked <= 2, "the one that was held and the one that filled"


def test_what_nothing_takes_at_the_end_is_counted(
    opened: Opened, outage: Outage, tmp_path: Path
) -> None:
    """Neither store nor disk: the loss is a number."""
    outage.is_away = True
    (tmp_path / "file").touch()
    writing = opened(spill=Spill(tmp_path / "file" / "x"))
    writing.add(numbered([1, 2]))
    writing.close(0)
    assert writing.state().dropped["stopped"] == 2


def test_a_torn_file_is_put_away(opened: Opened, outage: Outage, spill: Spill) -> None:
    """A file that a broken disk left is not read again, and what is behind it is stored."""
    for number, n in enumerate((7, 8)):
        FolderStore(spill.root).append(RecordBatch(KIND, "old", number, [{"n": n}]))
    torn = path_of(spill.root, KIND, "old", 0)
    torn.write_bytes(torn.read_bytes()[:-5])
    writing = opened()
    wait(lambda: writing.state().written == 1)
    assert writing.state().dropped["unreadable"] == 1
    assert torn.with_suffix(".unreadable").exists()


def test_trouble_is_said_once_a_minute(
    opened: Opened, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that stays away is one line in the log, not thousands."""
    outage.is_away = True
    writing = opened()
    writing.add(numbered([1]))
    wait(lambda: writing.state().errors > 3)
    assert [record.message for record in caplog.records] == [
        "the log of predictions is held up: away"
    ]


def test_a_log_that_cannot_be_opened_harms_nobody(spill: Spill) -> None:
    """A wrong URL is an error that is counted, and what was added waits on disk."""
    writing = RecordLog(KIND, lambda: open_store("http://x"), spill)
    assert writing.add(numbered([1]))
    wait(lambda: writing.state().spilled == 1)
    writing.close(0)


def test_two_processes_replay_one_spill(outage: Outage, spill: Spill, opened: Opened) -> None:
    """Processes that share a folder do each other's work once."""
    for number in range(40):
        FolderStore(spill.root).append(RecordBatch(KIND, "old", number, [{"n": number}]))

    def has_stored_all(writing: RecordLog) -> bool:
        return writing.state().spill_bytes == 0 and writing.state().lag_s == 0

    both = [opened(), opened()]
    for each in both:
        wait(partial(has_stored_all, each))
    wait(lambda: len(stored(outage)) == 40)
    assert stored(outage) == list(range(40))


@given(st.text(), st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_folder_keeps_any_text(tmp_path_factory, text, numbers_):
    """What a batch holds comes back as it was, line breaks and all.

    JSON has no word for Infinity: it is null (tests/unit/test_strict_json.py).
    """
    store = FolderStore(tmp_path_factory.mktemp("store"))
    batch = RecordBatch(KIND, "s", 0, [{"text": text, **numbers_}], {"model": text}, [7])
    assert store.append(batch)
    assert not store.append(RecordBatch(KIND, "s", 0, []))
    assert store.read(KIND, "s", 0) == batch
    assert store.games() == {7}


def test_ids_are_unique_and_ordered():
    """Ten thousand ids differ, and those of a later millisecond sort behind."""
    ids = [new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    stamps = [each[:12] for each in ids]
    assert stamps == sorted(stamps)
