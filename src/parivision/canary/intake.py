"""Taking evidence in: Prometheus' counters and the prediction log, as far as they are new.

Everything here changes the rollout in memory only. The caller stores it afterwards, evidence and
cursors in one document, so that nothing is counted twice and nothing is skipped.
"""

from itertools import islice
from typing import Final

from parivision.canary import counters, evidence
from parivision.canary.counters import CounterReading
from parivision.canary.interfaces import CounterSource, Models, PredictionSource
from parivision.canary.record import Rollout
from parivision.errors import PariVisionError, ServiceError
from parivision.models.bundle import Bundle

PAGES: Final = 200
"""Pages of the log in one step: 200,000 records at most."""


class EvidenceIntake:
    """Reads what is new in counters and log, and adds it to a rollout's evidence.

    `take_counters` and `take_log` answer with the sources that are away, a sentence each: a source
    that is away holds a rollout, and is no error. What they had read before that stays read.
    """

    def __init__(self, prometheus: CounterSource, log: PredictionSource, models: Models) -> None:
        self._prometheus = prometheus
        self._log = log
        self._models = models

    def load_models(self, rollout: Rollout) -> tuple[Bundle, Bundle]:
        """The champion and the challenger. Raises RegistryError when they cannot be loaded."""
        models = self._models
        return models.bundle(rollout.former.version), models.bundle(rollout.version)

    def begin_counting(self, rollout: Rollout, now: float) -> None:
        """Take the first reading of the counters. Raises ServiceError when Prometheus is away."""
        _add_reading(rollout, self._prometheus.read(now), is_weighted=False)

    def take_counters(self, rollout: Rollout, now: float, *, is_split: bool) -> list[str]:
        """Add the requests since the last reading; `is_split` by a weight, not mirrored."""
        try:
            reading = self._prometheus.read(now)
        except ServiceError as error:
            return [str(error)]
        _add_reading(rollout, reading, is_weighted=is_split)
        return []

    def take_log(self, rollout: Rollout) -> list[str]:
        """Add logged and labelled predictions; what cannot be scored is not read past."""
        try:
            champion, challenger = self.load_models(rollout)
            self._take_predictions(rollout, champion, challenger)
            self._take_labelled(rollout, champion, challenger)
        except PariVisionError as error:
            return [str(error)]
        return []

    def _take_predictions(self, rollout: Rollout, champion: Bundle, challenger: Bundle) -> None:
        for page in islice(self._log.predictions(rollout.predictions_cursor), PAGES):
            batch = evidence.of_predictions(rollout, page.records, champion, challenger)
            if batch is not None:
                rollout.state.add_predictions(batch)
            # Only now: a page that could not be scored is read again.
            rollout.predictions_cursor = page.cursor

    def _take_labelled(self, rollout: Rollout, champion: Bundle, challenger: Bundle) -> None:
        for page in islice(self._log.labelled(rollout.labelled_cursor), PAGES):
            shots = evidence.of_labelled(rollout, page.records, champion, challenger)
            if shots is not None:
                rollout.state.add_labelled(shots)
            rollout.labelled_cursor = page.cursor


def _add_reading(rollout: Rollout, reading: CounterReading, *, is_weighted: bool) -> None:
    """Add the window since the last reading; the first reading only begins one."""
    if rollout.counted_at is not None:
        if reading.at < rollout.counted_at + counters.WINDOW_S:
            return
        # Right after a change of the weight the proxies still split by the former one.
        is_steady = rollout.counted_at >= rollout.weight_since + counters.SETTLE_S
        weight = rollout.weight if is_weighted and is_steady else None
        window = counters.window(rollout.counters, reading, weight)
        rollout.state.add_served(window)
        if rollout.counted_at >= rollout.weight_since:
            rollout.requests_at_weight += window.canary.requests
    # A pod that is gone from Prometheus for a moment must not be counted anew.
    rollout.counters = {**rollout.counters, **reading.counters}
    rollout.counted_at = reading.at
