"""`parivision rollout return`, as a person types it, on an API in memory."""

import json
from dataclasses import replace

import pytest

from canary_standin import NEW, OLD, Kubernetes
from parivision import kubernetes
from parivision.kubernetes import Cluster
from parivision.kubernetes.canary import ORDER
from parivision.kubernetes.returns import ReturnOrder


@pytest.fixture
def cluster(monkeypatch):
    """Version 2 serves; each question to the API is a moment in which others act."""
    made = Kubernetes(target=NEW, primary=NEW)
    asked = made.get_namespaced_custom_object

    def answered(*path, **options):
        made.reaction(made)
        return asked(*path, **options)

    monkeypatch.setattr(made, "get_namespaced_custom_object", answered)
    monkeypatch.setattr(kubernetes, "connect", lambda: Cluster(made, made, made, made))
    return made


def taken(cluster: Kubernetes) -> None:
    """The verdict service and Flagger, in no time."""
    order = ReturnOrder.read(json.loads(cluster.annotations.get(ORDER, "{}")))
    if order is not None:
        cluster.target = cluster.primary = replace(OLD, attempt=order.id)


def test_a_former_champion_is_ordered_back(run, cluster):
    """What was ordered, by whom and why lies on the Canary; the end is told on stdout."""
    cluster.reaction = taken
    code, out, err = run("rollout", "return", "1", "--why", "odd answers")
    assert (code, out) == (
        *(0, "version 1 serves all users; the registry follows within a minute\n"),
    )
    assert "ordered: return to version 1" in err
    order = json.loads(cluster.annotations[ORDER])
    assert (order["version"], order["why"], order["is_judged"]) == ("1", "odd answers", False)
    assert order["by"]


def test_a_canary_is_asked_for(run, cluster):
    """With `--canary`."""
    cluster.reaction = taken
    assert run("rollout", "return", "1", "--canary")[0] == 0
    assert json.loads(cluster.annotations[ORDER])["is_judged"] is True


def test_a_refusal_is_one_sentence(run, cluster):
    """And exit code 1."""

    def refusing(cluster: Kubernetes) -> None:
        order = ReturnOrder.read(json.loads(cluster.annotations.get(ORDER, "{}")))
        if order is not None:
            answer = replace(order, refused="version 7 was never champion; former champions are 1")
            cluster.annotations[ORDER] = json.dumps(answer.to_dict())

    cluster.reaction = refusing
    code, out, err = run("rollout", "return", "7")
    assert (code, out) == (1, "")
    assert "version 7 was never champion; former champions are 1" in err
    assert "Traceback" not in err
