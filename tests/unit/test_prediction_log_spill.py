"""The log of predictions on disk: what waits there while the store is away, and comes back."""

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from parivision.prediction_log import RecordBatch, log
from parivision.prediction_log.folder import FolderStore, numbers, path_of
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.spill import Spill, SpillFolder
from prediction_log_outage import KIND, Opened, Outage, numbered, stored
from waiting import wait_for

pytestmark = pytest.mark.usefixtures("quick_log")


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
    wait_for(lambda: writing.state().spilled == 1)
    monkeypatch.setattr(SpillFolder, "drop_first", fail)
    outage.is_away = False
    writing.add(numbered([1]))
    before = writing.state().errors
    time.sleep(watched_s)
    assert 0 < writing.state().errors - before <= watched_s / flush_s + 2
    monkeypatch.undo()
    writing.close()
    assert stored(outage) == [0, 1]


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
        wait_for(partial(has_spilled, n + 1))
    away = writing.state()
    assert (away.queued, away.written) == (0, 0)
    assert away.spill_bytes > 0
    assert away.lag_s > 0
    assert away.errors >= 1
    outage.is_away = False
    writing.add(numbered([3]))
    wait_for(lambda: writing.state().written == 4 and writing.state().lag_s == 0)
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
    wait_for(lambda: second.state().written == 2)
    assert stored(outage) == [1, 2]


def test_a_stop_waits_for_the_store_to_come_back(opened: Opened, outage: Outage) -> None:
    """A store that returns before the deadline gets all, also what was on disk."""
    outage.is_away = True
    writing = opened()
    writing.add(numbered([1]))
    wait_for(lambda: writing.state().spilled == 1)
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


def test_a_full_disk_holds_the_queue_back(opened: Opened, outage: Outage, tmp_path: Path) -> None:
    """Beyond the bytes that may be spilled, records stay in memory and arrive later, in order."""
    outage.is_away = True
    writing = opened(spill=Spill(tmp_path / "little", max_bytes=1))
    writing.add(numbered([0]))
    wait_for(lambda: writing.state().spilled == 1)
    writing.add(numbered([1]))
    writing.add(numbered([2]))
    wait_for(lambda: outage.asked > 3)
    assert (writing.state().spilled, writing.state().queued) == (1, 2)
    outage.is_away = False
    wait_for(lambda: writing.state().written == 3)
    assert stored(outage) == [0, 1, 2]


def test_a_torn_file_is_put_away(opened: Opened, outage: Outage, spill: Spill) -> None:
    """A file that a broken disk left is not read again, and what is behind it is stored."""
    for number, n in enumerate((7, 8)):
        FolderStore(spill.root).append(RecordBatch(KIND, "old", number, [{"n": n}]))
    torn = path_of(spill.root, KIND, "old", 0)
    torn.write_bytes(torn.read_bytes()[:-5])
    writing = opened()
    wait_for(lambda: writing.state().written == 1)
    assert writing.state().dropped["unreadable"] == 1
    assert torn.with_suffix(".unreadable").exists()


def test_two_processes_replay_one_spill(outage: Outage, spill: Spill, opened: Opened) -> None:
    """Processes that share a folder do each other's work once."""
    for number in range(40):
        FolderStore(spill.root).append(RecordBatch(KIND, "old", number, [{"n": number}]))

    def has_stored_all(writing: RecordLog) -> bool:
        return writing.state().spill_bytes == 0 and writing.state().lag_s == 0

    both = [opened(), opened()]
    for each in both:
        wait_for(partial(has_stored_all, each))
    wait_for(lambda: len(stored(outage)) == 40)
    assert stored(outage) == list(range(40))
