"""The status that is kept on the Canary, for `deploy` and for people."""

from collections.abc import Mapping
from typing import Any, Final

from parivision.canary.interfaces import RolloutTargetLike
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.views import status_of
from parivision.kubernetes.canary import CanaryState

REFRESH_S: Final = 60.0
"""Numbers alone are published so often: each time is a write to the Kubernetes API."""


class StatusPublisher:
    """Writes the status when it has news, or is old."""

    def __init__(self, known: KnownRollouts, target: RolloutTargetLike) -> None:
        self._known = known
        self._target = target
        self._published_at = 0.0

    def publish(self, canary: CanaryState, now: float) -> None:
        """Bring the Canary's status up to date. Raises ServiceError."""
        status = status_of(self._known.all())
        is_news = _news_in(status) != _news_in(canary.status)
        if status and (is_news or now - self._published_at >= REFRESH_S):
            self._target.publish(status)
            self._published_at = now


def _news_in(status: Mapping[str, Any]) -> Any:
    """What of a status is news when it changes: not every number."""
    checks = [(check["name"], check["outcome"]) for check in status.get("checks", ())]
    names = ("rollout", "stage", "end", "outcome", "action", "weight", "ended")
    return [status.get(name) for name in names], checks
