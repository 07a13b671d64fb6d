"""Blocks of predictions: readers get from them what they get from a record for each shot."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.prediction_log.batch import RecordBatch
from parivision.prediction_log.lines import BLOCK_RECORDS, Entry, blocks, line, records, shot_ids

VALUES = st.none() | st.integers(0, 2**63 - 1) | st.floats(-1e9, 1e9) | st.text()
SHOTS = st.lists(st.fixed_dictionaries({"x_ft": st.floats(0, 9), "game_id": VALUES, "b": VALUES}))


def read(entries: list[Entry]) -> list[dict[str, Any]]:
    """The records of entries."""
    return list(records(entry.text for entry in entries))


@given(shots=SHOTS)
def test_a_block_is_read_as_records(shots: list[dict[str, Any]]) -> None:
    """Ids, probabilities and facts come back in order, without what is not known."""
    names = shots[0] if shots else ()
    columns = {name: [shot[name] for shot in shots] for name in names}
    p_made = [place / 10 for place in range(len(shots))]
    assert read(blocks("r", "2024", columns, p_made)) == [
        {
            "id": f"r-{place}",
            "at": "2024",
            "p_made": p,
            "facts": {name: value for name, value in shot.items() if value is not None},
        }
        for place, (p, shot) in enumerate(zip(p_made, shots, strict=True))
    ]


def test_many_shots_are_several_blocks() -> None:
    """Places go on from block to block; each names its own games; arrays are columns, too."""
    size = 2 * BLOCK_RECORDS + 1
    games = [place // BLOCK_RECORDS or None for place in range(size)]
    x_ft = np.arange(size) / 4
    columns: dict[str, Any] = {"game_id": games, "x_ft": x_ft}
    entries = blocks("r", "2024", columns, [0.5] * size)
    assert [(entry.size, entry.games) for entry in entries] == [
        (BLOCK_RECORDS, set()),
        (BLOCK_RECORDS, {1}),
        (1, {2}),
    ]
    found = read(entries)
    assert [record["id"] for record in found] == shot_ids("r", 0, size)
    assert [record["facts"]["x_ft"] for record in found] == x_ft.tolist()


def test_a_batch_may_hold_both() -> None:
    """Records and blocks stand in one batch in their order, and count as the records they are."""
    one = {"id": "a", "at": "2024", "p_made": 0.1, "facts": {"x_ft": 1.0}}
    (block,) = blocks("r", "2024", {"x_ft": [2.0, 3.0]}, [0.2, 0.3])
    written = RecordBatch("predictions", "s", 0, (), {"model": "m"}, (), [line(one), block.text], 3)
    found = RecordBatch.of_lines("predictions", "s", 0, written.to_lines())
    assert written.size == found.size == 3
    assert [record["id"] for record in found.records] == ["a", "r-0", "r-1"]
    assert found.shared == {"model": "m"}


def test_columns_of_different_lengths_are_no_block() -> None:
    """A torn block is an error and not fewer records."""
    text = b'{"block":"r","first":0,"at":"","p_made":[0.5,0.5],"facts":{"x_ft":[1.0]}}'
    with pytest.raises(ValueError, match="shorter"):
        list(records([text]))
