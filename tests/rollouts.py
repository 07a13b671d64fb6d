"""Rollouts that have just begun."""

from typing import Any

from parivision.canary.record import Rollout
from parivision.kubernetes import Release
from parivision.verdict import Rules, State

NOW = 1_800_000_000.0
RULES = Rules(min_requests=100, min_window_requests=50, min_windows=1, min_predictions=10)


def rollout(version: str = "2", former: str = "1", **values: Any) -> Rollout:
    """A rollout that has just begun, with other values where they are given."""
    given = {"state": State(RULES), "started_at": NOW, "weight_since": NOW, **values}
    return Rollout(
        id=f"{version}-a",
        key=f"{version}-a",
        release=Release("image", version),
        former=Release("image", former),
        **given,
    )
