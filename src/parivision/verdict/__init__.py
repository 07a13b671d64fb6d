"""Judge a challenger against the champion: served, logged and labelled evidence, at any time."""

from parivision.verdict.check import Cause, Check, CheckResult
from parivision.verdict.decide import REQUIRED, Action, Verdict, VerdictStage, judge
from parivision.verdict.evidence import (
    LabelledShots,
    LoggedPredictions,
    Segments,
    ServedWindow,
    Track,
)
from parivision.verdict.rules import Alphas, Policy, Rules
from parivision.verdict.state import State

__all__ = [
    "REQUIRED",
    "Action",
    "Alphas",
    "Cause",
    "Check",
    "CheckResult",
    "LabelledShots",
    "LoggedPredictions",
    "Policy",
    "Rules",
    "Segments",
    "ServedWindow",
    "State",
    "Track",
    "Verdict",
    "VerdictStage",
    "judge",
]
