"""A store of the prediction log that can be away, and logs of whole numbers into it."""

from collections.abc import Callable, Iterable
from pathlib import Path

from parivision.errors import StoreError
from parivision.prediction_log import RecordBatch, Store
from parivision.prediction_log.folder import FolderStore
from parivision.prediction_log.lines import Entry, line
from parivision.prediction_log.log import RecordLog

KIND = "predictions"

Opened = Callable[..., RecordLog]
"""Opens a log; what it is called with are the log's options."""


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


def numbered(numbers: Iterable[int]) -> list[Entry]:
    """Entries of whole numbers."""
    return [Entry(line({"n": n})) for n in numbers]


def stored(outage: Outage) -> list[int]:
    """All that is stored, in the order of streams and numbers."""
    values = []
    for stream, end in outage.ends(KIND).items():
        for number in range(end):
            batch = outage.read(KIND, stream, number)
            assert batch is not None, "a batch is missing before the last one"
            values += [record["n"] for record in batch.records]
    return values
