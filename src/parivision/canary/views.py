"""What others see of rollouts: the last step, the Canary's status, JSON, and points of a plot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from parivision.canary.record import Rollout, RolloutStage
from parivision.canary.ruling import Ruling
from parivision.kubernetes.canary import CanaryState
from parivision.verdict import Verdict

ENDED: Final = 5
"""Rollouts that came out and are still named on the Canary."""
_CHARACTERS: Final = 500


@dataclass(frozen=True)
class View:
    """What the last step saw, for those who only look: pages, metrics and webhooks.

    `ruling` is on the rollout whose key is `ruled_key`; None when nothing was ruled on. `troubles`
    are the sources that were away, a sentence each.
    """

    at: float
    canary: CanaryState | None
    rollouts: Sequence[Rollout]
    ruling: Ruling | None
    ruled_key: str
    troubles: Sequence[str]

    @classmethod
    def of(
        cls,
        canary: CanaryState | None,
        rollouts: Sequence[Rollout],
        ruling: Ruling | None,
        troubles: Sequence[str],
        now: float,
    ) -> Self:
        """The view of a step that began at `now`."""
        key = canary.key if canary is not None else ""
        return cls(now, canary, tuple(rollouts), ruling, key, tuple(troubles))


def status_of(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """The Canary's status: the newest rollout, and how the last ones came out, by key."""
    if not rollouts:
        return {}
    newest = rollouts[-1]
    ended = [rollout for rollout in rollouts if rollout.end][-ENDED:]
    return {
        "rollout": newest.id,
        "key": newest.key,
        "version": newest.version,
        "former": newest.former.version,
        "stage": newest.stage.value,
        "end": newest.end.value,
        "weight": newest.weight,
        "outcome": newest.verdict.get("outcome", "not yet"),
        "action": newest.verdict.get("action", "hold"),
        "reason": _short(newest.reason or str(newest.verdict.get("reason", ""))),
        "checks": [
            {"name": c["name"], "outcome": c["outcome"], "reason": _short(c["reason"])}
            for c in newest.verdict.get("checks", ())
        ],
        "ended": {
            rollout.key: {
                "version": rollout.version,
                "outcome": rollout.end.value,
                "reason": _short(rollout.reason),
            }
            for rollout in ended
        },
    }


def described(rollout: Rollout) -> dict[str, Any]:
    """Everything about a rollout that people may want to see, as plain values for JSON."""
    return {
        "id": rollout.id,
        "version": rollout.version,
        "former": rollout.former.version,
        "image": rollout.release.image,
        "stage": rollout.stage.value,
        "end": rollout.end.value,
        "reason": rollout.reason or rollout.verdict.get("reason", ""),
        "order": rollout.order.value,
        "ordered_by": rollout.ordered_by,
        "ordered_why": rollout.ordered_why,
        "started_at": rollout.started_at,
        "promoted_at": rollout.promoted_at,
        "ended_at": rollout.ended_at,
        "weight": rollout.weight,
        "requests_at_weight": rollout.requests_at_weight,
        "verdict": rollout.verdict,
        "history": rollout.history,
    }


def point_of(rollout: Rollout, verdict: Verdict, now: float) -> dict[str, Any]:
    """The evidence and its bounds at one moment."""
    quality = _evidence(verdict, "quality")
    traffic = rollout.state.traffic
    began_at = rollout.promoted_at if rollout.stage is RolloutStage.WATCHING else rollout.started_at
    return {
        "elapsed_s": round(now - (began_at or now), 1),
        "at": round(now, 1),
        "weight": rollout.weight,
        "requests_primary": traffic.requests[0],
        "requests_canary": traffic.requests[1],
        "errors_primary": traffic.errors[0],
        "errors_canary": traffic.errors[1],
        "predictions": rollout.state.champion.n + rollout.state.challenger.n,
        "labelled": quality.get("shots", 0),
        "difference": quality.get("difference"),
        "low": quality.get("low"),
        "high": quality.get("high"),
        "outcomes": {check.name: check.outcome.value for check in verdict.checks},
    }


def _evidence(verdict: Verdict, name: str) -> Mapping[str, Any]:
    for check in verdict.checks:
        if check.name == name:
            return check.evidence
    return {}


def _short(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"
