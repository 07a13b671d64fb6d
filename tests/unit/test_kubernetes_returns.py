"""An order to bring a former champion back: given, answered, and followed to its end."""

import json
from dataclasses import replace

import pytest

from canary_standin import NEW, OLD, OTHER, PLACE, Kubernetes
from parivision.errors import ServiceError
from parivision.kubernetes import Cluster, DeploymentTarget
from parivision.kubernetes.canary import ORDER
from parivision.kubernetes.returns import ReturnOrder, bring_back

RETURN = ReturnOrder.new("1", "ana", "odd answers", is_judged=False)


def order(cluster: Kubernetes, given: ReturnOrder = RETURN) -> None:
    """Bring version 1 back, in this cluster's time."""
    bring_back(
        given,
        DeploymentTarget.parse(PLACE),
        cluster=Cluster(cluster, cluster, cluster, cluster),
        say=cluster.said.append,
        timeout_s=60,
        rollout_s=600,
        clock=lambda: cluster.now_s,
        sleep=cluster.sleep,
    )


def lying(cluster: Kubernetes) -> ReturnOrder | None:
    """The order on the Canary."""
    return ReturnOrder.read(json.loads(cluster.annotations.get(ORDER, "{}")))


def carried_out(cluster: Kubernetes) -> None:
    """The verdict service takes the order, and Flagger promotes the release half a minute later."""
    given = lying(cluster)
    if given is None:
        return
    if cluster.target.attempt != given.id:
        cluster.target = replace(OLD, attempt=given.id)
        cluster.phase, cluster.is_forced = "Progressing", True
    if cluster.now_s > 30:
        cluster.phase, cluster.primary = "Succeeded", cluster.target


def test_an_order_is_given_and_followed_until_the_version_serves():
    """It names who ordered what and why."""
    cluster = Kubernetes(target=NEW, primary=NEW, reaction=carried_out)
    order(cluster)
    assert OLD.is_same(cluster.primary)
    assert lying(cluster) == RETURN
    assert cluster.said[0] == "ordered: return to version 1"
    assert cluster.said[1].startswith("Progressing, 0% of the traffic")


def test_a_refusal_is_the_error():
    """As the verdict service wrote it; nothing else is touched."""

    def refusing(cluster: Kubernetes) -> None:
        given = lying(cluster)
        assert given is not None
        answer = replace(given, refused="version 1 was never champion")
        cluster.annotations[ORDER] = json.dumps(answer.to_dict())

    cluster = Kubernetes(target=NEW, primary=NEW, reaction=refusing)
    with pytest.raises(ServiceError, match=r"^version 1 was never champion$"):
        order(cluster)
    assert cluster.target == NEW


def test_without_an_answer_the_order_is_withdrawn():
    """Otherwise it would be carried out when the service is back."""
    cluster = Kubernetes(target=NEW, primary=NEW)
    with pytest.raises(ServiceError, match=r"did not answer within 60 s.*order .* again"):
        order(cluster)
    assert lying(cluster) is None
    assert cluster.target == NEW


def test_a_rollout_under_way_is_left_alone_with_its_orders():
    """An abort that nobody has read yet lies where this order would."""
    abort = {"key": "3-a", "order": "abort", "by": "bo"}
    cluster = Kubernetes(target=OTHER, primary=NEW, phase="Progressing")
    cluster.annotations[ORDER] = json.dumps(abort)
    with pytest.raises(ServiceError, match="version 3 is being rolled out"):
        order(cluster)
    assert json.loads(cluster.annotations[ORDER]) == abort


def test_the_same_command_follows_a_return_under_way():
    """After a terminal was closed: nothing is ordered twice."""
    first = replace(RETURN, id="2026-01-01T00:00:00+00:00")
    target = replace(OLD, attempt=first.id)
    cluster = Kubernetes(target=target, primary=NEW, phase="Progressing", is_forced=True)
    cluster.annotations[ORDER] = json.dumps(first.to_dict())
    cluster.reaction = carried_out
    order(cluster)
    assert lying(cluster) == first
    assert cluster.primary == target


def test_the_order_of_another_person_is_named():
    """The later one counts."""

    def overtaken(cluster: Kubernetes) -> None:
        other = replace(RETURN, id="2026-01-01T00:00:00+00:00", version="3")
        cluster.annotations[ORDER] = json.dumps(other.to_dict())

    cluster = Kubernetes(target=NEW, primary=NEW, reaction=overtaken)
    with pytest.raises(ServiceError, match="another order took the place"):
        order(cluster)


def test_what_does_not_start_is_told_with_its_reason():
    """The verdict service ends it, and the champion serves on."""

    def failing(cluster: Kubernetes) -> None:
        carried_out(cluster)
        if cluster.now_s > 20:
            cluster.tell(**{cluster.key: "rolled_back"})
            cluster.phase = "Failed"

    cluster = Kubernetes(target=NEW, primary=NEW, reaction=failing)
    with pytest.raises(ServiceError, match=r"version 1 was not kept .*\(rolled back\): worse"):
        order(cluster)
    assert cluster.primary == NEW


@pytest.mark.parametrize("ordered", [{}, {"order": "abort", "key": "x"}, {"order": 3}])
def test_other_orders_are_no_return(ordered):
    """Whatever lies on the Canary."""
    assert ReturnOrder.read(ordered) is None
