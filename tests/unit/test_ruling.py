"""What Flagger is told and which version has the alias: at, above and below what decides."""

from datetime import UTC, datetime

import pytest

from parivision.canary.record import HISTORY, Order, RolloutStage
from parivision.canary.ruling import PENDING_S, alias_due, rule
from parivision.canary.views import status_of
from parivision.promotion.ends import OUTCOME_TAG, End
from parivision.registry.records import RegisteredVersion
from parivision.verdict import ServedWindow, Track
from rollouts import NOW, RULES, rollout


def version(number: str, *, age_s: float = 0.0, outcome: str = "") -> RegisteredVersion:
    """A version that was registered some time ago."""
    tags = {OUTCOME_TAG: outcome} if outcome else {}
    return RegisteredVersion(number, "run", tags, datetime.fromtimestamp(NOW - age_s, UTC))


@pytest.mark.parametrize(
    ("holder", "served", "due"),
    [
        (version("2"), "2", None),
        (version("2", outcome="rolled_back"), "2", None),
        (None, "1", "1"),
        (version("2"), "1", None),
        (version("2", age_s=PENDING_S - 1), "1", None),
        (version("2", age_s=PENDING_S), "1", "1"),
        (version("2", outcome="rolled_back"), "1", "1"),
        (version("1"), "2", "2"),
        (version("1", outcome="promoted"), "2", "2"),
        (version("10"), "9", None),
        (version("2"), "", None),
    ],
)
def test_the_alias_ends_at_what_is_served(holder, served, due):
    """A newer champion of the contest may wait for its rollout, for so long and not longer."""
    assert alias_due(holder, served, NOW) == due


def test_the_first_step_needs_no_evidence_and_the_next_ones_do():
    """At weight 0 there can be none; at any other there must be some of that weight."""
    one = rollout()
    assert rule(one, NOW, is_mirrored=False, troubles=()).may_increase
    one.weight = 0.05
    found = rule(one, NOW, is_mirrored=False, troubles=())
    assert (found.may_increase, found.may_promote, found.must_roll_back) == (False, False, False)
    assert "0 of 100 requests at this weight" in found.reason


def test_a_source_that_is_away_passes_nothing_and_hides_no_failure():
    """Not even the first step; and what was seen to fail stays so."""
    one = rollout()
    found = rule(one, NOW, is_mirrored=False, troubles=("Prometheus is away",))
    assert (found.may_increase, found.may_promote, found.must_roll_back) == (False, False, False)
    assert found.reason == "hold: Prometheus is away"
    one.state.add_served(ServedWindow(Track(1000, 0), Track(1000, 300), 0.5))
    assert rule(one, NOW, is_mirrored=False, troubles=("x",)).must_roll_back


def test_the_deadline_ends_it_whatever_is_away():
    """By the policy: default roll back."""
    late = NOW + RULES.deadline_s
    assert not rule(rollout(), late - 1, is_mirrored=False, troubles=("x",)).must_roll_back
    found = rule(rollout(), late, is_mirrored=False, troubles=("x",))
    assert found.must_roll_back
    assert "policy roll_back" in found.reason


def test_once_condemned_it_stays_so():
    """A rollout ends with the first failure, also if later evidence is better."""
    found = rule(rollout(condemned="worse"), NOW, is_mirrored=False, troubles=())
    assert (found.must_roll_back, found.reason) == (True, "worse")


@pytest.mark.parametrize(
    ("order", "promotes"), [(Order.ABORT, False), (Order.PROMOTE, True), (Order.RESTORE, True)]
)
def test_an_order_goes_before_the_evidence(order, promotes):
    """And says by whom."""
    found = rule(rollout(order=order, ordered_by="ana"), NOW, is_mirrored=False, troubles=("x",))
    assert (found.may_promote, found.must_roll_back) == (promotes, not promotes)
    assert found.reason == f"ordered by ana: {order.value}"


def test_a_promotion_is_watched_and_everything_else_is_the_end():
    """Whatever the end, what follows from it is still to be done."""
    for end in End:
        one = rollout()
        one.finish(end, "why", NOW + 5)
        assert one.stage is (RolloutStage.WATCHING if end is End.PROMOTED else RolloutStage.ENDED)
        assert not one.is_settled


def test_the_history_is_thinned_and_never_grows_beyond_its_size():
    """The first point and the newest ones stay."""
    one = rollout()
    for number in range(5 * HISTORY):
        one.remember({"at": number})
    places = [point["at"] for point in one.history]
    assert len(places) <= HISTORY
    assert places[0] == 0
    assert places == sorted(places)
    assert places[-100:] == list(range(5 * HISTORY - 100, 5 * HISTORY))


def test_the_canary_names_the_last_ends_by_their_template():
    """`deploy` finds its own there, also when others came after it."""
    known = [rollout(str(number)) for number in range(2, 10)]
    for one in known[:-1]:
        one.finish(End.ROLLED_BACK, "r" * 2000, NOW)
    said = status_of(known)
    assert (said["version"], said["stage"]) == ("9", "judging")
    assert list(said["ended"]) == [f"{number}-a" for number in range(4, 9)]
    assert all(len(one["reason"]) <= 500 for one in said["ended"].values())
