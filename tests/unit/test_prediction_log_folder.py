"""Prediction logs in a folder: what a batch holds, and the ids of its records."""

from hypothesis import given
from hypothesis import strategies as st

from parivision.prediction_log import RecordBatch
from parivision.prediction_log.folder import FolderStore
from parivision.prediction_log.records import new_id
from prediction_log_outage import KIND


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
