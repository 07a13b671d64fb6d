"""Rollouts on a real MongoDB and a real MLflow: what is remembered, and what is recorded once."""

from contextlib import closing
from dataclasses import replace
from itertools import count

import pytest
from mlflow.tracking import MlflowClient

import rollout_story as story
from parivision.canary.store import ChangedError, MongoRollouts
from parivision.errors import StoreError
from parivision.promotion.ends import End
from parivision.registry import ALIAS, EXPERIMENT, MODEL_NAME, Registry, quiet
from rollout_stores import BAD
from rollout_world import World

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

_databases = count()


class MlflowModels:
    """The registry, with models in memory: bundles are the registry's own tests' matter."""

    def __init__(self, folder):
        quiet()
        uri = f"sqlite:///{folder}/mlflow.db"
        self.registry = Registry(uri, folder / "artifacts")
        self.client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.models = {}
        for name in ("champion", "version", "point_alias", "tag_version", "record_rollout"):
            setattr(self, name, getattr(self.registry, name))

    def bundle(self, number):
        """A version's model."""
        return self.models[number]

    def register(self, model):
        """A version that holds the alias, as the step `promote` leaves it."""
        if not self.models:
            self.registry.prepare()
            self.client.create_registered_model(MODEL_NAME)
        source = "mlflow-artifacts:/nowhere"
        number = str(self.client.create_model_version(MODEL_NAME, source).version)
        self.models[number] = model
        self.client.set_registered_model_alias(MODEL_NAME, ALIAS, number)
        return number

    def runs(self):
        """Rollout and outcome of every run that was recorded."""
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        runs = self.client.search_runs(
            [experiment.experiment_id], filter_string="tags.kind = 'rollout'"
        )
        return sorted((run.data.tags["rollout"], run.data.tags["outcome"]) for run in runs)


@pytest.fixture
def rollouts(mongo_server):
    """An empty collection in the session's server."""
    store = MongoRollouts(mongo_server.url(f"rollouts_{next(_databases)}"))
    yield store
    store.close()


@pytest.fixture
def world(tmp_path, rollouts):
    """A world whose memory and registry are real servers."""
    registry = MlflowModels(tmp_path)
    return World(
        tmp_path,
        rules=story.QUICK,
        requests_a_step=30,
        registry=registry,
        rollouts=rollouts,
    )


def test_a_rollback_is_recorded_in_mlflow_once(world):
    """Alias, tags with the reason, and one run, though every step is done by another process."""
    world.deploy(BAD)
    while not (world.rollouts.all() and world.is_agreed() and world.newest.end):
        world.restart()
        world.turn()
    registry = world.registry
    assert registry.champion().number == world.flagger.primary.version == "1"
    lost = registry.registry.version("2")
    assert lost.tags["rollout.outcome"] == "rolled_back"
    assert lost.tags["rollout.reason"] == world.newest.reason[:1000]
    assert registry.runs() == [(world.newest.id, "rolled_back")]
    newest = world.newest
    newest.is_settled = False
    rolled = world.rollouts
    rolled.save(newest)
    world.restart()
    world.turn()
    assert registry.runs() == [(world.newest.id, "rolled_back")]


@pytest.mark.parametrize("seed", [3, 8, 21])
def test_alias_image_and_record_agree_after_any_sequence(tmp_path, rollouts, seed):
    """As in memory, with both servers real; each outcome is one run."""
    registry = MlflowModels(tmp_path)
    world = World(
        tmp_path,
        rules=story.QUICK,
        seed=seed,
        requests_a_step=20,
        registry=registry,
        rollouts=rollouts,
    )
    happened = story.play(world)
    assert story.settle(world), happened
    story.check(world)
    runs = registry.runs()
    assert len(runs) == len(set(runs))
    came = {
        (one.id, one.end.value)
        for one in world.rollouts.all()
        if one.end is not End.NONE and not one.is_same_model
    }
    assert came <= set(runs)


def test_a_rollout_is_kept_as_it_is(world, rollouts):
    """Whole numbers of any size, names with dots and what was seen: to the last bit."""
    world.deploy(story.GOOD)
    world.run(2)
    newest = world.newest
    newest.counters = {"bucket|canary|pod|0.005": 2**62, "requests|primary|$pod|200": 1}
    rollouts.save(newest)
    assert rollouts.all()[-1].to_dict() == newest.to_dict()


def test_of_two_processes_one_is_told_that_it_is_late(world, rollouts):
    """What it took in is not lost: it reads the document again."""
    world.deploy(story.GOOD)
    world.run(1)
    first, second = world.newest, world.newest
    rollouts.save(first)
    with pytest.raises(ChangedError):
        rollouts.save(second)
    with pytest.raises(ChangedError):
        rollouts.save(replace(first, revision=0))


def test_a_server_that_is_away_is_said_without_its_password():
    """Nobody listens on port 1."""
    store = MongoRollouts("mongodb://u:secret@127.0.0.1:1/x?serverSelectionTimeoutMS=50")
    with closing(store), pytest.raises(StoreError, match="does not answer") as failed:
        store.all()
    assert "secret" not in str(failed.value)
    with pytest.raises(StoreError, match="expected mongodb://"):
        MongoRollouts("folder")
