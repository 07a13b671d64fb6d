"""What Alertmanager posts to a webhook: which firing alerts ask for a retraining.

The format is version 4 of its webhook's JSON. An alert asks by a label that its rule sets.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from parivision.errors import DataError

LABEL: Final = "retrain"
MOST_BYTES: Final = 2**20
_VERSION: Final = "4"
_NAME: Final = "alertname"
_SHOWN: Final = 5


@dataclass(frozen=True)
class Notice:
    """The alerts of a message that ask for a retraining: their names and summaries, each once."""

    alerts: tuple[tuple[str, str], ...]

    @property
    def cause(self) -> str:
        """Why a run is started, in a line."""
        causes = [
            f"{name}: {summary}" if summary else name for name, summary in self.alerts[:_SHOWN]
        ]
        more = len(self.alerts) - len(causes)
        return "; ".join(causes) + (f"; and {more} more" if more else "")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the alerts, each once."""
        return tuple(dict.fromkeys(name for name, _ in self.alerts))


def read(body: bytes) -> Notice:
    """A message as posted; raises DataError with a sentence for whoever configured the sender."""
    if len(body) > MOST_BYTES:
        raise DataError(f"the message has {len(body)} bytes: expected {MOST_BYTES} at most")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DataError(f"the message is no JSON ({error}): expected Alertmanager's") from error
    if not isinstance(message, dict) or message.get("version") != _VERSION:
        raise DataError(f"expected an object of Alertmanager's webhook, version {_VERSION}")
    alerts = message.get("alerts")
    if not isinstance(alerts, list) or not all(map(_is_alert, alerts)):
        raise DataError("alerts: expected a list of objects with status and labels, names to texts")
    firing = (alert for alert in alerts if alert["status"] == "firing")
    asking = (alert for alert in firing if alert["labels"].get(LABEL) == "true")
    named = ((alert["labels"][_NAME], _summary(alert)) for alert in asking)
    return Notice(tuple(dict.fromkeys(named)))


def _is_alert(alert: Any) -> bool:
    if not isinstance(alert, dict) or alert.get("status") not in {"firing", "resolved"}:
        return False
    labels = alert.get("labels")
    return (
        isinstance(labels, dict)
        and all(isinstance(value, str) for value in labels.values())
        and bool(labels.get(_NAME))
    )


def _summary(alert: dict[str, Any]) -> str:
    annotations = alert.get("annotations")
    summary = annotations.get("summary") if isinstance(annotations, dict) else None
    return " ".join(summary.split())[:200] if isinstance(summary, str) else ""
