"""The stage `train`: one model on a snapshot."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parivision import strict_json
from parivision.features import tables
from parivision.lake.snapshot import read_snapshot
from parivision.models import training
from parivision.models.bundle import Bundle
from parivision.models.training import History, Recipe
from parivision.promotion import holdout
from parivision.registry import TRAINING
from parivision.scoring.scores import Scores
from parivision.settings import Settings
from parivision.shots.league_games import league_of
from parivision.shots.split import time_split
from parivision.stages import details, stores
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message


@dataclass(frozen=True)
class Trained:
    """A trained model and the recipe it was made by."""

    recipe: Recipe
    bundle: Bundle
    scores: Scores

    @property
    def name(self) -> str:
        """What it is called in tables."""
        return self.recipe.name

    @property
    def run_id(self) -> str:
        """The run that it is kept in."""
        return str(self.bundle.card["run_id"])

    @property
    def metrics(self) -> Mapping[str, float]:
        """Numbers on its training, and its scores on the later games."""
        fitted = float(self.bundle.card["shots_fitted"])
        numbers = {"shots_fitted": fitted, "seed": float(self.recipe.seed)}
        return numbers | strict_json.finite(self.scores.to_dict())


@writes_termination_message
@logs_heartbeat
def train(settings: Settings, shots: Path, recipe: Recipe, out: Path) -> Trained:
    """Train one model on a snapshot, keep it as a run, and write its bundle to `out`.

    The run has the model's scores on the later games, its report, its confusion matrix and its
    importances (`details.write`), whether or not an evaluation follows.
    """
    registry = stores.registry(settings)
    rows = read_snapshot(shots)
    history = History.of(tables.facts_from_shots(rows), tables.made_array(rows))
    split = time_split(history.facts.day)
    bundle = training.train(history, split, recipe)
    bundle.card["league"] = league_of(rows["game_id"]).key
    bundle.save(out)
    # Only now the later games are looked at: nothing of the model may follow from them.
    judgement = holdout.judge(rows, history, split, {recipe.name: bundle}, form=bundle.form)
    scored = judgement.scores()[recipe.name]
    with tempfile.TemporaryDirectory() as scratch:
        details.write(Path(scratch), judgement, recipe.name, bundle, title=f"Model {recipe.name}")
        bundle.card["run_id"] = registry.log(
            f"train {recipe.name}",
            params=_params(recipe, bundle),
            metrics=scored.to_dict(),
            tags={"kind": TRAINING, "model": recipe.name},
            artifacts={"bundle": out, "": Path(scratch)},
        )
    # Once more: now it knows its run, which the bundle in the run does not.
    bundle.save(out)
    return Trained(recipe, bundle, scored)


def _params(recipe: Recipe, bundle: Bundle) -> dict[str, Any]:
    """What the run says of the training: one flat table, parameters as `PART.NAME`."""
    params = {"family": recipe.family, "feature_set": recipe.feature_set, **bundle.card}
    for part, values in params.pop("params").items():
        params |= {f"{part}.{name}": value for name, value in values.items()}
    return params
