"""The prediction log as a rollout reads it: from a cursor on, and with labels joined first."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from parivision import strict_json
from parivision.prediction_log import LABELLED, PREDICTIONS, Store
from parivision.prediction_log.join import Joiner, Page, labelled_since, predictions_since
from parivision.prediction_log.records import LabelledPrediction, ServedPrediction


class ServedLog:
    """Reads one store; `join` and `labelled` belong to one thread. Raises StoreError."""

    def __init__(self, store: Store, index: Path) -> None:
        """`index` is a file to join by; it may be lost."""
        self._store = store
        self._index = index
        self._joiner: Joiner | None = None

    def ends(self) -> tuple[str, str]:
        """Cursors behind what is there now: of predictions and of labelled ones."""
        predictions, labelled = (self._store.ends(kind) for kind in (PREDICTIONS, LABELLED))
        return _cursor(predictions), _cursor(labelled)

    def recent(self, batches: int) -> tuple[str, str]:
        """The same, but before the newest `batches` of each stream."""
        cursors = []
        for kind in (PREDICTIONS, LABELLED):
            ends = self._store.ends(kind)
            before = {stream: max(0, end - batches) for stream, end in ends.items()}
            cursors.append(_cursor(before))
        return cursors[0], cursors[1]

    def predictions(self, cursor: str) -> Iterator[Page[ServedPrediction]]:
        """Predictions behind a cursor, page by page."""
        return predictions_since(self._store, cursor)

    def labelled(self, cursor: str) -> Iterator[Page[LabelledPrediction]]:
        """Labelled predictions behind a cursor, with what can be labelled by now."""
        # Not in `__init__`: a connection of SQLite may be used in the thread that opened it only.
        if self._joiner is None:
            self._joiner = Joiner(self._store, self._index)
        self._joiner.join()
        return labelled_since(self._store, cursor)


def _cursor(ends: Mapping[str, int]) -> str:
    return strict_json.text(ends, sort_keys=True)
