"""The service's logs: what it predicted, and the outcomes that it was told."""

import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parivision import telemetry
from parivision.prediction_log.batch import OUTCOMES, PREDICTIONS, Store, instant, open_store
from parivision.prediction_log.lines import Columns, Entry, Record, blocks, line
from parivision.prediction_log.log import LogState, RecordLog
from parivision.prediction_log.records import prediction
from parivision.prediction_log.spill import Spill
from parivision.serving.predictor import ChampionRecord
from parivision.serving.shot import Shot
from parivision.serving.trace import NO_TRACE, Trace
from parivision.shots.facts import Floats


@dataclass(frozen=True)
class Logs:
    """Both logs; they come and go together."""

    predictions: RecordLog
    outcomes: RecordLog

    @classmethod
    def open(cls, url: str, spill: Spill, champion: ChampionRecord, track: str) -> "Logs":
        """Logs into the store at `url` (`prediction_log.open_store`), which need not be there."""

        def connect() -> Store:
            return open_store(url)

        return cls.into(connect, spill, champion, track)

    @classmethod
    def into(
        cls, connect: Callable[[], Store], spill: Spill, champion: ChampionRecord, track: str
    ) -> "Logs":
        """Logs into a store that is opened when it is first written to."""
        shared = {
            "model": champion.name,
            "version": champion.version,
            "track": track,
            "pod": platform.node(),
        }
        predictions = RecordLog(PREDICTIONS, connect, spill, shared)
        return cls(predictions, RecordLog(OUTCOMES, connect, spill))

    def predicted(self, id_: str, shot: Shot, p_made: float, trace: Trace = NO_TRACE) -> None:
        """Log an answer to one shot."""
        record = prediction(id_, instant(time.time()), shot, p_made)
        if trace is not NO_TRACE:
            record.update(trace.fields)
        game = shot.get("game_id")
        self.predictions.add((Entry(line(record), 1, () if game is None else (game,)),))

    def predicted_many(
        self, id_: str, columns: Columns, p_made: Floats, trace: Trace = NO_TRACE
    ) -> None:
        """Log the answers to the shots of a request, which are in columns."""
        at = instant(time.time())
        self.predictions.add(blocks(id_, at, columns, p_made.tolist(), trace.fields))

    def add_outcomes(self, outcomes: Sequence[Record]) -> bool:
        """Log outcomes, all or none; False when there is no room for them."""
        return self.outcomes.add([Entry(line(outcome)) for outcome in outcomes])

    def close(self) -> None:
        """Bring what was taken to the store or to disk; see `RecordLog.close`."""
        # Both begin before one is waited for, so they share the seconds that a stop may take.
        self.outcomes.stop()
        self.predictions.close()
        self.outcomes.close()


def spill_to(folder: Path, max_mb: int) -> Spill:
    """Where the logs spill to, half of it each."""
    # Each log counts its own bytes only.
    return Spill(folder, max_mb * 2**20 // 2)


class LogCounts(Collector):
    """The logs' counts for Prometheus, for one model version."""

    def __init__(self, logs: Logs, version: str) -> None:
        self._logs = {PREDICTIONS: logs.predictions, OUTCOMES: logs.outcomes}
        self._version = version

    def collect(self) -> Iterator[Metric]:
        """All counts, for prometheus_client."""
        states = {kind: log.state() for kind, log in self._logs.items()}
        for name, words, value in _GAUGES:
            yield self._filled(GaugeMetricFamily(name, words, labels=_LABELS), states, value)
        for name, words, value in _COUNTERS:
            yield self._filled(CounterMetricFamily(name, words, labels=_LABELS), states, value)
        dropped = CounterMetricFamily(
            telemetry.LOG_DROPPED, "Records lost.", labels=[*_LABELS, telemetry.REASON]
        )
        for kind, state in states.items():
            for reason, count in state.dropped.items():
                dropped.add_metric([self._version, kind, reason], count)
        yield dropped

    def _filled(
        self,
        family: GaugeMetricFamily | CounterMetricFamily,
        states: dict[str, LogState],
        value: Callable[[LogState], float],
    ) -> Metric:
        for kind, state in states.items():
            family.add_metric([self._version, kind], value(state))
        return family


_LABELS = (telemetry.MODEL_VERSION, telemetry.KIND)
_GAUGES: tuple[tuple[str, str, Callable[[LogState], float]], ...] = (
    (telemetry.LOG_QUEUED, "Records in memory.", lambda state: state.queued),
    (telemetry.LOG_SPILL_BYTES, "Bytes that wait on disk.", lambda state: state.spill_bytes),
    (telemetry.LOG_LAG, "Age of the oldest record not stored.", lambda state: state.lag_s),
)
_COUNTERS: tuple[tuple[str, str, Callable[[LogState], float]], ...] = (
    (telemetry.LOG_WRITTEN, "Records stored.", lambda state: state.written),
    (telemetry.LOG_SPILLED, "Records that went to disk first.", lambda state: state.spilled),
    (telemetry.LOG_ERRORS, "Times that the log was held up.", lambda state: state.errors),
)
