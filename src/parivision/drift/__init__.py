"""Drift: what is kept of the champion's training data, and how current shots are judged by it.

`build_reference` makes the reference when a champion is trained; `detect` compares later shots
with it and answers with a `DriftSummary`: which columns moved, and whether shots still go in as
often as the champion says.
"""

from parivision.drift.columns import MONITORED, MONITORED_NAMES
from parivision.drift.detect import detect
from parivision.drift.reference import DriftReference, build_reference
from parivision.drift.summary import ColumnDrift, DriftSummary, Performance, PerformanceCheck

__all__ = [
    "MONITORED",
    "MONITORED_NAMES",
    "ColumnDrift",
    "DriftReference",
    "DriftSummary",
    "Performance",
    "PerformanceCheck",
    "build_reference",
    "detect",
]
