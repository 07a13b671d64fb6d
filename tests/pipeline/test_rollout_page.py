"""The page of a simulation, drawn from rollouts that were played."""

import json
from html import unescape

import numpy as np

from parivision.reports import rollout
from parivision.simulation.study import Plan, follow, study
from parivision.simulation.worlds import equal_worlds, worse_world

PLAN = Plan(shots=1200)


def _rng(seed):
    return np.random.default_rng(seed)


def test_a_page_is_written_with_its_figures(tmp_path):
    """One page that fetches nothing, PNGs beside it, and the numbers as JSON."""
    equal = [study(world, 3, PLAN, 1) for world in equal_worlds()[1:3]]
    worse = [study(worse_world(0.05), 3, PLAN, 1)]
    path = follow(worse_world(0.05).shots(_rng(3), 1200), _rng(1), PLAN)
    page = rollout.write(tmp_path, equal, worse, path)
    assert path.verdict.reason in unescape(page.read_text("utf-8"))
    for name in ("path", "failed", "passed", "comparison"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    told = json.loads(json.dumps(rollout.summary(equal, worse), allow_nan=False))
    assert told["false_alarm_rate"] == 0
    assert told["power"] == worse[0].failed().rate
    assert told["fixed_rule_false_alarm_rate"] == 1
    assert [one["world"] for one in told["worlds"]] == [
        "independent errors",
        "loud errors",
        "worse by noise",
    ]
