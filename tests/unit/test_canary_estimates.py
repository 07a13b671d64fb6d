"""What the verdict service expects of the champion, and what outcomes say of that."""

import numpy as np
import pytest

from parivision import telemetry
from parivision.canary.estimates import BACK, BLOCK, EVERY_S, WINDOW, Expected
from parivision.canary.log_reader import ServedLog
from parivision.canary.metrics import Estimates
from parivision.prediction_log import OUTCOMES, PREDICTIONS, RecordBatch
from parivision.prediction_log.batch import instant
from parivision.prediction_log.records import outcome
from parivision.scoring import estimated, metrics
from rollout_stores import MemoryStore


class Traffic:
    """Predictions of pods and their outcomes, in a log that is followed."""

    def __init__(self, folder):
        self.store = MemoryStore()
        self.folder = folder
        self.random = np.random.default_rng(7)
        self.now = 0.0
        self.numbers = {}
        self.restart()

    def restart(self):
        """Another process, which knows only what is stored."""
        index = self.folder / f"labels-{self.now}.db"
        self.expected = Expected(ServedLog(self.store, index), clock=lambda: self.now)

    def append(self, kind, stream, records, shared=None):
        """Another batch of a stream."""
        number = self.numbers[stream] = self.numbers.get(stream, -1) + 1
        self.store.append(RecordBatch(kind, stream, number, records, shared or {}))

    def serve(self, count, *, version="1", track="primary", pod="a", ends=None, spread=0.25):
        """Predict shots, and let them end with chance `ends(p)`; returns probabilities, ends."""
        self.now += EVERY_S
        p_made = self.random.uniform(0.5 - spread, 0.5 + spread, count)
        ids = [f"{pod}-{self.now}-{row}" for row in range(count)]
        at = instant(1_800_000_000 + self.now)
        predictions = [
            {"id": id_, "at": at, "p_made": float(p), "facts": {}}
            for id_, p in zip(ids, p_made, strict=True)
        ]
        shared = {"model": "shots", "version": version, "track": track, "pod": pod}
        self.append(PREDICTIONS, f"{pod}-{version}", predictions, shared)
        if ends is None:
            return p_made, None
        made = self.random.uniform(size=count) < ends(p_made)
        outcomes = [outcome(i, at, made=bool(m)) for i, m in zip(ids, made, strict=True)]
        self.append(OUTCOMES, f"outcomes-{pod}", outcomes)
        return p_made, made

    def scores(self):
        """What is known after a look."""
        self.expected.step()
        return self.expected.scores


@pytest.fixture
def traffic(tmp_path):
    """A log with nothing in it."""
    return Traffic(tmp_path)


def test_nothing_is_said_of_too_few_predictions(traffic):
    """No estimate, and no metric, until there are enough."""
    assert traffic.scores() is None
    traffic.serve(estimated.MIN_SHOTS - 1)
    assert traffic.scores() is None
    assert not list(Estimates(traffic.expected).collect())
    traffic.serve(1)
    assert traffic.scores().n_shots == estimated.MIN_SHOTS


def test_the_estimate_is_of_the_newest_predictions_of_what_serves(traffic):
    """Canaries and shadows do not count, nor the version before, nor what is long past."""
    traffic.serve(400, version="1")
    traffic.serve(400, version="2", track="canary", pod="b")
    first, _ = traffic.serve(400, version="2", pod="b")
    said = traffic.scores()
    assert (said.version, said.n_shots) == ("2", 400)
    assert said.log_loss.value == pytest.approx(estimated.log_loss(first).value)
    for _ in range(WINDOW // 500 + 1):
        newest, _ = traffic.serve(500, version="2", pod="a")
    said = traffic.scores()
    assert said.n_shots == WINDOW
    assert newest.mean() == pytest.approx(0.5, abs=0.1)


def test_what_outcomes_show_is_held_against_what_was_expected(traffic):
    """The real values of a block are the metrics' own; right probabilities are inside."""
    p_made, made = traffic.serve(BLOCK, ends=lambda p: p)
    said = traffic.scores()
    assert said.real_log_loss.value == metrics.log_loss(made, p_made)
    assert said.real_roc_auc.value == metrics.roc_auc(made, p_made)
    assert said.real_log_loss.estimate.holds(said.real_log_loss.value)
    assert abs(said.real_log_loss.beyond) < 1


def test_shots_that_end_otherwise_are_outside_and_widen_the_interval(traffic):
    """The same shots go in much less often: that shows, and the next interval knows it can be."""
    traffic.serve(BLOCK, ends=lambda p: p)
    before = traffic.scores().log_loss
    traffic.serve(BLOCK, ends=lambda p: 1 - p)
    said = traffic.scores()
    assert said.real_log_loss.beyond > 1
    assert said.real_roc_auc.beyond < -1
    assert said.log_loss.high - said.log_loss.low > before.high - before.low
    found = {
        (sample.name, sample.labels.get(telemetry.SCORE)): sample
        for family in Estimates(traffic.expected).collect()
        for sample in family.samples
    }
    beyond = found[telemetry.OBSERVED_BEYOND, "log_loss"]
    assert beyond.value == said.real_log_loss.beyond
    assert beyond.labels[telemetry.MODEL_VERSION] == "1"
    assert found[telemetry.ESTIMATED_LOG_LOSS_LOW, None].value == said.log_loss.low


def test_a_correction_is_not_a_second_shot(traffic):
    """An outcome that is taken back fills no block."""
    traffic.serve(BLOCK - 1, ends=lambda p: p)
    traffic.expected.step()
    first = next(iter(traffic.store.batches))
    batch = traffic.store.batches[first]
    later = instant(1_900_000_000)
    ids = [record["id"] for record in batch.records]
    for made in (True, False):
        traffic.append(OUTCOMES, f"taken back {made}", [outcome(i, later, made=made) for i in ids])
    traffic.now += EVERY_S
    assert traffic.scores().real_log_loss is None


def test_a_block_of_one_outcome_is_left_out(traffic):
    """When every shot of it went in there is no ranking to score."""
    traffic.serve(BLOCK, ends=lambda p: p > -1)
    assert traffic.scores().real_log_loss is None


def test_a_restart_knows_what_it_knew(traffic):
    """From the newest part of the log, and not more of it."""
    for _ in range(BACK + 5):
        traffic.serve(100, ends=lambda p: p)
        traffic.expected.step()
    before = traffic.scores()
    traffic.restart()
    after = traffic.scores()
    assert after.log_loss.value == pytest.approx(before.log_loss.value)
    assert after.real_log_loss is not None
    assert after.n_shots == WINDOW


def test_it_looks_only_so_often(traffic):
    """The loop goes round every few seconds; the log is read less often."""
    traffic.serve(400)
    assert traffic.scores().n_shots == 400
    traffic.serve(400)
    traffic.now -= 1
    assert traffic.scores().n_shots == 400
    traffic.now += 1
    assert traffic.scores().n_shots == 800
