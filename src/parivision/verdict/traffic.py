"""Served requests as sums: errors, the share that reached the canary, and how fast.

Latency is judged window by window, and errors that begin late are told from the windows' order.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from parivision.verdict.bounds import detector_step, log_odds_ratios
from parivision.verdict.evidence import ServedWindow, Track
from parivision.verdict.rules import Rules

UNIT: Final = 2.0**26
"""Quantities are kept as whole numbers of 1 / UNIT: such sums know no order."""
ERROR_ODDS: Final = (1.5, 2.0, 4.0, 16.0, 256.0)
"""How many times more errors a bad canary makes: the alternatives of the test."""
# On both sides of 1: too few requests on the canary are as wrong as too many.
RATIO_ODDS: Final = (0.02, 0.2, 0.5, 0.8, 0.9, 1 / 0.9, 1.25, 2.0, 5.0, 50.0)
PERCENTILE: Final = 0.99


@dataclass
class Traffic:
    """Sums over windows in which both tracks had requests, or requests were split by a weight."""

    requests: list[int] = field(default_factory=lambda: [0, 0])
    """The primary's and the canary's, as `errors`."""
    errors: list[int] = field(default_factory=lambda: [0, 0])
    expected_errors: int = 0
    """What the canary's would be at the primary's rate of the same window, in units."""
    errors_beyond: int = 0
    """The canary's errors beyond the slack since they began (a CUSUM), in units."""
    error_windows: int = 0
    error_logs: list[float] = field(default_factory=lambda: [-math.inf] * len(ERROR_ODDS))
    """Logs of e-processes whose start is not known, one for each of the odds."""
    weighted: int = 0
    weighted_canary: int = 0
    expected_canary: int = 0
    ratio_logs: list[int] = field(default_factory=lambda: [0] * len(RATIO_ODDS))

    def add(self, served: ServedWindow, rules: Rules) -> None:
        """Take in a window."""
        if served.primary.requests and served.canary.requests:
            self._add_errors(served.primary, served.canary, rules.error_slack)
        if served.weight is not None and 0 < served.weight < 1:
            self._add_ratio(served.primary, served.canary, served.weight)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = {k: list(v) if isinstance(v, list) else v for k, v in vars(self).items()}
        return values | {"error_logs": [_or_none(log) for log in self.error_logs]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        read: dict[str, Any] = {k: list(v) if isinstance(v, list) else v for k, v in values.items()}
        read["error_logs"] = [_or_infinite(log) for log in read["error_logs"]]
        return cls(**read)

    def _add_errors(self, primary: Track, canary: Track, slack: float) -> None:
        """Count errors by the side they fell on.

        When both sides fail at the same rate, a window's errors are drawn from its requests: each
        falls on the canary with the probability of its share. Drawn without replacement they
        spread less than that, so the likelihood ratio is still at most 1 in expectation
        (Hoeffding 1963). A window in which both fail, as in an outage, tells nothing against one.
        Nor does a good time tell for one: the test is a mixture over when the fault began.
        """
        for side, track in enumerate((primary, canary)):
            self.requests[side] += track.requests
            self.errors[side] += track.errors
        expected = canary.requests * primary.errors / primary.requests
        self.expected_errors += round(expected * UNIT)
        # Page's CUSUM (1954, "Continuous inspection schemes", Biometrika 41): it never falls below
        # 0, so it counts from the moment at which the fault seems to have begun.
        beyond = round((canary.errors - expected - slack * canary.requests) * UNIT)
        self.errors_beyond = max(self.errors_beyond + beyond, 0)
        if not primary.errors + canary.errors:
            return
        share = canary.requests / (primary.requests + canary.requests)
        self.error_windows += 1
        for index, (on, off) in enumerate(zip(*log_odds_ratios(share, ERROR_ODDS), strict=True)):
            ratio = canary.errors * on + primary.errors * off
            self.error_logs[index] = detector_step(
                self.error_logs[index], self.error_windows, ratio
            )

    def _add_ratio(self, primary: Track, canary: Track, weight: float) -> None:
        # Likelihood ratios against other odds of the split: after Lindon and Malek (see `bounds`).
        both = primary.requests + canary.requests
        self.weighted += both
        self.weighted_canary += canary.requests
        self.expected_canary += round(both * weight * UNIT)
        on, off = log_odds_ratios(weight, RATIO_ODDS)
        for index, (log_on, log_off) in enumerate(zip(on, off, strict=True)):
            # Rounded for one request and then multiplied: two windows give the same as both in one.
            gained = canary.requests * round(log_on * UNIT)
            self.ratio_logs[index] += gained + primary.requests * round(log_off * UNIT)


@dataclass
class Latency:
    """Windows that were judged so far, and the one that is being filled."""

    windows: int = 0
    slow: int = 0
    log_e: float = -math.inf
    is_last_slow: bool = False
    primary: tuple[int, ...] = ()
    canary: tuple[int, ...] = ()
    bounds_s: tuple[float, ...] = ()
    p99_s: tuple[float, float] = (math.nan, math.nan)
    """Of the last window judged: the primary's and the canary's."""

    def add(self, served: ServedWindow, rules: Rules) -> None:
        """Take in a window; it is judged once both tracks have enough requests."""
        if not (served.primary.latency and served.canary.latency):
            return
        if self.bounds_s != served.bounds_s:  # another version of the service: begin a new window
            self.bounds_s = served.bounds_s
            self._empty()
        self.primary = _added(self.primary, served.primary.latency)
        self.canary = _added(self.canary, served.canary.latency)
        if min(sum(self.primary), sum(self.canary)) >= rules.min_window_requests:
            self._judge(rules)
            self._empty()

    def so_far_s(self) -> tuple[float, float]:
        """The primary's and the canary's p99 in the window being filled, or else in the last."""
        primary, canary = (
            percentile_s(counts, self.bounds_s) for counts in (self.primary, self.canary)
        )
        is_known = math.isfinite(primary) and math.isfinite(canary)
        return (primary, canary) if is_known else self.p99_s

    @staticmethod
    def limit_s(primary_s: float, rules: Rules) -> float:
        """What the canary's p99 may be."""
        return primary_s * rules.latency_ratio + rules.latency_floor_s

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, which knows no infinity and no NaN: None stands for both."""
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        values["p99_s"] = [v if math.isfinite(v) else None for v in self.p99_s]
        return values | {"log_e": _or_none(self.log_e)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        read: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        read["log_e"] = _or_infinite(read["log_e"])
        read["p99_s"] = tuple(math.nan if v is None else v for v in read["p99_s"])
        return cls(**read)

    def _judge(self, rules: Rules) -> None:
        self.p99_s = (
            percentile_s(self.primary, self.bounds_s),
            percentile_s(self.canary, self.bounds_s),
        )
        self.is_last_slow = self.p99_s[1] > self.limit_s(self.p99_s[0], rules)
        self.windows += 1
        self.slow += self.is_last_slow
        # The bet: a window is slow with the fault's probability, and not with the null hypothesis'.
        null, fault = rules.slow_rate, rules.slow_rate_at_fault
        ratio = fault / null if self.is_last_slow else (1 - fault) / (1 - null)
        self.log_e = detector_step(self.log_e, self.windows, math.log(ratio))

    def _empty(self) -> None:
        self.primary = self.canary = (0,) * (len(self.bounds_s) + 1)


def percentile_s(counts: Sequence[int], bounds_s: Sequence[float], at: float = PERCENTILE) -> float:
    """A percentile from counts in buckets, straight inside a bucket; NaN without requests.

    As Prometheus' histogram_quantile does it: above the last bound nothing is known, and the
    last bound is the answer.
    """
    wanted, below, low = at * sum(counts), 0, 0.0
    if not wanted:
        return math.nan
    for count, bound in zip(counts, bounds_s, strict=False):
        if below + count >= wanted:
            return low + (bound - low) * (wanted - below) / count
        below, low = below + count, bound
    return low


def _added(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _or_none(log: float) -> float | None:
    return log if math.isfinite(log) else None


def _or_infinite(log: float | None) -> float:
    return -math.inf if log is None else log
