"""Every family, as it is trained for real, on a small league."""

import numpy as np
import pytest

from parivision.models import families
from parivision.models.bundle import Bundle
from parivision.models.families import LEARNERS
from parivision.models.training import Recipe, train
from parivision.scoring.bootstrap import paired_by_game
from parivision.scoring.metrics import log_loss

# Other tests cover what trains; to trace it here would only take time.
pytestmark = pytest.mark.no_cover


@pytest.mark.parametrize("family", LEARNERS)
def test_a_family_is_worth_having(
    family, league_history, league_split, league_shots, tmp_path, monkeypatch
):
    """It is better than the mean, not shown to be worse than the zone's rate, and can be kept."""
    monkeypatch.setattr(families, "THREADS", 1)
    bundle = train(league_history, league_split, Recipe(family))
    rows = league_split.later(league_history.facts.day)
    facts, made = league_history.facts.take(rows), league_history.made[rows]
    games = league_shots["game_id"].to_numpy()[rows]
    zone_rate = train(league_history, league_split, Recipe("zone_rate")).predict(facts)
    told, untold = bundle.predict(facts), bundle.predict(facts.without_action())
    for p in (told, untold):
        assert log_loss(made, p) < log_loss(made, np.full(len(made), made.mean()))
        assert not paired_by_game(made, p, zone_rate, games).is_better(0.01)
    assert log_loss(made, told) < log_loss(made, untold)
    assert abs(told.mean() - made.mean()) < 0.03
    bundle.save(tmp_path)
    assert Bundle.load(tmp_path).predict(facts).tobytes() == told.tobytes()
