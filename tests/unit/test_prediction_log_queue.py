"""The log of predictions in memory: its batches, its queue and its counts, on real folders."""

import time
from functools import partial
from pathlib import Path

import pytest

from parivision.prediction_log import RecordBatch, log, open_store
from parivision.prediction_log.lines import Entry
from parivision.prediction_log.log import RecordLog
from parivision.prediction_log.spill import Spill
from prediction_log_outage import KIND, Opened, Outage, numbered, stored
from waiting import wait_for

pytestmark = pytest.mark.usefixtures("quick_log")


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
    wait_for(lambda: turns == [False])
    monkeypatch.undo()


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
    wait_for(lambda: writing.state().written == 3)
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
        wait_for(partial(was_asked_again, asked))
    outage.is_away, outage.asked = False, 0
    wait_for(lambda: writing.state().written == 20)
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


def test_trouble_is_said_once_a_minute(
    opened: Opened, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that stays away is one line in the log, not thousands."""
    outage.is_away = True
    writing = opened()
    writing.add(numbered([1]))
    wait_for(lambda: writing.state().errors > 3)
    assert [record.message for record in caplog.records] == [
        "the log of predictions is held up: away"
    ]


def test_a_log_that_cannot_be_opened_harms_nobody(spill: Spill) -> None:
    """A wrong URL is an error that is counted, and what was added waits on disk."""
    writing = RecordLog(KIND, lambda: open_store("http://x"), spill)
    assert writing.add(numbered([1]))
    wait_for(lambda: writing.state().spilled == 1)
    writing.close(0)
