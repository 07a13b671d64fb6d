"""Records a good and a bad rollout of the simulated servers, until there is one of a cluster.

    PYTHONPATH=tests python tests/record_rollouts.py docs/rollout-demo.json

A recording of a cluster is `make canary-demo RECORD=docs/rollout-demo.json`.
"""

import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Final

from parivision.canary.views import described
from parivision.promotion.ends import End
from parivision.simulation.recording import SIMULATION, RecordedRollout, Recording
from rollout_stores import TRUTH, Model
from rollout_world import World

CHAMPION: Final = Model(level=0.0)
CHALLENGERS: Final = {"good": TRUTH, "bad": Model(level=-0.15)}
REQUESTS_A_STEP: Final = 40


def record(folder: Path, day: str) -> Recording:
    """Both, one after the other, in one world."""
    world, rollouts = World(folder, requests_a_step=REQUESTS_A_STEP), []
    world.registry.models[world.first] = world.served[world.first] = CHAMPION
    for name, model in CHALLENGERS.items():
        before = len(world.rollouts.all())
        world.deploy(model)
        world.run(60, until=lambda before=before: _is_over(world, before))  # type: ignore[misc]
        rollouts.append(RecordedRollout.of(name, described(world.newest)))
    return Recording(SIMULATION, day, rollouts)


def _is_over(world: World, before: int) -> bool:
    known = world.rollouts.all()
    return len(known) > before and known[-1].end is not End.NONE and world.is_agreed()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        record(Path(scratch), date.today().isoformat()).save(Path(sys.argv[1]))
