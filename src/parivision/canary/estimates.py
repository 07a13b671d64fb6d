"""How well the champion does on what it serves now, estimated, and checked when outcomes come.

The newest predictions of the primary give the estimate (`parivision.scoring.estimated`). Each time
so many of one version's got their first outcome, the real values of that block are held against
what was estimated for it, and the interval learns how wide it has to be. Nothing is stored: after a
restart the newest part of the log is read again.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

import numpy as np

from parivision.prediction_log.join import Page
from parivision.prediction_log.records import LabelledPrediction, ServedPrediction
from parivision.scoring import estimated
from parivision.scoring.estimated import Estimate, Surprise
from parivision.scoring.metrics import log_loss, roc_auc

WINDOW: Final = 5000
"""Predictions that the estimate is of, at most: the newest."""
BLOCK: Final = 500
"""Labelled predictions that are held against their estimate together."""
EVERY_S: Final = 30.0
PAGES: Final = 200
"""Pages of the log in one step."""
BACK: Final = 50
"""Batches of each stream that are read when nothing is known."""
TRACK: Final = "primary"


class RecentPredictions(Protocol):
    """The prediction log: `ServedLog`."""

    def recent(self, batches: int) -> tuple[str, str]: ...  # noqa: D102
    def predictions(self, cursor: str) -> Iterator[Page[ServedPrediction]]: ...  # noqa: D102
    def labelled(self, cursor: str) -> Iterator[Page[LabelledPrediction]]: ...  # noqa: D102


@dataclass(frozen=True)
class Real:
    """A score of a block as its outcomes tell it, and as it was estimated."""

    value: float
    estimate: Estimate

    @property
    def beyond(self) -> float:
        """How far it is above the estimate, in half widths of the interval: 1 is its end."""
        return (self.value - self.estimate.value) / (self.estimate.high - self.estimate.value)


@dataclass(frozen=True)
class VersionScores:
    """What is known of a version: estimates of what it serves now, and its newest block."""

    version: str
    n_shots: int
    log_loss: Estimate
    roc_auc: Estimate
    real_log_loss: Real | None
    real_roc_auc: Real | None


@dataclass
class _Block:
    """Labelled predictions of one version, until there are enough."""

    p_made: list[float] = field(default_factory=list)
    made: list[bool] = field(default_factory=list)


class Expected:
    """Follows the log; belongs to one thread, `scores` may be read by any."""

    def __init__(
        self, log: RecentPredictions, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._clock = clock
        self._read_at: float | None = None
        self._cursors: tuple[str, str] | None = None
        self._newest: list[ServedPrediction] = []
        self._blocks: dict[str, _Block] = {}
        self._real: dict[str, tuple[Real, Real]] = {}
        self._surprise: tuple[Surprise, Surprise] = (estimated.LOG_LOSS, estimated.ROC_AUC)
        self.scores: VersionScores | None = None

    def step(self) -> None:
        """Read the log when it is time to. Raises StoreError; what was read before stays read."""
        now = self._clock()
        if self._read_at is not None and now < self._read_at + EVERY_S:
            return
        # Noted before it is read: a store that is away is not asked at every step either.
        self._read_at = now
        if self._cursors is None:
            self._cursors = self._log.recent(BACK)
        self._take_labelled()
        self._take_predictions()
        self.scores = self._scored()

    def _take_predictions(self) -> None:
        assert self._cursors is not None  # noqa: S101 - `step` has set them
        for page in islice(self._log.predictions(self._cursors[0]), PAGES):
            self._newest += [p for p in page.records if p.track == TRACK]
            self._cursors = (page.cursor, self._cursors[1])
        # Pods write their own streams, which come one after the other.
        self._newest = sorted(self._newest, key=lambda prediction: prediction.at)[-WINDOW:]

    def _take_labelled(self) -> None:
        assert self._cursors is not None  # noqa: S101 - `step` has set them
        for page in islice(self._log.labelled(self._cursors[1]), PAGES):
            for labelled in page.records:
                if labelled.was is None and labelled.served.track == TRACK:
                    self._take(labelled)
            self._cursors = (self._cursors[0], page.cursor)

    def _take(self, labelled: LabelledPrediction) -> None:
        block = self._blocks.setdefault(labelled.served.version, _Block())
        block.p_made.append(labelled.served.p_made)
        block.made.append(labelled.made)
        if len(block.made) < BLOCK:
            return
        del self._blocks[labelled.served.version]
        if len(set(block.made)) == 1:  # no ranking to be scored, nor a likely block
            return
        # Held against the interval as it was before: this block may widen it for the next one only.
        real = self._held(np.array(block.p_made), np.array(block.made))
        self._real[labelled.served.version] = real
        self._surprise = (
            self._surprise[0].after(real[0].estimate, real[0].value),
            self._surprise[1].after(real[1].estimate, real[1].value),
        )

    def _held(self, p_made: np.ndarray, made: np.ndarray) -> tuple[Real, Real]:
        of_loss, of_auc = self._surprise
        loss, auc = log_loss(made, p_made), roc_auc(made, p_made)
        return (
            Real(loss, estimated.log_loss(p_made, of_loss)),
            Real(auc, estimated.roc_auc(p_made, of_auc)),
        )

    def _scored(self) -> VersionScores | None:
        if not self._newest:
            return None
        # Two versions are on the primary's track while a promotion replaces its pods one by one.
        version = self._newest[-1].version
        p_made = np.array([p.p_made for p in self._newest if p.version == version])
        if len(p_made) < estimated.MIN_SHOTS:
            return None
        of_loss, of_auc = self._surprise
        real = self._real.get(version, (None, None))
        return VersionScores(
            version=version,
            n_shots=len(p_made),
            log_loss=estimated.log_loss(p_made, of_loss),
            roc_auc=estimated.roc_auc(p_made, of_auc),
            real_log_loss=real[0],
            real_roc_auc=real[1],
        )
