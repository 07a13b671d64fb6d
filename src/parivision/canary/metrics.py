"""Rollouts and estimates as metrics; the names are `parivision.telemetry`'s."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parivision import telemetry
from parivision.canary.estimates import Expected
from parivision.canary.record import Rollout, RolloutStage
from parivision.canary.watcher import Watcher
from parivision.promotion.ends import LOST_ENDS, End

_OUTCOMES: Final = {"pass": 1.0, "not yet": 0.0, "fail": -1.0}


class _Values(Collector):
    """Values that are read when Prometheus asks, and not before."""

    def describe(self) -> Iterable[Metric]:
        """Nothing: that would ask for the values when it is registered."""
        return ()


class Estimates(_Values):
    """What is expected of the champion, once enough is known, for prometheus_client."""

    def __init__(self, expected: Expected) -> None:
        self._expected = expected

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        scores = self._expected.scores
        if scores is None:
            return
        loss, auc = scores.log_loss, scores.roc_auc
        for name, value in (
            (telemetry.ESTIMATED_LOG_LOSS, loss.value),
            (telemetry.ESTIMATED_LOG_LOSS_LOW, loss.low),
            (telemetry.ESTIMATED_LOG_LOSS_HIGH, loss.high),
            (telemetry.ESTIMATED_ROC_AUC, auc.value),
            (telemetry.ESTIMATED_ROC_AUC_LOW, auc.low),
            (telemetry.ESTIMATED_ROC_AUC_HIGH, auc.high),
            (telemetry.ESTIMATED_SHOTS, float(scores.n_shots)),
        ):
            yield _gauge(name, "Expected before outcomes come.", scores.version, value)
        real_loss, real_auc = scores.real_log_loss, scores.real_roc_auc
        if real_loss is None or real_auc is None:
            return
        about = "As the newest outcomes tell."
        yield _gauge(telemetry.OBSERVED_LOG_LOSS, about, scores.version, real_loss.value)
        yield _gauge(telemetry.OBSERVED_ROC_AUC, about, scores.version, real_auc.value)
        labels = [telemetry.MODEL_VERSION, telemetry.SCORE]
        beyond = GaugeMetricFamily(telemetry.OBSERVED_BEYOND, "Above the estimate.", labels=labels)
        beyond.add_metric([scores.version, "log_loss"], real_loss.beyond)
        beyond.add_metric([scores.version, "roc_auc"], real_auc.beyond)
        yield beyond


def _gauge(name: str, about: str, version: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, about, labels=[telemetry.MODEL_VERSION])
    family.add_metric([version], value)
    return family


class Exports(_Values):
    """What the watcher saw last, for prometheus_client."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    def collect(self) -> Iterator[Metric]:
        """All metrics."""
        view = self._watcher.view
        yield GaugeMetricFamily(telemetry.VERDICT_LOOKED, "When it last looked.", value=view.at)
        troubles = float(len(view.troubles))
        yield GaugeMetricFamily(
            telemetry.VERDICT_TROUBLES, "Sources of evidence that are away.", value=troubles
        )
        ended = CounterMetricFamily(
            telemetry.ROLLOUTS, "Rollouts that came out.", labels=[telemetry.OUTCOME]
        )
        counts = Counter(rollout.end for rollout in view.rollouts if rollout.end)
        for end in End:
            if end:
                ended.add_metric([end.value], counts[end])
        yield ended
        yield from _last_rollback(view.rollouts)
        if view.rollouts:
            yield from _of_rollout(view.rollouts[-1])


def _last_rollback(rollouts: Iterable[Rollout]) -> Iterator[Metric]:
    bad = [(r.ended_at, r.version) for r in rollouts if r.end in LOST_ENDS and r.ended_at]
    if not bad:
        return
    # A champion that a person had replaced began before rollouts that failed meanwhile.
    ended_at, version = max(bad)
    family = GaugeMetricFamily(
        telemetry.ROLLOUT_ROLLED_BACK, "When the last one was rolled back.", labels=["version"]
    )
    family.add_metric([version], ended_at)
    yield family


def _of_rollout(rollout: Rollout) -> Iterator[Metric]:
    info = GaugeMetricFamily(
        telemetry.ROLLOUT_INFO, "The newest rollout.", labels=["version", "former", "stage"]
    )
    info.add_metric([rollout.version, rollout.former.version, rollout.stage.value], 1.0)
    yield info
    if rollout.stage is RolloutStage.ENDED:
        return
    yield GaugeMetricFamily(telemetry.ROLLOUT_WEIGHT, "Share of the canary.", value=rollout.weight)
    yield GaugeMetricFamily(telemetry.ROLLOUT_STARTED, "When it began.", value=rollout.started_at)
    checks = GaugeMetricFamily(
        telemetry.ROLLOUT_CHECK, "1 pass, 0 not yet, -1 fail.", labels=[telemetry.CHECK]
    )
    for check in rollout.verdict.get("checks", ()):
        checks.add_metric([check["name"]], _OUTCOMES[check["outcome"]])
    yield checks
    last = rollout.history[-1] if rollout.history else {}
    for name, key in _EVIDENCE:
        if last.get(key) is not None:
            yield GaugeMetricFamily(name, f"{key} of the newest rollout.", value=float(last[key]))


_EVIDENCE: Final = (
    (telemetry.ROLLOUT_PREDICTIONS, "predictions"),
    (telemetry.ROLLOUT_LABELLED, "labelled"),
    (telemetry.ROLLOUT_DIFFERENCE, "difference"),
    (telemetry.ROLLOUT_LOW, "low"),
    (telemetry.ROLLOUT_HIGH, "high"),
)
