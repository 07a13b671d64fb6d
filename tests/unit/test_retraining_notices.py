"""What Alertmanager says, read as a cause of a retraining."""

import json

import pytest

from parivision.errors import DataError
from parivision.retraining.notices import MOST_BYTES, read


def message(*alerts, version="4"):
    """What Alertmanager posts."""
    return json.dumps({"version": version, "status": "firing", "alerts": alerts}).encode()


def alert(name="ParivisionDrift", status="firing", summary="moved", **labels):
    """An alert of a message."""
    labels = {"alertname": name, "retrain": "true", **labels}
    return {"status": status, "labels": labels, "annotations": {"summary": summary}}


def test_only_firing_alerts_that_ask_for_it_count():
    """Resolved ones and others start nothing; names and summaries are kept, each once."""
    body = message(
        alert(),
        alert(),
        alert("ParivisionQualityFell", summary=" worse \n than promised"),
        alert("ParivisionDrift", status="resolved"),
        alert("ParivisionSlow", retrain="false"),
    )
    notice = read(body)
    assert notice.names == ("ParivisionDrift", "ParivisionQualityFell")
    assert notice.cause == "ParivisionDrift: moved; ParivisionQualityFell: worse than promised"
    assert read(message()).alerts == ()


def test_a_cause_of_many_alerts_stays_short():
    """The first ones are named, the others counted."""
    notice = read(message(*(alert(f"A{i}", summary="x" * 900) for i in range(40))))
    assert notice.cause.endswith("; and 35 more")
    assert len(notice.cause) < 1200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[]", "version 4"),
        (message(alert(), version="3"), "version 4"),
        (b'{"version": "4"}', "alerts"),
        (b'{"version": "4", "alerts": [1]}', "alerts"),
        (message({"status": "firing", "labels": {}}), "alerts"),
        (message({"status": "firing", "labels": {"alertname": 1}}), "alerts"),
        (message({"status": "odd", "labels": {"alertname": "a"}}), "alerts"),
        (b" " * (MOST_BYTES + 1), "bytes"),
    ],
)
def test_what_is_no_message_is_refused_with_a_sentence(body, said):
    """Whoever configured the sender is told what was expected."""
    with pytest.raises(DataError, match=said):
        read(body)
