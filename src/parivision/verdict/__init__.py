"""Judge a challenger against the champion: served, logged and labelled evidence, at any time."""

from parivision.verdict.check import Cause, Check, Outcome
from parivision.verdict.decide import REQUIRED, Action, Stage, Verdict, judge
from parivision.verdict.evidence import SEGMENTS, Labelled, Predictions, Segments, Served, Track
from parivision.verdict.rules import Alphas, Policy, Rules
from parivision.verdict.state import State

__all__ = [
    "REQUIRED",
    "SEGMENTS",
    "Action",
    "Alphas",
    "Cause",
    "Check",
    "Labelled",
    "Outcome",
    "Policy",
    "Predictions",
    "Rules",
    "Segments",
    "Served",
    "Stage",
    "State",
    "Track",
    "Verdict",
    "judge",
]
