"""The pipeline `monitoring`: has the world moved, and does a fresh state help the champion?"""

from components.drift.component import drift
from components.evaluate.component import evaluate_champion
from components.promote.component import promote
from components.refine.component import refine
from kfp import dsl
from pipelines.release import release
from pipelines.resources import configure


@dsl.pipeline(
    name="monitoring", description="Drift report, and the champion recalibrated where that helps."
)
def monitoring(
    until: str = "",
    league: str = "nba",
    season_types: str = "Regular Season",
    target: str = "auto",
) -> None:
    """Look for drift; a champion that still fits competes with itself recalibrated.

    Where it does not, the alert asks for a training, which the champion recalibrated is part of.

    Args:
        until: First day (2023-04-10) to leave out of the snapshot; empty for none.
        league: League of the snapshot, and so of the model: nba or gleague.
        season_types: Parts of the season in the snapshot, separated by commas.
        target: Where to deploy: local, kubernetes, or auto, the cluster that the run is in.
    """
    refined = configure(refine(until=until, league=league, season_types=season_types), "refine")
    shots = refined.outputs["shots"]
    watched = configure(drift(shots=shots), "drift")
    # The compiler reads the comparison; `is` or nothing would not reach it.
    with dsl.If(watched.outputs["Output"] == True, name="the champion fits"):  # noqa: E712
        judged = configure(evaluate_champion(shots=shots), "evaluate").set_display_name("evaluate")
        promotion = promote(
            shots=shots, judged=judged.outputs["judged"], best=judged.outputs["best"]
        )
        release(configure(promotion, "promote"), target)
