"""`parivision rollout return`, as the verdict service carries it out in a simulated cluster."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry, generate_latest

import rollout_story as story
from flagger_standin import release
from parivision.canary.metrics import Exports
from parivision.canary.record import Order
from parivision.promotion.ends import End
from rollout_stores import BAD, Model
from rollout_world import World

GOOD = Model(level=0.31)


def quick(folder, seed: int = 0) -> World:
    """A world in which a rollout takes some minutes."""
    return World(folder, rules=story.QUICK, seed=seed, requests_a_step=30)


@pytest.fixture
def world(tmp_path):
    """Version 2 was promoted over version 1, and its watch has ended."""
    world = quick(tmp_path)
    world.deploy(GOOD)
    assert world.run(120, until=lambda: bool(world.rollouts.all()) and not world.newest.is_open)
    assert world.newest.end is End.CONFIRMED
    return world


def returned(world: World, version: str) -> bool:
    """Whether a version serves, and alias and record say so too."""
    return world.is_agreed() and world.flagger.primary.version == version


def exported(world: World) -> str:
    """The verdict service's metrics."""
    registry = CollectorRegistry()
    registry.register(Exports(world.watcher))
    return generate_latest(registry).decode()


class TestAtOnce:
    """All traffic moves when the pods are ready."""

    def test_the_former_champion_serves_and_everything_says_so(self, world):
        """Image, alias and record as after a rollback; no request goes to a canary before."""
        world.order_return("1", why="odd answers")
        shares = set()

        def is_over() -> bool:
            shares.add(world.flagger.weight)
            return returned(world, "1")

        assert world.run(5, until=is_over)
        assert shares == {0.0}
        assert world.flagger.target.is_same(release("1"))
        assert [one.end for one in world.rollouts.all()] == [End.TAKEN_BACK, End.SERVED]
        assert world.registry.alias == "1"
        assert world.registry.tags["1"]["rollout.outcome"] == "served"
        assert world.registry.tags["2"]["rollout.outcome"] == "taken_back"
        assert world.run(1, until=lambda: not world.flagger.is_forced), "later ones are judged"

    def test_who_ordered_it_and_why_is_recorded(self, world):
        """In the record, in MLflow for both versions, and in the Canary's events."""
        world.order_return("1", why="odd answers")
        assert world.run(5, until=lambda: returned(world, "1"))
        newest = world.newest
        assert (newest.order, newest.ordered_by, newest.ordered_why) == (
            *(Order.RETURN, "ana", "odd answers"),
        )
        reason = "ordered by ana: return (odd answers)"
        assert newest.reason == reason
        assert world.registry.tags["2"]["rollout.reason"].startswith(reason)
        outcomes = [(tags["version"], tags["outcome"]) for tags in world.registry.runs.values()]
        assert outcomes[-2:] == [("2", "taken_back"), ("1", "served")]
        events = list(world.flagger.notes.values())[-2:]
        assert [kind for kind, _ in events] == ["RolledBack", "Served"]
        assert all(reason in message for _, message in events)

    def test_metrics_are_those_of_a_rollback(self, world):
        """The replaced champion is counted, and named with the moment."""
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        text = exported(world)
        assert 'parivision_rollouts_total{outcome="taken_back"} 1.0' in text
        assert 'parivision_rollout_rolled_back_timestamp_seconds{version="2"}' in text

    def test_metrics_name_what_was_replaced_last(self, world):
        """Not the challenger that failed before, though its rollout began later."""
        world.deploy(BAD)
        assert world.run(60, until=lambda: world.newest.end is End.ROLLED_BACK)
        assert world.run(5, until=world.is_agreed)
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        assert 'parivision_rollout_rolled_back_timestamp_seconds{version="2"}' in exported(world)

    def test_the_way_there_and_back_again(self, world):
        """A champion that a person had replaced may return, too."""
        for version in ("1", "2", "1"):
            world.order_return(version)
            assert world.run(5, until=lambda wanted=version: returned(world, wanted))
        assert world.registry.tags["2"]["rollout.outcome"] == "taken_back"

    def test_it_is_carried_out_once(self, world):
        """The order lies there for ever; what is deployed later stays."""
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        world.deploy(GOOD)
        assert world.run(60, until=lambda: returned(world, "3"))
        assert not world.run(10, until=lambda: not returned(world, "3"))

    def test_a_change_of_the_chart_since_hides_nothing(self, world):
        """The champion's pods changed, and it is still the one that is replaced."""
        world.flagger.target = replace(release("2"), attempt="chart")
        assert world.run(20, until=lambda: returned(world, "2") and len(world.rollouts.all()) == 2)
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        assert world.registry.tags["2"]["rollout.outcome"] == "taken_back"

    def test_it_works_while_mlflow_and_prometheus_are_away(self, world):
        """Users get the former champion at once; the alias follows when MLflow is back."""
        world.registry.is_away = world.prometheus_is_away = True
        world.order_return("1")
        assert world.run(5, until=lambda: world.flagger.primary.version == "1")
        world.registry.is_away = False
        assert world.run(2, until=lambda: returned(world, "1"))

    def test_it_ends_the_watch_of_the_champion(self, tmp_path):
        """A person need not wait for it."""
        world = quick(tmp_path)
        world.deploy(GOOD)
        assert world.run(60, until=lambda: returned(world, "2"))
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        assert [one.is_open for one in world.rollouts.all()] == [False, False]

    def test_the_next_challenger_is_judged(self, world):
        """The champion before the returned one is no way back that needs no verdict."""
        world.order_return("1")
        assert world.run(5, until=lambda: returned(world, "1"))
        world.order_return("2")
        assert world.run(5, until=lambda: returned(world, "2"))
        world.flagger.deploy(release("1"), attempt="by a pipeline")
        world.served["1"] = BAD
        world.registry.models["1"] = BAD
        world.restart()
        assert not world.run(40, until=lambda: world.flagger.primary.version == "1")


