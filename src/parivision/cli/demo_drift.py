"""How the demo ends: the new champion meets games in which more threes are taken, and notices."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from parivision.cli import context
from parivision.cli.console import out, working
from parivision.errors import DataError
from parivision.settings import Settings

if TYPE_CHECKING:
    import polars as pl

NEXT_SEASON: Final = "synthetic:?seed=1&seasons=2024&games=60&more_threes=2024"
"""The embedded league's next season, with a drift switched on; a week of the league's games."""
FOLDER: Final = "drift-more-threes"
_SHOWN: Final = 5


def show_drift(settings: Settings, *, is_synthetic: bool) -> dict[str, Path]:
    """Compare games with more threes with the champion's; the reports' names and paths.

    For the embedded league they are those of its next season; for other shots the newest games, of
    which enough twos are left out that the odds of a three grow as much.
    """
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots
    from parivision.stages.drift import rehearse

    folder = settings.reports / FOLDER
    with working("watching games with more threes for drift"):
        if is_synthetic:
            shots, games = read_shots(open_source(NEXT_SEASON))[0], "the next season's games"
        else:
            shots, games = _newest_with_more_threes(settings), "the newest games"
        context.registry(settings)
        outcome = rehearse(settings, shots, folder)
    out.print(f"\ndrift: {games}, with more threes, against the champion's training data")
    summary = outcome.summary
    if summary is None:  # promotion found no model good enough
        out.print("  there is no champion to compare with")
        return {}
    drifted = ", ".join(summary.drifted_columns) or "no column"
    conclusion = f"{summary.verdict}: {drifted} drifted, in {summary.n_current:,} shots"
    out.print(f"  {conclusion}", markup=False, soft_wrap=True)
    for reason in summary.reasons[:_SHOWN]:
        out.print(f"    {reason}", markup=False, soft_wrap=True)
    out.print(f"  report: {outcome.page}", markup=False, soft_wrap=True)
    return {
        "drift, more threes": outcome.page,
        "drift, more threes (evidently)": outcome.evidently,
    }


def _newest_with_more_threes(settings: Settings) -> "pl.DataFrame":
    """The shots of the lake's last days of games, less some of the twos; the same each time."""
    import numpy as np
    import polars as pl

    from parivision.sources.synthetic import Drift
    from parivision.stages.drift import CURRENT_DAYS

    lake = context.lake(settings)
    last = lake.silver(["game_date"])["game_date"].max()
    if not isinstance(last, date):
        raise DataError("the lake holds no shots: run `parivision ingest` and `refine`")
    shots = lake.silver(since=last - timedelta(days=CURRENT_DAYS))
    drawn = np.random.default_rng(settings.seed).random(len(shots))
    # Odds of a three that grow by a factor are twos that get fewer by it.
    is_kept = drawn < np.exp(-Drift().threes_log_odds)
    return shots.filter((pl.col("shot_value") == 3) | pl.Series(is_kept))
