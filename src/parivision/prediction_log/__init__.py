"""What was served and how it ended: the log of predictions, the outcomes, and their join.

Everything is kept as numbered batches. A process that writes has a stream of its own and numbers
its batches 0, 1, 2, so writing one again changes nothing, a reader's cursor is a number for each
stream, and what comes late comes behind the cursor's place and is not missed. A store needs no more
than look-ups by key: MongoDB, FerretDB and a folder serve alike.
"""

from parivision.prediction_log.batch import (
    LABELLED,
    OUTCOMES,
    PREDICTIONS,
    RecordBatch,
    Store,
    open_store,
)
from parivision.prediction_log.lines import Record

__all__ = ["LABELLED", "OUTCOMES", "PREDICTIONS", "Record", "RecordBatch", "Store", "open_store"]
