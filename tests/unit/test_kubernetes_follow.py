"""`deploy` where Flagger rolls out: handed over, followed, and its end said with the reason."""

import pytest
from kubernetes import client as k8s

from canary_standin import ADDRESS, NEW, NOTHING, OLD, OTHER, Kubernetes, steps
from parivision.errors import ServiceError
from parivision.kubernetes import Release


def test_a_promotion_is_followed_with_its_progress():
    """The template is the release's, as a new attempt, and no pod is started here."""
    cluster = Kubernetes(reaction=steps)
    assert cluster.deploy() == ADDRESS
    assert NEW.is_same(cluster.primary)
    assert cluster.target.attempt
    assert cluster.replicas == 0
    assert cluster.said[1:] == [
        "Progressing, 5% of the traffic: not yet (quality)",
        "Progressing, 50% of the traffic: not yet (quality)",
    ]


def test_what_is_served_already_is_not_rolled_out_again():
    """Nothing is changed."""
    cluster = Kubernetes(NEW, NEW)
    assert cluster.deploy() == ADDRESS
    assert (cluster.target, cluster.now_s) == (NEW, 0)


def test_a_rollback_fails_with_the_verdicts_reason():
    """As soon as the verdict service says it, also when it has put the target back since."""

    def judged(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing"
        if cluster.now_s == 5:
            cluster.tell(**{cluster.key: "rolled_back"})
            cluster.phase, cluster.target = "Failed", OLD

    with pytest.raises(ServiceError, match=r"version 2 was not kept .*\(rolled back\): worse"):
        Kubernetes(reaction=judged).deploy()


def test_without_a_verdict_service_the_pods_and_flagger_say_why():
    """A crash at the start, with the end of the log."""

    def crashing(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing" if cluster.now_s < 30 else "Failed"
        state = k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason="CrashLoopBackOff"))
        status = k8s.V1ContainerStatus(
            name="shots", image="i", image_id="", ready=False, restart_count=2, state=state
        )
        cluster.pods = [
            k8s.V1Pod(
                metadata=k8s.V1ObjectMeta(name="shots-1"),
                status=k8s.V1PodStatus(container_statuses=[status]),
            )
        ]

    with pytest.raises(ServiceError, match=r"(?s)rolled back .*again and again.*model\.txt"):
        Kubernetes(reaction=crashing).deploy()


def test_flaggers_own_words_are_the_last_resort():
    """Neither verdict nor pods say anything."""

    def failing(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing" if cluster.now_s < 5 else "Failed"
        cluster.events = ["progress deadline exceeded"]

    with pytest.raises(ServiceError, match=r"was rolled back .*progress deadline exceeded"):
        Kubernetes(reaction=failing).deploy()


def test_a_newer_release_takes_the_place():
    """The earlier one says so, and leaves the later one alone."""

    def overtaken(cluster: Kubernetes) -> None:
        cluster.phase, cluster.target = "Progressing", OTHER

    cluster = Kubernetes(reaction=overtaken)
    with pytest.raises(ServiceError, match="another rollout, of version 3, took its place"):
        cluster.deploy()
    assert cluster.target == OTHER


def test_what_is_promoted_without_being_judged_is_let_pass():
    """A way back to the former champion: who took its place would be promoted unjudged, too."""
    seen: list[str] = []

    def way_back(cluster: Kubernetes) -> None:
        seen.append(cluster.target.version)
        if cluster.now_s > 20:
            cluster.is_forced, cluster.primary, cluster.phase = False, OTHER, "Succeeded"
            cluster.reaction = steps

    cluster = Kubernetes(target=OTHER, phase="Progressing", is_forced=True, reaction=way_back)
    assert cluster.deploy() == ADDRESS
    assert set(seen) == {OTHER.version}
    assert cluster.said[0] == (
        f"waits for version {OTHER.version}, which is promoted without being judged"
    )


def test_a_way_back_that_does_not_end_is_named():
    """It is not pushed aside."""
    cluster = Kubernetes(target=OTHER, phase="Progressing", is_forced=True)
    with pytest.raises(ServiceError, match=f"version {OTHER.version} was not promoted"):
        cluster.deploy()
    assert cluster.target == OTHER


def test_a_deadline_leaves_the_rollout_alone():
    """It goes on, and the same command follows it."""

    def slow(cluster: Kubernetes) -> None:
        cluster.phase, cluster.weight = "Progressing", 5

    cluster = Kubernetes(reaction=slow)
    with pytest.raises(ServiceError, match=r"was not decided .*The rollout goes on"):
        cluster.deploy(rollout_s=30)
    attempt = cluster.target.attempt
    cluster.reaction = steps
    assert cluster.deploy() == ADDRESS
    assert cluster.target.attempt == attempt, "it was followed, not begun anew"


def test_the_same_release_may_be_tried_again_after_a_failure():
    """As another attempt: Flagger would not look at the same template twice."""
    cluster = Kubernetes(Release(**{**vars(NEW), "attempt": "first"}), OLD, phase="Failed")
    cluster.reaction = steps
    cluster.deploy()
    assert cluster.target.attempt not in {"", "first"}


def test_a_change_of_the_chart_in_the_middle_is_no_other_release():
    """The template is another one, what it serves is the same."""

    def changed(cluster: Kubernetes) -> None:
        if cluster.now_s == 5:
            cluster.target = Release(**{**vars(cluster.target), "attempt": "chart"})
        steps(cluster)

    cluster = Kubernetes(reaction=changed)
    assert cluster.deploy() == ADDRESS


def test_the_first_champion_is_served_at_once_and_handed_over():
    """Flagger must not begin with the bare runtime; it makes the primary of what serves."""

    def taking_over(cluster: Kubernetes) -> None:
        assert not cluster.is_suspended
        assert NEW.is_same(cluster.target)
        cluster.phase = "Initializing" if cluster.now_s < 5 else "Initialized"

    cluster = Kubernetes(NOTHING, None, phase="", is_suspended=True, reaction=taking_over)
    assert cluster.deploy() == ADDRESS
    assert cluster.replicas == 1
    assert cluster.target.attempt == ""


def test_a_suspended_canary_is_named():
    """Nothing would happen for hours."""
    cluster = Kubernetes(is_suspended=True)
    with pytest.raises(ServiceError, match="the Canary is suspended"):
        cluster.deploy(rollout_s=5)


def test_pods_that_do_not_start_are_named_while_flagger_waits_for_them():
    """Minutes before Flagger gives up."""

    def unpullable(cluster: Kubernetes) -> None:
        cluster.phase = "Progressing" if cluster.now_s < 30 else "Failed"
        waiting = k8s.V1ContainerStateWaiting(reason="ImagePullBackOff", message="no such image")
        status = k8s.V1ContainerStatus(
            name="shots",
            image="i",
            image_id="",
            ready=False,
            restart_count=0,
            state=k8s.V1ContainerState(waiting=waiting),
        )
        cluster.pods = [
            k8s.V1Pod(
                metadata=k8s.V1ObjectMeta(name="shots-1"),
                status=k8s.V1PodStatus(container_statuses=[status]),
            )
        ]

    cluster = Kubernetes(reaction=unpullable)
    with pytest.raises(ServiceError, match="cannot be pulled"):
        cluster.deploy()
    assert any("its image cannot be pulled" in line for line in cluster.said)
