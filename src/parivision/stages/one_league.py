"""A league's champion is judged on that league's shots only."""

from collections.abc import Mapping

import polars as pl

from parivision.errors import ModelError
from parivision.models.bundle import Bundle
from parivision.shots.league_games import league_of


def refuse_other_league(shots: pl.DataFrame, models: Mapping[str, Bundle | None]) -> None:
    """Raise ModelError where one of the models was trained on another league than the shots are of.

    `models` maps what a model is called in the message to its bundle; None where there is none.
    """
    league = league_of(shots["game_id"])
    for name, bundle in models.items():
        if bundle is not None and bundle.league != league.key:
            raise ModelError(
                f"the {name} is of the league {bundle.league!r}, and these shots are of "
                f"{league.key!r}: each league has an MLflow of its own (MLFLOW_TRACKING_URI), and "
                "`parivision refine --league` chooses the shots"
            )
