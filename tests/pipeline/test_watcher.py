"""The loop around the verdict, in a simulated cluster: what users, Flagger and the alias get."""

import json
from dataclasses import replace

import pytest

import rollout_story as story
from flagger_standin import release
from parivision.canary.record import Rollout, RolloutStage
from parivision.promotion.ends import End
from rollout_stores import BAD, TRUTH, Model
from rollout_world import RULES, World

ALMOST = Model(level=0.31)


@pytest.fixture
def world(tmp_path):
    """Version 1 serves, and nothing is under way."""
    return World(tmp_path)


def over(world: World) -> bool:
    """Whether the newest rollout has come out, and everybody knows."""
    known = world.rollouts.all()
    return bool(known) and known[-1].end is not End.NONE and world.is_agreed()


class TestOutcomes:
    """How rollouts come out, and what follows."""

    def test_a_good_challenger_is_promoted_step_by_step(self, world):
        """Through all weights to all of the traffic; the alias stays, the decision is recorded."""
        new = world.deploy(ALMOST)
        weights = set()

        def is_over() -> bool:
            weights.add(world.flagger.weight)
            return over(world)

        assert world.run(30, until=is_over)
        assert weights == {0.0, 0.05, 0.25, 0.5}
        assert world.flagger.primary.is_same(new)
        assert world.registry.alias == "2"
        assert world.registry.tags["2"]["rollout.outcome"] == "promoted"
        assert [tags["version"] for tags in world.registry.runs.values()] == ["2"]
        assert [reason for reason, _ in world.flagger.notes.values()] == ["Promoted"]
        assert world.newest.stage is RolloutStage.WATCHING

    def test_a_worse_model_is_rolled_back_with_its_reason(self, world):
        """The alias is the former champion's again, the version says why, so does the Canary."""
        world.deploy(BAD)
        assert world.run(30, until=lambda: over(world))
        assert world.flagger.primary.version == world.registry.alias == "1"
        assert world.registry.tags["2"]["rollout.outcome"] == "rolled_back"
        reason = world.registry.tags["2"]["rollout.reason"]
        assert "log loss" in reason or "says" in reason
        (ended,) = world.flagger.status["ended"].values()
        assert ended["outcome"] == "rolled_back"
        assert ended["reason"][:100] == reason[:100]
        assert [reason for reason, _ in world.flagger.notes.values()] == ["RolledBack"]

    def test_after_a_rollback_the_loser_is_no_target_any_more(self, world):
        """A later change of the chart must not roll it out again; and Flagger rests."""
        world.deploy(BAD)
        assert world.run(30, until=lambda: over(world))
        assert world.flagger.target == release("1")
        phase = world.flagger.phase
        world.run(5)
        assert world.flagger.phase == phase
        assert len(world.rollouts.all()) == 1

    @pytest.mark.parametrize(
        ("trouble", "says"), [("error_rate", "error"), ("slow_rate", "p99")], ids=["errors", "slow"]
    )
    def test_bad_service_is_named(self, world, trouble, says):
        """Errors and latency of the canary, against the primary at the same time."""
        setattr(world, trouble, 0.5)
        world.deploy(ALMOST)
        assert world.run(30, until=lambda: over(world))
        assert world.newest.end is End.ROLLED_BACK
        assert says in world.newest.reason

    def test_an_image_that_answers_otherwise_than_the_registry_is_found(self, world):
        """Whatever is wrong in it: the same facts must give the same probability."""
        world.deploy(TRUTH, served=Model(level=0.4))
        assert world.run(30, until=lambda: over(world))
        assert world.newest.end is End.ROLLED_BACK
        assert "registry" in world.newest.reason

    def test_a_crash_at_the_start_is_named_by_its_pods(self, world):
        """Flagger knows only that they are not ready."""
        world.flagger.is_ready = False
        world.deploy(ALMOST)
        assert world.run(30, until=lambda: over(world))
        assert world.newest.reason == "its container ends again and again"

    def test_the_same_model_in_another_pod_is_judged_by_how_it_serves(self, world):
        """A change of the chart needs no outcomes, and no version is tagged for it."""
        world.outcomes = False
        world.flagger.target = replace(release("1"), attempt="chart")
        assert world.run(20, until=lambda: over(world))
        assert world.newest.end is End.SERVED
        assert world.registry.tags["1"] == {}

    def test_a_newer_deployment_replaces_an_older_one(self, world):
        """The older rollout ends as superseded, and the alias is what is served in the end."""
        world.deploy(ALMOST)
        world.run(3)
        world.deploy(ALMOST)
        assert world.run(60, until=lambda: over(world))
        assert [one.end for one in world.rollouts.all()] == [End.SUPERSEDED, End.PROMOTED]
        assert world.registry.alias == world.flagger.primary.version == "3"


