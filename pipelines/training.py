"""The pipeline `training`: from a source to a served champion."""

from components.drift.component import drift
from components.evaluate.component import evaluate
from components.ingest.component import ingest
from components.promote.component import promote
from components.refine.component import refine
from components.train.component import train
from kfp import dsl
from pipelines.release import release
from pipelines.resources import configure

from parivision.models.families import MODELS


@dsl.pipeline(name="training", description="From a source of shots to a served champion.")
def training(
    source: str = "synthetic:?seed=1&seasons=2021-2023&games=300",
    until: str = "",
    league: str = "nba",
    season_types: str = "Regular Season",
    seed: int = 0,
    search_trials: int = 0,
    target: str = "auto",
    cause: str = "",
) -> None:
    """Ingest, refine, look for drift, train in parallel, judge; package and deploy if promoted.

    Args:
        source: URI of the source of shots.
        until: First day (2023-04-10) to leave out of the snapshot; empty for none.
        league: League of the snapshot, and so of the model: nba or gleague.
        season_types: Parts of the season in the snapshot, separated by commas.
        seed: Seed of every random choice.
        search_trials: Parameter draws to try beside each family's defaults.
        target: Where to deploy: local, kubernetes, or auto, the cluster that the run is in.
        cause: Why the run was started, such as an alert; the decision is recorded with it.
    """
    ingested = configure(ingest(source=source), "ingest")
    refined = configure(
        refine(until=until, league=league, season_types=season_types), "refine"
    ).after(ingested)
    shots = refined.outputs["shots"]
    # Before the trainings, which would all create what a new registry lacks.
    watched = configure(drift(shots=shots), "drift")
    models = {}
    for name, (family, feature_set) in MODELS.items():
        trained = train(
            shots=shots,
            family=family,
            feature_set=feature_set,
            seed=seed,
            search_trials=search_trials,
        )
        configure(trained, "train").set_display_name(f"train {name}").after(watched)
        models[name] = trained.outputs["model"]
    judged = configure(evaluate(shots=shots, **models), "evaluate")
    promotion = promote(
        shots=shots,
        judged=judged.outputs["judged"],
        best=judged.outputs["best"],
        cause=cause,
    )
    release(configure(promotion, "promote"), target)
