"""What one check answers: pass, fail or not yet, with the reason and its numbers."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class CheckResult(StrEnum):
    """The three answers. Missing, broken or thin evidence is never a pass."""

    PASS = "pass"  # noqa: S105 (no password)
    FAIL = "fail"
    NOT_YET = "not yet"


class Cause(StrEnum):
    """Why a check failed; in the order in which one explains the others."""

    OTHER_VERSION = "other version"
    PARITY = "parity"
    NO_PROBABILITY = "no probability"
    ERRORS = "errors"
    LATENCY = "latency"
    SAMPLE_RATIO = "sample ratio"
    NO_SPREAD = "no spread"
    MISCALIBRATED = "miscalibrated"
    SEGMENT = "one segment"
    WORSE = "worse"
    SEGMENTS = "segments"
    CALIBRATION = "calibration"
    SHIFTED = "shifted"


_ORDER = {cause: rank for rank, cause in enumerate(Cause)}


@dataclass(frozen=True)
class Check:
    """One check's answer. `reason` is a sentence; `evidence` holds the numbers it is made of.

    `cause` is None unless the check failed; `segment` names the class that a failure is about
    ("zone: corner 3"), if it is about one.
    """

    name: str
    outcome: CheckResult
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    cause: Cause | None = None
    segment: str | None = None

    @property
    def rank(self) -> int:
        """How much a failure explains: the lowest comes first."""
        return len(_ORDER) if self.cause is None else _ORDER[self.cause]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; None for what is not a number."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "reason": self.reason,
            "cause": self.cause and self.cause.value,
            "segment": self.segment,
            "evidence": {name: _plain(value) for name, value in self.evidence.items()},
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    # JSON knows neither NaN nor infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value
