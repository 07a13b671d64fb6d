"""The stores of the prediction log, a folder and MongoDB: what both promise."""

import json
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from parivision.errors import StoreError
from parivision.prediction_log import OUTCOMES, PREDICTIONS, RecordBatch, Store, open_store
from parivision.prediction_log.records import outcome
from pipeline.stored_predictions import SHARED, labels

ODD = "a\0b\n\u2028 é \U0001f3c0 $set .x"


class TestStores:
    """What both stores promise."""

    @pytest.fixture
    def store(self, lake_url: str) -> Iterator[Store]:
        """An empty store, in a folder and in MongoDB."""
        opened = open_store(lake_url)
        yield opened
        opened.close()

    def test_a_batch_is_kept_once_as_it_was(self, store: Store) -> None:
        """The first of a number stays, with its texts and numbers; games are remembered."""
        facts = {"game_id": 2**63 - 1, "action_type": ODD, "x_ft": -0.0, "y_ft": 1e-300}
        record = {"id": "a", "at": "2024", "p_made": 0.1, "facts": facts}
        batch = RecordBatch(PREDICTIONS, "w", 0, [record], SHARED, [2**63 - 1, 7])
        assert store.append(batch)
        assert not store.append(RecordBatch(PREDICTIONS, "w", 0, []))
        found = store.read(PREDICTIONS, "w", 0)
        assert found is not None
        assert (list(found.records), found.shared) == ([record], SHARED)
        assert store.read(PREDICTIONS, "w", 1) is None
        assert store.ends(PREDICTIONS) == {"w": 1}
        assert store.ends(OUTCOMES) == {}
        assert store.games() == {2**63 - 1, 7}

    def test_labels_go_on_after_a_restart(self, store: Store, lake_url: str) -> None:
        """Outcomes that come first, late and corrected; each time with a new joiner and store."""
        store.append(RecordBatch(OUTCOMES, "o", 0, [outcome("7:1", "2024-01-01", made=True)]))
        assert labels(lake_url) == []
        facts = {"game_id": 7, "event_id": 1}
        records = [{"id": each, "at": "2024", "p_made": 0.5, "facts": facts} for each in "ab"]
        store.append(RecordBatch(PREDICTIONS, "w", 0, records, SHARED))
        assert labels(lake_url) == [("a", True), ("b", True)]
        store.append(RecordBatch(OUTCOMES, "o", 1, [outcome("b", "2024-01-02", made=False)]))
        store.append(RecordBatch(OUTCOMES, "p", 0, [outcome("7:1", "2023-01-01", made=False)]))
        assert labels(lake_url) == [("a", True), ("b", True), ("b", False)]


def test_credentials_are_never_shown(mongo_server: Any) -> None:
    """A refused login is an error without the password."""
    store = open_store(mongo_server.url("log", "s3cret"))
    with pytest.raises(StoreError) as refused:
        store.ends(PREDICTIONS)
    store.close()
    assert "s3cret" not in str(refused.value)
    assert mongo_server.password not in str(refused.value)


def test_a_document_shows_what_was_served(mongo_server: Any) -> None:
    """Anyone with a MongoDB client can read the log: a batch is a document of JSON lines."""
    url = mongo_server.url("readable")
    store = open_store(url)
    record = {"id": "a", "at": "2024", "p_made": 0.5, "facts": {"game_id": 7}}
    store.append(RecordBatch(PREDICTIONS, "w", 0, [record], SHARED, [7]))
    store.close()
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(url)
    with client:
        (found,) = client.get_default_database().predictions.find({})
    head, *lines = found["lines"].splitlines()
    assert found["_id"] == "w:00000000"
    assert json.loads(head) == {"shared": SHARED, "games": [7]}
    assert [json.loads(line) for line in lines] == [record]