class TestAsCanary:
    """With --canary."""

    def test_it_is_judged_step_by_step(self, world):
        """It gets the traffic by weights, and its record is a promotion's."""
        world.order_return("1", is_judged=True)
        shares = set()

        def is_over() -> bool:
            shares.add(world.flagger.weight)
            return returned(world, "1")

        assert world.run(60, until=is_over)
        assert shares == {0.0, 0.05, 0.25, 0.5}
        assert (world.newest.end, world.newest.ordered_by) == (End.PROMOTED, "ana")
        assert world.registry.tags["2"]["rollout.outcome"] == "confirmed"

    def test_a_worse_one_is_not_kept(self, world):
        """The champion stays, and the former one's record says why."""
        world.registry.models["1"] = world.served["1"] = BAD
        world.restart()
        world.order_return("1", is_judged=True)
        assert world.run(2, until=lambda: len(world.rollouts.all()) == 2)
        assert world.run(60, until=lambda: returned(world, "2"))
        assert world.newest.end is End.ROLLED_BACK


class TestRefused:
    """Nothing changes, and the answer says what to do."""

    def refusal(self, world: World) -> str:
        """The answer, within a look, while nothing moves."""
        target = world.flagger.target
        world.run(0.5, until=lambda: world.refusal != "")
        assert world.flagger.target == target
        assert not world.flagger.is_forced
        return world.refusal

    def test_a_version_that_mlflow_does_not_have(self, world):
        """With those that it could be."""
        world.order_return("99")
        assert self.refusal(world) == "MLflow has no version 99; former champions are 1, 2"

    def test_a_version_that_was_never_champion(self, world):
        """With what became of it."""
        world.deploy(BAD)
        assert world.run(60, until=lambda: world.newest.end is End.ROLLED_BACK)
        assert world.run(5, until=world.is_agreed)
        world.order_return("3")
        assert self.refusal(world).startswith("version 3 was never champion (rolled back: ")

    def test_a_version_that_was_never_champion_while_mlflow_is_away(self, world):
        """The record alone answers."""
        world.registry.is_away = True
        world.order_return("99")
        assert self.refusal(world) == "version 99 was never champion; former champions are 1, 2"

    def test_the_champion(self, world):
        """It serves already."""
        world.order_return("2")
        assert self.refusal(world).startswith("version 2 is the champion already")

    def test_while_a_rollout_is_under_way(self, world):
        """That is ended first."""
        world.deploy(GOOD)
        assert world.run(2, until=lambda: world.flagger.weight > 0)
        world.order_return("1")
        assert "version 3 is being rolled out" in self.refusal(world)
        assert "rollout abort" in world.refusal

    def test_an_order_of_an_hour_ago(self, world):
        """The service was away, and who gave it has gone on."""
        world.order_return("1")
        world.now += 3600
        assert "order it again" in self.refusal(world)

    def test_nonsense_on_the_canary(self, world):
        """An order whose moment is none."""
        world.order_return("1", id="soon")
        assert "order it again" in self.refusal(world)


class TestNotStarting:
    """An image that is gone, or pods that end."""

    def test_the_champion_serves_on(self, world):
        """The pods of the former one come before its traffic; the record has their reason."""
        world.flagger.is_ready = False
        world.order_return("1")
        assert world.run(10, until=lambda: world.newest.end is End.ROLLED_BACK)
        assert world.run(2, until=lambda: returned(world, "2"))
        assert world.newest.reason == "its container ends again and again"
        assert world.registry.tags["2"]["rollout.outcome"] == "confirmed"
        assert not world.flagger.is_forced

    def test_another_return_may_take_its_place_meanwhile(self, world):
        """Nobody waits in an emergency until Flagger gives up."""
        world.deploy(GOOD)
        assert world.run(60, until=lambda: returned(world, "3"))
        world.flagger.is_ready = False
        world.order_return("2")
        assert world.run(1, until=lambda: world.newest.version == "2")
        world.now += 1
        world.order_return("1")
        world.flagger.is_ready = True
        assert world.run(5, until=lambda: returned(world, "1"))


@pytest.mark.parametrize("seed", range(8))
def test_the_verdict_may_be_killed_at_any_moment(tmp_path, seed):
    """Before and after each call: the same end, with one record for the return."""
    world = quick(tmp_path, seed=seed)
    world.deploy(GOOD)
    assert world.run(60, until=lambda: returned(world, "2"))
    world.death_rate = 0.3
    world.order_return("1")
    world.run(4)
    world.death_rate = 0.0
    assert world.run(5, until=lambda: returned(world, "1"))
    assert [one.end for one in world.rollouts.all()] == [End.TAKEN_BACK, End.SERVED]


def test_a_process_that_did_not_see_it_run_records_it(world):
    """The verdict service was replaced between Flagger's start and the end."""
    order = world.order_return("1")
    world.step()
    world.flagger.tick()
    assert world.flagger.phase == "Progressing"
    world.flagger.tick()
    assert world.flagger.phase == "Succeeded"
    world.restart()
    assert world.run(1, until=lambda: returned(world, "1"))
    assert world.newest.release == replace(release("1"), attempt=order.id)
    assert world.newest.reason == "ordered by ana: return"