class TestHold:
    """Without evidence nothing goes on, and the deadline's policy ends it."""

    def end(self, world, weight):
        """Nothing moves until the deadline; then it is rolled back."""
        assert not world.run(29, until=lambda: over(world))
        assert world.flagger.weight == weight
        assert world.run(5, until=lambda: over(world))
        first = world.rollouts.all()[0]
        assert first.end is End.ROLLED_BACK
        assert "policy roll_back" in first.reason
        assert world.registry.alias == world.flagger.primary.version == "1"

    def test_without_traffic(self, world):
        """The first weight is kept, for nobody knows more."""
        world.requests_a_step = 0
        world.deploy(ALMOST)
        self.end(world, 0.05)

    def test_without_outcomes(self, world):
        """The first weight is kept: how it serves alone gets it no more traffic."""
        world.outcomes = False
        world.deploy(ALMOST)
        self.end(world, 0.05)
        assert "no labelled shots" in world.newest.reason

    def test_without_outcomes_where_nobody_waits_for_them(self, tmp_path):
        """Every step that how it serves allows is taken, but it is not promoted."""
        world = World(tmp_path, rules=replace(RULES, labelled_to_increase=0))
        world.outcomes = False
        world.deploy(ALMOST)
        self.end(world, 0.5)

    def test_without_prometheus(self, world):
        """From the start: then it does not even begin."""
        world.prometheus_is_away = True
        world.deploy(ALMOST)
        self.end(world, 0.0)
        assert world.flagger.phase == "Succeeded", "Flagger waits for nothing any more"

    def test_when_prometheus_goes_in_the_middle(self, world):
        """It stays at its weight, and says why."""
        world.deploy(ALMOST)
        assert world.run(9, until=lambda: world.flagger.weight == 0.05)
        world.prometheus_is_away = True
        world.run(1)
        assert world.watcher.ask("increase") == (False, "hold: Prometheus does not answer")
        assert not world.run(15, until=lambda: over(world))
        assert world.flagger.weight == 0.05
        assert world.run(20, until=lambda: over(world))
        assert world.newest.end is End.ROLLED_BACK

    def test_when_mongodb_goes_in_the_middle(self, world):
        """Nothing is decided that could not be remembered; when it is back it goes on."""
        world.deploy(ALMOST)
        world.run(2)
        weight = world.flagger.weight
        world.rollouts.is_away = world.store.is_away = True
        world.run(10)
        assert world.flagger.weight == weight
        may, why = world.watcher.ask("promote")
        assert not may
        assert "MongoDB does not answer" in why
        world.rollouts.is_away = world.store.is_away = False
        assert world.run(30, until=lambda: over(world))
        assert world.newest.end is End.PROMOTED

    def test_when_mlflow_is_away_at_the_end(self, world):
        """The cluster is put right at once, the alias as soon as that is possible."""
        world.deploy(BAD)
        assert world.run(30, until=lambda: world.flagger.phase == "Failed")
        world.registry.is_away = True
        world.run(1)
        assert world.flagger.target == release("1")
        assert world.registry.alias == "2"
        world.registry.is_away = False
        assert world.run(1, until=lambda: over(world))
        assert world.registry.alias == "1"

    def test_an_old_ruling_passes_nothing(self, world):
        """The loop hangs: what it said a minute ago is no leave any more."""
        world.deploy(ALMOST)
        world.run(1)
        world.now += 120
        may, why = world.watcher.ask("increase")
        assert not may
        assert "120 s old" in why

    def test_what_was_said_of_another_template_passes_nothing(self, world):
        """Flagger may ask for a new target before the loop has seen it."""
        world.deploy(ALMOST)
        world.run(1)
        world.flagger.deploy(release("9"), attempt="x")
        assert not world.watcher.ask("increase")[0]
        assert not world.watcher.ask("roll_back")[0]


class TestRestart:
    """A restart in the middle changes no outcome."""

    def play(self, folder, restarts, model):
        """One rollout to its end, with a new process before some steps."""
        folder.mkdir()
        world = World(folder, seed=3)
        world.deploy(model)
        turns = 0
        while not over(world) and turns < 200:
            if restarts and turns % restarts == 0:
                world.restart()
            world.turn()
            turns += 1
        return world

    @pytest.mark.parametrize("model", [ALMOST, BAD], ids=["good", "bad"])
    def test_every_step_in_a_process_of_its_own_comes_to_the_same(self, tmp_path, model):
        """To the last bit of the evidence, and after as many steps."""
        once = self.play(tmp_path / "once", 0, model)
        often = self.play(tmp_path / "often", 1, model)
        assert once.now == often.now
        first, second = (world.newest.to_dict() for world in (once, often))
        for name in ("history", "verdict", "end", "reason", "state", "seen"):
            assert first[name] == second[name], name

    def test_a_document_is_read_as_it_was_written(self, world):
        """Through JSON, and again."""
        world.deploy(ALMOST)
        world.run(3)
        values = world.newest.to_dict()
        again = Rollout.from_dict(json.loads(json.dumps(values | {"seen": ""})) | {"seen": b"x"})
        assert again.to_dict() == values | {"seen": b"x"}


