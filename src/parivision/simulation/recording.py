"""Rollouts as they went, in a small JSON file: what the picture of a demo is drawn from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self

from parivision import durable
from parivision.errors import DataError

CLUSTER: Final = "a cluster"
SIMULATION: Final = "simulated servers"
POINTS: Final = 80
"""Points of a rollout that are kept; a picture shows no more."""
_FIELDS: Final = ("elapsed_s", "weight", "labelled", "difference", "low", "high")


@dataclass(frozen=True)
class RecordedRollout:
    """One challenger's rollout.

    `outcome` is how it ended, such as promoted or rolled_back. Each of `points` has `elapsed_s`,
    the canary's share `weight` from 0 to 1, the `labelled` shots so far, and the `difference` of
    log loss to the champion's with its bounds `low` and `high`, None before there are any.
    """

    name: str
    version: str
    former: str
    outcome: str
    reason: str
    points: Sequence[Mapping[str, float | None]]

    @classmethod
    def of(cls, name: str, described: Mapping[str, Any]) -> Self:
        """A rollout as the verdict service describes it (`canary.views.described`)."""
        # What comes after the promotion is the watch, on a clock of its own.
        began = [point["elapsed_s"] for point in described["history"]]
        length = next((i for i in range(1, len(began)) if began[i] < began[i - 1]), len(began))
        judged = described["history"][:length]
        step = max(1, -(-len(judged) // POINTS))
        # The last point always stays: it is the one that decided.
        kept = [*judged[:-1:step], *judged[-1:]]
        return cls(
            name=name,
            version=str(described["version"]),
            former=str(described["former"]),
            outcome=str(described["end"]),
            reason=str(described["reason"]),
            points=[{field: _rounded(point.get(field)) for field in _FIELDS} for point in kept],
        )


@dataclass(frozen=True)
class Recording:
    """What was recorded, where (`source`: `CLUSTER` or `SIMULATION`), and on which day."""

    source: str
    recorded_on: str
    rollouts: Sequence[RecordedRollout]

    def save(self, path: Path) -> None:
        """Write it as JSON."""
        durable.put_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises DataError when the file is none."""
        try:
            values = json.loads(path.read_text("utf-8"))
            rollouts = [RecordedRollout(**rollout) for rollout in values["rollouts"]]
            return cls(values["source"], values["recorded_on"], rollouts)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no recording of rollouts ({error}): give one that "
                "`parivision rollout demo --record` wrote"
            ) from error


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), 5)
