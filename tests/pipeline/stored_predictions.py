"""What a prediction log has stored, read as a new process reads it."""

from collections import Counter

from parivision.prediction_log import open_store
from parivision.prediction_log.join import Joiner, labelled_since, predictions_since

SHARED = {"model": "m", "version": "1", "track": "primary", "pod": "p"}
"""What the predictions of a batch have in common."""


def stored_ids(url: str) -> Counter[str]:
    """How often each prediction is in the store."""
    store = open_store(url)
    found = Counter(each.id for page in predictions_since(store) for each in page.records)
    store.close()
    return found


def labels(url: str) -> list[tuple[str, bool]]:
    """All labels, prediction and outcome, by a joiner that knows nothing."""
    store = open_store(url)
    joiner = Joiner(store)
    joiner.join()
    joiner.close()
    labelled = [(o.served.id, o.made) for page in labelled_since(store) for o in page.records]
    store.close()
    return labelled
