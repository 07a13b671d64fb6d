"""Random sequences of what may happen to rollouts: promotions, rollbacks, restarts, outages.

A sequence is drawn by its seed, played in a world, and ends when everything has been back for a
while. Then alias, serving image and record must agree.
"""

from collections.abc import Callable
from dataclasses import replace

from flagger_standin import release
from parivision.canary.ruling import PENDING_S
from parivision.promotion.ends import OUTCOME_TAG, SERVING_ENDS, End
from rollout_stores import BAD, Model
from rollout_world import RULES, World

QUICK = replace(RULES, min_requests=30, min_labelled=80, margin=0.15, deadline_s=600, watch_s=300)
"""A rollout comes out within some five minutes."""
EVENTS = 6
GOOD = Model(level=0.31)


def play(world: World) -> list[str]:
    """Let some things happen, each while what was before may be under way; their names."""
    happened = []
    for _ in range(EVENTS):
        name = str(world.random.choice(list(ACTS)))
        ACTS[name](world)
        happened.append(name)
        world.run(float(world.random.uniform(0.2, 6)))
    return happened


def settle(world: World) -> bool:
    """All servers are back and nobody does anything new; whether everything agrees in the end."""
    _restore(world)
    world.death_rate = 0.0
    if world.run(90, until=lambda: world.is_agreed() and not _is_open(world)):
        return True
    # A champion of the contest that was never deployed.
    world.now += PENDING_S
    return world.run(1, until=world.is_agreed)


def check(world: World) -> None:
    """Image, alias and record agree; AssertionError otherwise."""
    served = world.flagger.primary.version
    assert world.registry.champion().number == served
    known = world.rollouts.all()
    came = [one for one in known if one.end is not End.SUPERSEDED and not one.is_same_model]
    if not came:
        assert served == world.first
        return
    about = [one for one in came if one.version == served]
    assert about or served == world.first
    if about:
        assert about[-1].end in SERVING_ENDS, about[-1]
        assert world.registry.champion().tags[OUTCOME_TAG] in SERVING_ENDS


def _is_open(world: World) -> bool:
    return any(one.end is End.NONE for one in world.rollouts.all())


def _restore(world: World) -> None:
    world.prometheus_is_away = world.flagger.is_away = False
    world.store.is_away = False
    for server in (world.rollouts, world.registry):
        if hasattr(server, "is_away"):
            server.is_away = False


def _retry(world: World) -> None:
    """A person deploys a version that was there before once more."""
    number = str(int(world.random.integers(1, len(world.served) + 2)))
    world.flagger.deploy(release(number), attempt=f"again {world.now}")


def _win(world: World) -> None:
    """A pipeline run promotes, and dies before it deploys."""
    number = world.registry.register(GOOD)
    world.served[number] = GOOD


def _order(order: str) -> Callable[[World], None]:
    def give(world: World) -> None:
        if world.flagger.phase == "Progressing":
            world.flagger.ordered = {"key": world.flagger.key, "order": order, "by": "ana"}
            world.flagger.is_forced = order == "promote"

    return give


def _mongodb(world: World) -> None:
    world.store.is_away = True
    if hasattr(world.rollouts, "is_away"):
        world.rollouts.is_away = True


def _mlflow(world: World) -> None:
    if hasattr(world.registry, "is_away"):
        world.registry.is_away = True


def _deadly(world: World) -> None:
    world.death_rate = 0.2


def _return(world: World) -> None:
    """A person orders some version back, whether it was champion or not."""
    world.order_return(str(int(world.random.integers(1, len(world.served) + 2))))


ACTS: dict[str, Callable[[World], None]] = {
    "a good champion is deployed": lambda world: _deploy(world, GOOD),
    "a bad one is deployed": lambda world: _deploy(world, BAD),
    "another good one is deployed": lambda world: _deploy(world, GOOD),
    "a contest is won and nothing is deployed": _win,
    "a version is deployed again": _retry,
    "the verdict is restarted": lambda world: world.restart(),
    "the verdict is killed over and over": _deadly,
    "abort": _order("abort"),
    "promote": _order("promote"),
    "return": _return,
    "MongoDB is away": _mongodb,
    "MLflow is away": _mlflow,
    "Prometheus is away": lambda world: setattr(world, "prometheus_is_away", True),
    "Kubernetes is away": lambda world: setattr(world.flagger, "is_away", True),
    "everything is back": _restore,
}


def _deploy(world: World, model: Model) -> None:
    _restore_registry(world)
    world.deploy(model)


def _restore_registry(world: World) -> None:
    """A pipeline run that cannot reach MLflow promotes nothing."""
    if hasattr(world.registry, "is_away"):
        world.registry.is_away = False