class TestWatch:
    """After the promotion."""

    def test_a_champion_that_proves_worse_is_taken_back(self, tmp_path):
        """What served before serves again, and has the alias; Flagger asks again afterwards."""
        world = World(tmp_path)
        world.deploy(ALMOST)
        assert world.run(60, until=lambda: over(world))
        world.registry.models["2"] = world.served["2"] = Model(level=-0.5)
        world.restart()
        assert world.run(60, until=lambda: world.flagger.primary.version == "1")
        assert world.run(5, until=world.is_agreed)
        assert [one.end for one in world.rollouts.all()] == [End.TAKEN_BACK, End.SERVED]
        assert world.registry.alias == "1"
        assert world.registry.tags["2"]["rollout.outcome"] == "taken_back"
        assert world.run(1, until=lambda: not world.flagger.is_forced)

    @pytest.mark.parametrize("turns", range(4))
    def test_what_takes_the_place_of_the_way_back_is_judged(self, tmp_path, turns):
        """The way back is promoted unasked; a challenger that comes in its middle is not."""
        world = World(tmp_path)
        world.deploy(ALMOST)
        assert world.run(60, until=lambda: over(world))
        world.registry.models["2"] = world.served["2"] = Model(level=-0.5)
        world.restart()
        assert world.run(60, until=lambda: world.flagger.is_forced)
        for _ in range(turns):
            world.turn()
        world.deploy(BAD)
        assert not world.run(60, until=lambda: world.flagger.primary.version == "3")
        assert world.registry.tags["3"]["rollout.outcome"] == "rolled_back"
        assert not world.flagger.is_forced

    def test_a_champion_that_keeps_its_promise_is_confirmed(self, world):
        """When the window is over."""
        world.deploy(ALMOST)
        assert world.run(
            120, until=lambda: world.rollouts.all()[-1:] != [] and not world.newest.is_open
        )
        assert world.newest.end is End.CONFIRMED
        assert world.registry.tags["2"]["rollout.outcome"] == "confirmed"


class TestOrders:
    """What a person orders."""

    @pytest.mark.parametrize(
        ("order", "end", "served"),
        [("abort", End.ROLLED_BACK, "1"), ("promote", End.SERVED, "2")],
    )
    def test_an_order_is_followed_and_remembered(self, world, order, end, served):
        """Whatever the evidence says."""
        world.deploy(ALMOST)
        world.run(1)
        world.flagger.ordered = {"key": world.flagger.key, "order": order, "by": "ana"}
        world.flagger.is_forced = order == "promote"
        assert world.run(10, until=lambda: over(world))
        assert (world.newest.end, world.flagger.primary.version) == (end, served)
        assert world.newest.ordered_by == "ana"
        assert world.registry.alias == served

    def test_a_version_that_lost_may_be_tried_again(self, world):
        """The same release is another attempt."""
        wanted = world.deploy(BAD)
        assert world.run(30, until=lambda: over(world))
        world.registry.models["2"] = world.served["2"] = ALMOST
        world.flagger.deploy(wanted, attempt="again")
        assert world.run(60, until=lambda: over(world) and len(world.rollouts.all()) == 2)
        assert world.newest.end is End.PROMOTED
        assert world.registry.alias == world.flagger.primary.version == "2"


def test_a_mirrored_canary_is_judged_without_weights(world):
    """Shadow mode: no user gets its answers until it is promoted."""
    world.flagger.is_mirrored = True
    world.deploy(ALMOST)
    assert world.run(60, until=lambda: over(world))
    assert world.newest.end is End.PROMOTED
    assert {point["weight"] for point in world.newest.history} == {0.0}


@pytest.mark.parametrize("seed", range(50))
def test_alias_image_and_record_agree_after_any_sequence(tmp_path, seed):
    """Of promotions, rollbacks, kills, outages and pipeline runs at the same time."""
    world = World(tmp_path, rules=story.QUICK, seed=seed, requests_a_step=30)
    happened = story.play(world)
    assert story.settle(world), happened
    story.check(world)
